"""TLS of the exporter's own server: ``tls_server_config`` of the web configuration file.

The keys are those of Prometheus' exporter-toolkit. What Python's TLS cannot do is refused, never
done in a weaker way.
"""

import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from exporter.settings.faults import SectionError, blaming
from exporter.settings.files import read_pem
from exporter.settings.pem import PemError, load_authorities, load_chain
from exporter.settings.section import Section
from exporter.settings.values import PemFile, Secret

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

CIPHERS_OF_TLS13 = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
"""Always on, in Go as here; a file can list them all the same."""

CIPHERS: Mapping[str, str] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
"""Go's name -> OpenSSL's, of those that Go calls secure, up to TLS 1.2."""

CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}

CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}

_VERIFIED = "is not supported, as every certificate that a client sends is verified. Use "
_OLD = "is not supported, as RFC 8996 forbids it. Use TLS12 or TLS13"
_UNSUPPORTED = {
    "RequestClientCert": f"{_VERIFIED}VerifyClientCertIfGiven, or NoClientCert",
    "RequireAnyClientCert": f"{_VERIFIED}RequireAndVerifyClientCert",
    "RequireClientCert": f"{_VERIFIED}RequireAndVerifyClientCert",
    "TLS10": _OLD,
    "TLS11": _OLD,
}
"""What the exporter-toolkit knows besides -> why it is refused."""


def _one_of(known: Iterable[str]) -> AfterValidator:
    def check(name: str) -> str:
        if name in known:
            return name
        if name in _UNSUPPORTED:
            raise ValueError(f"{name} {_UNSUPPORTED[name]}")
        raise ValueError(f"should be one of {', '.join(known)}")

    return AfterValidator(check)


_Version = Annotated[str, _one_of(VERSIONS)]
_ClientAuth = Annotated[str, _one_of(CLIENT_AUTH)]
_Cipher = Annotated[str, _one_of([*CIPHERS, *CIPHERS_OF_TLS13])]
_Curve = Annotated[str, _one_of(CURVES)]


class TlsServer(Section):
    """TLS of the exporter's own server."""

    cert: Secret | None = None
    """Certificate (PEM) itself."""
    key: Secret | None = None
    """Private key (PEM) itself."""
    client_ca: Secret | None = None
    """As client_ca_file, the text itself."""
    cert_file: PemFile | None = None
    """Certificate (PEM), with the chain behind it."""
    key_file: PemFile | None = None
    """Private key (PEM, not encrypted) of the certificate."""
    client_auth_type: _ClientAuth = "NoClientCert"
    """Whether clients must have a certificate."""
    client_ca_file: PemFile | None = None
    """Certificates (PEM) of the authorities that sign the clients' certificates."""
    client_allowed_sans: Annotated[tuple[str, ...] | None, Field(min_length=1)] = None
    """Names; a client's certificate must have one of them."""
    min_version: _Version = "TLS12"
    """Lowest version of TLS."""
    max_version: _Version = "TLS13"
    """Highest version of TLS."""
    cipher_suites: tuple[_Cipher, ...] = ()
    """Cipher suites of TLS 1.2, by Go's names."""
    prefer_server_cipher_suites: bool = True
    """The server's order of cipher suites overrides the client's."""
    curve_preferences: Annotated[tuple[_Curve, ...], Field(max_length=1)] = ()
    """The elliptic curve, by Go's name; Python's TLS takes one."""

    @property
    def enabled(self) -> bool:
        """Whether any key is given, so that TLS is wanted."""
        return bool(self.model_fields_set)

    @cached_property
    def context(self) -> ssl.SSLContext | None:
        """The context for the server; None without TLS."""
        if not self.enabled:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = VERSIONS[self.min_version]
        context.maximum_version = VERSIONS[self.max_version]
        context.set_alpn_protocols(["http/1.1"])
        if not self.prefer_server_cipher_suites:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        chosen = [CIPHERS[name] for name in self.cipher_suites if name in CIPHERS]
        if self.cipher_suites and not chosen:
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        if chosen:
            with _offered_by_openssl("cipher_suites"):
                context.set_ciphers(":".join(chosen))
        for curve in self.curve_preferences:
            with _offered_by_openssl("curve_preferences"):
                context.set_ecdh_curve(CURVES[curve])
        self._load_certificate(context)
        self._trust_clients(context)
        return context

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        certificate, key = self._content("cert"), self._content("key")
        try:
            load_chain(context, certificate, key)
        except PemError as error:
            raise SectionError(self._key_of(error.part), str(error)) from None

    def _trust_clients(self, context: ssl.SSLContext) -> None:
        context.verify_mode = CLIENT_AUTH[self.client_auth_type]
        if context.verify_mode is not ssl.CERT_NONE:
            authorities = self._content("client_ca")
            with blaming(self._key_of("client_ca")):
                load_authorities(context, authorities)

    def _content(self, part: str) -> bytes:
        """Return what the key or, with ``_file`` behind its name, its file gives."""
        text: SecretStr | None = getattr(self, part)
        if text is not None:
            return text.get_secret_value().encode()
        with blaming(f"{part}_file"):
            return read_pem(getattr(self, f"{part}_file"))

    def _key_of(self, part: str) -> str:
        return part if getattr(self, part) is not None else f"{part}_file"

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.enabled:
            for key, message in self._contradictions():
                raise SectionError(key, message)
            _ = self.context  # built here, so that an invalid file is a fault of its key
        return self

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        for text in ("cert", "key", "client_ca"):
            given = {text, f"{text}_file"} & self.model_fields_set
            if len(given) > 1:
                yield f"{text}_file", f"conflicts with {text}. Set only one"
            if not given and text != "client_ca":
                yield f"{text}_file", f"is required for TLS, or {text}"
        if VERSIONS[self.min_version] > VERSIONS[self.max_version]:
            yield "min_version", "should not be above max_version"
        only_tls13 = self.cipher_suites and not set(self.cipher_suites) & CIPHERS.keys()
        if only_tls13 and self.max_version == "TLS12":
            yield "cipher_suites", "should have one for TLS 1.2, as max_version is TLS12"
        yield from self._about_clients()

    def _about_clients(self) -> Iterator[tuple[str, str]]:
        verifies = self.client_auth_type != "NoClientCert"
        authorities = {"client_ca", "client_ca_file"} & self.model_fields_set
        if verifies and not authorities:
            yield "client_ca_file", f"is required for {self.client_auth_type}, or client_ca"
        if authorities and not verifies:
            yield authorities.pop(), "requires client_auth_type: RequireAndVerifyClientCert"
        if self.client_allowed_sans and self.client_auth_type != "RequireAndVerifyClientCert":
            yield "client_allowed_sans", "requires client_auth_type: RequireAndVerifyClientCert"


@contextmanager
def _offered_by_openssl(key: str) -> Iterator[None]:
    """Turn the refusal of a library that lacks a cipher or curve into a fault of the key."""
    try:
        yield
    except (ssl.SSLError, ValueError):
        message = f"{ssl.OPENSSL_VERSION} does not offer this. Choose another, or remove the key"
        raise SectionError(key, message) from None
