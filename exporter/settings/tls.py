"""TLS towards Palette."""

import ssl
from pathlib import Path
from typing import Self

from exporter.settings.faults import SectionError, blaming
from exporter.settings.files import contents
from exporter.settings.pem import LARGEST, PemError, client_context, load_chain
from exporter.settings.section import Section
from exporter.settings.values import ReadableFile


class Tls(Section):
    """TLS towards Palette: trust and client certificate."""

    ca_file: ReadableFile | None = None
    """Certificates (PEM) to trust instead of the system's, for a self-hosted Palette."""
    cert_file: ReadableFile | None = None
    """Client certificate (PEM), with its chain; it can hold the key too."""
    key_file: ReadableFile | None = None
    """Private key (PEM, not encrypted) of cert_file."""
    insecure_skip_verify: bool = False
    """Accept any certificate. This exposes the API key to a man in the middle."""

    def context(self) -> ssl.SSLContext:
        """Return the context for the client; reads the files again.

        Raises SectionError if a file is not valid.
        """
        with blaming("ca_file"):
            context = client_context(_content(self.ca_file))
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert_file is not None:
            with blaming("cert_file"):
                certificate = contents(self.cert_file, LARGEST)
            with blaming("key_file"):
                key = _content(self.key_file)
            try:
                load_chain(context, certificate, key)
            except PemError as error:
                raise SectionError(f"{error.part}_file", str(error)) from None
        return context

    def _usable(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise SectionError("key_file", "requires palette.tls.cert_file")
        if self.ca_file is not None or self.cert_file is not None:
            self.context()
        return self


def _content(file: Path | None) -> bytes | None:
    return None if file is None else contents(file, LARGEST)
