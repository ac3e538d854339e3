"""TLS towards those who scrape: ``tls_server_config`` of the web configuration file.

The keys are those of Prometheus' exporter-toolkit. What Python's TLS cannot do is refused, never
done in a weaker way.
"""

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exporter.settings.faults import SectionError
from exporter.settings.files import contents
from exporter.settings.pem import LARGEST, PemError, load_authorities, load_chain
from exporter.settings.section import Section
from exporter.settings.values import ReadableFile, Secret

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

CIPHERS_OF_TLS13 = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
"""Always on, in Go as here; a file may list them all the same."""

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

_UNVERIFIED = "cannot be done here, as a certificate that is asked for is always verified; use "
_OTHER_CLIENT_AUTH = {
    "RequestClientCert": f"{_UNVERIFIED}VerifyClientCertIfGiven, or NoClientCert",
    "RequireAnyClientCert": f"{_UNVERIFIED}RequireAndVerifyClientCert",
    "RequireClientCert": f"{_UNVERIFIED}RequireAndVerifyClientCert",
}


def _one_of(known: Mapping[str, object], others: Mapping[str, str]) -> BeforeValidator:
    """Take the names that are known, and say of others why they are not."""

    def check(value: object) -> object:
        if isinstance(value, str) and value in known:
            return value
        if isinstance(value, str) and value in others:
            raise ValueError(f"{value} {others[value]}")
        raise ValueError(f"should be one of {', '.join(known)}")

    return BeforeValidator(check)


_OLD = "is not offered, as RFC 8996 has put an end to it; use TLS12 or TLS13"
_Version = Annotated[str, _one_of(VERSIONS, {"TLS10": _OLD, "TLS11": _OLD})]
_ClientAuth = Annotated[str, _one_of(CLIENT_AUTH, _OTHER_CLIENT_AUTH)]
_Cipher = Annotated[str, _one_of({**CIPHERS, **dict.fromkeys(CIPHERS_OF_TLS13)}, {})]
_Curve = Annotated[str, _one_of(CURVES, {})]


def _at_most_one(curves: tuple[str, ...]) -> tuple[str, ...]:
    if len(curves) > 1:
        raise ValueError("should name one curve: more than one cannot be put in order here")
    return curves


