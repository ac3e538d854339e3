"""TLS towards Palette."""

import ssl
from typing import Self

from pydantic import Field, model_validator

from exporter.settings.faults import SectionError
from exporter.settings.files import contents, digest
from exporter.settings.pem import LARGEST, PemError, client_context, load_chain
from exporter.settings.section import Section
from exporter.settings.values import ReadableFile

_KEY_OF_PART = {"certificate": "cert_file", "key": "key_file"}


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

    def digests(self) -> tuple[bytes, ...]:
        """Return what tells the files from others that could stand in their place."""
        files = (self.ca_file, self.cert_file, self.key_file)
        return tuple(digest(file) for file in files if file is not None)

    def _trust(self) -> ssl.SSLContext:
        try:
            return client_context(self.ca_file)
        except PemError as error:
            raise SectionError("ca_file", str(error)) from None

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        assert self.cert_file is not None
        key = None if self.key_file is None else contents(self.key_file, LARGEST)
        try:
            load_chain(context, contents(self.cert_file, LARGEST), key)
        except PemError as error:
            raise SectionError(_KEY_OF_PART[error.part], str(error)) from None

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise SectionError("key_file", "needs palette.tls.cert_file beside it")
        if self.ca_file is not None or self.cert_file is not None:
            self.context()
        return self
