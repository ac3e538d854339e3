"""TLS towards Palette."""

import ssl
from typing import Self

from pydantic import Field, model_validator

from exporter.settings.faults import SectionError
from exporter.settings.section import Section
from exporter.settings.values import ReadableFile


class _EncryptedKeyError(Exception):
    pass


def _no_pass_phrase() -> str:
    # Without this, OpenSSL would ask for it on the terminal, and wait.
    raise _EncryptedKeyError


class Tls(Section):
    """How to know Palette, and how to be known by it."""

    ca_file: ReadableFile | None = Field(
        default=None,
        description="Certificates (PEM) to trust in place of the system's, for a self-hosted "
        "Palette.",
    )
    cert_file: ReadableFile | None = Field(
        default=None, description="Client certificate (PEM), with its chain and perhaps its key."
    )
    key_file: ReadableFile | None = Field(
        default=None, description="Private key (PEM, not encrypted) of cert_file."
    )
    insecure_skip_verify: bool = Field(
        default=False,
        description="Take any certificate. Whoever is in between can then read the key.",
    )

    def context(self) -> ssl.SSLContext:
        """Build the context for the client; reads the files anew.

        Raises SectionError, a ValueError, where a file is not what it should be.
        """
        context = self._trust()
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert_file is not None:
            self._load_certificate(context)
        return context

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ValueError):
            raise SectionError("ca_file", "should hold certificates in PEM form") from None

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        assert self.cert_file is not None
        try:
            context.load_cert_chain(self.cert_file, self.key_file, password=_no_pass_phrase)
        except _EncryptedKeyError:
            blamed = "key_file" if self.key_file else "cert_file"
            raise SectionError(blamed, "the private key should not be encrypted") from None
        except (OSError, ValueError) as error:
            raise self._blame(error) from None

    def _blame(self, error: Exception) -> SectionError:
        """Find out which of the two files OpenSSL means; it does not say."""
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            return SectionError(
                "key_file" if self.key_file else "cert_file",
                "the private key is not that of the certificate",
            )
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(self.cert_file)
        except (OSError, ValueError):
            return SectionError("cert_file", "should hold a certificate in PEM form")
        if self.key_file is None:
            return SectionError("cert_file", "holds no private key, and key_file names none")
        return SectionError("key_file", "should hold a private key in PEM form")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise SectionError("key_file", "needs palette.tls.cert_file beside it")
        if self.ca_file is not None or self.cert_file is not None:
            self.context()
        return self