def _at_least_one(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if names == ():
        raise ValueError("should name at least one; an empty list would let nobody in")
    return names


class TlsServer(Section):
    """How to be known by those who scrape, and how to know them."""

    cert: str | None = Field(default=None, description="Certificate (PEM) itself.")
    key: Secret | None = Field(default=None, description="Private key (PEM) itself.")
    client_ca: str | None = Field(default=None, description="As client_ca_file, the text itself.")
    cert_file: ReadableFile | None = Field(
        default=None, description="Certificate (PEM), with the chain behind it."
    )
    key_file: ReadableFile | None = Field(
        default=None, description="Private key (PEM, not encrypted) of the certificate."
    )
    client_auth_type: _ClientAuth = Field(
        default="NoClientCert", description="What is asked of a client's certificate."
    )
    client_ca_file: ReadableFile | None = Field(
        default=None, description="Certificates (PEM) of those who sign the clients' ones."
    )
    client_allowed_sans: Annotated[tuple[str, ...] | None, AfterValidator(_at_least_one)] = Field(
        default=None, description="Names of which a client's certificate must carry one."
    )
    min_version: _Version = Field(default="TLS12", description="Least version of TLS.")
    max_version: _Version = Field(default="TLS13", description="Greatest version of TLS.")
    cipher_suites: tuple[_Cipher, ...] = Field(
        default=(), description="Cipher suites of TLS 1.2, by Go's names."
    )
    prefer_server_cipher_suites: bool = Field(
        default=True, description="Whether the order of ours goes before the client's."
    )
    curve_preferences: Annotated[tuple[_Curve, ...], AfterValidator(_at_most_one)] = Field(
        default=(), description="The elliptic curve, by Go's name."
    )

    @property
    def enabled(self) -> bool:
        """Whether any key is given, so that TLS is meant."""
        return bool(self.model_fields_set)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files it is made of."""
        named = (self.cert_file, self.key_file, self.client_ca_file)
        return tuple(path for path in named if path is not None)

    def context(self) -> ssl.SSLContext:
        """Build the context for the server; reads the files anew.

        Raises SectionError, a ValueError, where a file is not what it should be.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = VERSIONS[self.min_version]
        context.maximum_version = VERSIONS[self.max_version]
        context.set_alpn_protocols(["http/1.1"])
        if not self.prefer_server_cipher_suites:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        self._choose_ciphers(context)
        for curve in self.curve_preferences:
            context.set_ecdh_curve(CURVES[curve])
        self._load_certificate(context)
        self._trust_clients(context)
        return context

    def _choose_ciphers(self, context: ssl.SSLContext) -> None:
        chosen = [CIPHERS[name] for name in self.cipher_suites if name in CIPHERS]
        if chosen:
            context.set_ciphers(":".join(chosen))
        elif self.cipher_suites:
            context.minimum_version = ssl.TLSVersion.TLSv1_3

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        certificate = self._content("cert_file", self.cert)
        text = None if self.key is None else self.key.get_secret_value()
        key = self._content("key_file", text)
        try:
            load_chain(context, certificate, key)
        except PemError as error:
            part = {"certificate": "cert", "key": "key"}[error.part]
            given = part if getattr(self, part) is not None else f"{part}_file"
            raise SectionError(given, str(error)) from None

    def _trust_clients(self, context: ssl.SSLContext) -> None:
        context.verify_mode = CLIENT_AUTH[self.client_auth_type]
        if context.verify_mode is ssl.CERT_NONE:
            return
        try:
            load_authorities(context, self._content("client_ca_file", self.client_ca))
        except PemError as error:
            given = "client_ca" if self.client_ca is not None else "client_ca_file"
            raise SectionError(given, str(error)) from None

    def _content(self, key: str, text: str | None) -> bytes:
        """Return what is given in the file or, if there is one, as a text."""
        if text is not None:
            return text.encode()
        try:
            return contents(getattr(self, key), LARGEST)
        except ValueError as error:
            raise SectionError(key, str(error)) from None

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.enabled:
            for key, message in self._contradictions():
                raise SectionError(key, message)
            self.context()
        return self

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        for text, required in (("cert", True), ("key", True), ("client_ca", False)):
            yield from self._text_and_file(text, required=required)
        if VERSIONS[self.min_version] > VERSIONS[self.max_version]:
            yield "min_version", "should not be above max_version"
        only_tls13 = self.cipher_suites and not set(self.cipher_suites) & CIPHERS.keys()
        if only_tls13 and self.max_version == "TLS12":
            yield "cipher_suites", "should have one for TLS 1.2, which max_version asks for"
        yield from self._about_clients()

    def _text_and_file(self, text: str, *, required: bool) -> Iterator[tuple[str, str]]:
        file = f"{text}_file"
        given = [key for key in (text, file) if getattr(self, key) is not None]
        if len(given) > 1:
            yield file, f"given beside {text}; keep one of them"
        elif required and not given:
            yield file, f"is required, or {text}, where TLS is to be offered"

    def _about_clients(self) -> Iterator[tuple[str, str]]:
        verifies = self.client_auth_type != "NoClientCert"
        authorities = [
            key for key in ("client_ca_file", "client_ca") if getattr(self, key) is not None
        ]
        if verifies and not authorities:
            yield "client_ca_file", f"is required, or client_ca, by {self.client_auth_type}"
        if authorities and not verifies:
            yield authorities[0], "needs client_auth_type beside it, else no certificate is asked"
        if self.client_allowed_sans and self.client_auth_type != "RequireAndVerifyClientCert":
            yield "client_allowed_sans", "needs client_auth_type: RequireAndVerifyClientCert"
