"""Where Palette is and how one gets there; it may be replaced while calls are under way."""

from dataclasses import dataclass, field
from ssl import SSLContext

from yarl import URL

from exporter.palette.auth import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What one attempt of a call goes by, all of it from the same settings.

    base_url: scheme, host and what stands before ``/v1``.
    timeout: seconds for one HTTP request, from the connection to the last byte of its answer.
    ssl: True verifies against the system's authorities, False nothing.
    proxy: URL.
    """

    base_url: str
    credential: Credential
    timeout: float
    ssl: SSLContext | bool = True
    proxy: str | None = field(default=None, repr=False)

    @property
    def root(self) -> str:
        """What the paths of calls are appended to."""
        return str(URL(self.base_url).with_user(None)).rstrip("/")

    def secrets(self) -> tuple[str, ...]:
        """Return what must not be in any message, the proxy's password too."""
        proxy = URL(self.proxy or "")
        return (*self.credential.secrets(), proxy.password or "", proxy.raw_password or "")


@dataclass(slots=True)
class Way:
    """The access that counts now, for all who share it."""

    access: Access
