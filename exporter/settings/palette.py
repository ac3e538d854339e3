"""The section ``palette``: where Palette is, and how the exporter authenticates."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import SecretStr, model_validator

from exporter.settings.addresses import PaletteUrl, ProxyUrl
from exporter.settings.faults import SectionError, SettingsError, blaming
from exporter.settings.files import read_api_key, read_password, read_pem
from exporter.settings.pem import PemError, client_context, load_chain
from exporter.settings.section import Section
from exporter.settings.values import (
    ApiKeyFile,
    ApiKeyText,
    Count,
    HeaderText,
    Interval,
    PasswordFile,
    PemFile,
    Rate,
    Text,
    UserName,
)

NO_CREDENTIAL = (
    "no credential. Set palette.api_key_file, the environment variable SPECTROCLOUD_APIKEY, "
    "palette.api_key in the file, or palette.username with palette.password_file"
)

CONNECTION = (
    *("url", "api_key_file", "api_key", "username", "password_file", "org", "project_uid"),
    *("tls", "proxy_url"),
)
"""Keys of ``palette`` that say where it is and how to authenticate; a demo brings its own."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What the exporter authenticates with; its repr hides the secret.

    secret: the API key or, with a ``username``, the password; org: None is the user's own.
    """

    secret: SecretStr
    username: str | None = None
    org: str | None = None


class Tls(Section):
    """TLS towards Palette: trust and client certificate."""

    ca_file: PemFile | None = None
    """Certificates (PEM) to trust instead of the system's, for a self-hosted Palette."""
    cert_file: PemFile | None = None
    """Client certificate (PEM), with its chain; it can hold the key too."""
    key_file: PemFile | None = None
    """Private key (PEM, not encrypted) of cert_file."""
    insecure_skip_verify: bool = False
    """Accept any certificate. This exposes the API key to a man in the middle."""

    def context(self) -> ssl.SSLContext:
        """Return the context for the client; reads the files again.

        Raises SectionError if a file is not valid.
        """
        authorities, certificate, key = map(self._content, ("ca_file", "cert_file", "key_file"))
        with blaming("ca_file"):
            context = client_context(authorities)
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate is not None:
            try:
                load_chain(context, certificate, key)
            except PemError as error:
                raise SectionError(f"{error.part}_file", str(error)) from None
        return context

    def _content(self, key: str) -> bytes | None:
        """Return the content of the file that a key names."""
        path: Path | None = getattr(self, key)
        with blaming(key):
            return None if path is None else read_pem(path)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise SectionError("key_file", "requires palette.tls.cert_file")
        if self.ca_file is not None or self.cert_file is not None:
            self.context()
        return self


class Palette(Section):
    """Where Palette is, and how the exporter authenticates."""

    url: PaletteUrl = "https://api.spectrocloud.com"
    """Address of Palette; https:// can be left off. Also SPECTROCLOUD_HOST."""
    api_key_file: ApiKeyFile | None = None
    """File that holds the API key and nothing else. Or SPECTROCLOUD_APIKEY."""
    api_key: ApiKeyText | None = None
    """The API key; in the configuration file only. Prefer api_key_file."""
    username: UserName | None = None
    """User (an e-mail address) to log in as, instead of an API key."""
    password_file: PasswordFile | None = None
    """File that holds the user's password and nothing else."""
    org: Text | None = None
    """Organization to log in to; only with username."""
    project_uid: HeaderText | None = None
    """Project of the targets that name none. Without it: the tenant."""
    tls: Tls = Tls()
    """TLS towards Palette."""
    proxy_url: ProxyUrl | None = None
    """HTTP proxy for requests to Palette, http://[user:password@]host:port. Without it: the
    environment variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY."""
    timeout: Interval = 10.0
    """Timeout of one HTTP request; at least 1s."""
    requests_per_second: Rate = 40.0
    """Maximum number of requests per second, above 0. Palette allows 50 for each source address,
    which all clients behind it share."""
    burst: Count = 50
    """Burst size: requests allowed at once after an idle period; at least 1."""

    def credential(self) -> Credential:
        """Return what to authenticate with; reads its file again.

        Raises SettingsError if the file has become unreadable, or no credential is set.
        """
        if self.api_key_file is not None:
            return Credential(_read("api_key_file", read_api_key, self.api_key_file))
        if self.api_key is not None:
            return Credential(self.api_key)
        if self.username is not None and self.password_file is not None:
            password = _read("password_file", read_password, self.password_file)
            return Credential(password, self.username, self.org)
        raise SettingsError([f"palette: {NO_CREDENTIAL}"])

    def tls_context(self) -> ssl.SSLContext:
        """Return the TLS context for Palette; reads the files of ``tls`` again.

        Raises SettingsError if one of them is not valid.
        """
        try:
            return self.tls.context()
        except SectionError as error:
            raise SettingsError([f"palette.tls.{error}"]) from None


def _read(key: str, reader: Callable[[Path], str], path: Path) -> SecretStr:
    try:
        return SecretStr(reader(path))
    except ValueError as error:
        fault = f"palette.{key}: {error}"
    # Raised outside of the except block, so that no traceback drags the file's content along.
    raise SettingsError([fault])
