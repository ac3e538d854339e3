"""The way to Palette, built from Settings, and built anew when these change."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ssl import SSLContext

import structlog
from yarl import URL

from exporter import __version__
from exporter.palette import auth
from exporter.palette.budget import Budget
from exporter.palette.request import Access
from exporter.palette.session import Session
from exporter.palette.transport import Observer, Transport
from exporter.runtime import from_settings
from exporter.settings import Credential, Settings, Tls

USER_AGENT = f"palette-snapshot-exporter/{__version__}"

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Basis:
    """What an access was made of; files: digests of those that TLS is made of."""

    url: str
    credential: Credential
    tls: Tls
    files: tuple[bytes, ...]
    context: SSLContext

    @classmethod
    def read(cls, settings: Settings, last: "_Basis | None" = None) -> "_Basis":
        """Read the files that the settings name. Raises SettingsError.

        The context of the last basis is kept where it would be the same, as its connections are
        then.
        """
        palette = settings.palette
        files = palette.tls.digests()
        same = last is not None and (last.tls, last.files) == (palette.tls, files)
        return cls(
            url=palette.url,
            credential=palette.credential(),
            tls=palette.tls,
            files=files,
            context=last.context if last and same else palette.tls_context(),
        )


class Connection:
    """What sends calls within the configured budget.

    monotonic: seconds. Needs a running loop, and raises SettingsError where a file has changed
    for the worse since the settings were loaded.
    """

    def __init__(
        self, settings: Settings, observer: Observer, monotonic: Callable[[], float]
    ) -> None:
        palette = settings.palette
        self._monotonic = monotonic
        self._basis = _Basis.read(settings)
        self._budget = Budget(palette.requests_per_second, palette.burst)
        self._session = Session(USER_AGENT, clock=monotonic)
        self.transport = Transport(
            self._session,
            self._access(settings, self._basis),
            self._budget,
            observer,
            clock=monotonic,
        )

    async def prepare(self, settings: Settings) -> Callable[[], None]:
        """Read the files that settings name; return what goes that way from the next request on.

        Raises SettingsError.
        """
        basis = await asyncio.to_thread(_Basis.read, settings, self._basis)
        access = self._access(settings, basis, self.transport.access.credential)

        def commit() -> None:
            if (basis.url, basis.tls) != (self._basis.url, self._basis.tls):
                warn_of_dangers(settings)
            self._basis = basis
            self.transport.access = access
            if isinstance(access.credential, auth.Login):
                access.credential.retry_after = from_settings.login_retry(settings)
            self._budget.adopt(settings.palette.requests_per_second, settings.palette.burst)

        return commit

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _access(
        self, settings: Settings, basis: _Basis, last: auth.Credential | None = None
    ) -> Access:
        palette = settings.palette
        same = (basis.url, basis.credential) == (self._basis.url, self._basis.credential)
        # A credential that stays keeps its token, but shows it to no other Palette.
        credential = last if last and same else None
        return Access(
            base_url=palette.url,
            credential=credential
            or from_settings.credential(settings, basis.credential, self._monotonic),
            timeout=palette.timeout,
            ssl=basis.context,
            proxy=palette.proxy_url.get_secret_value() if palette.proxy_url else None,
        )


async def connect(
    settings: Settings, observer: Observer, monotonic: Callable[[], float], stack: AsyncExitStack
) -> Connection:
    """Return a connection; stack: closes it."""
    connection = Connection(settings, observer, monotonic)
    stack.push_async_callback(connection.close)
    return connection


def warn_of_dangers(settings: Settings) -> None:
    """Log what is dangerous about the way to Palette."""
    url = URL(settings.palette.url)
    if url.scheme == "http" and url.host not in LOOPBACK:
        log.warning("the credential travels unencrypted", palette=settings.palette.url)
    if settings.palette.tls.insecure_skip_verify:
        log.warning("Palette's certificate is not verified", palette=settings.palette.url)
