"""The connection to Palette as the settings describe it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from ssl import SSLContext

import structlog
from yarl import URL

from exporter import __version__
from exporter.palette import auth
from exporter.palette.budget import Budget
from exporter.palette.client import Palette
from exporter.palette.request import Access
from exporter.palette.session import Session
from exporter.palette.transport import Observer, Transport
from exporter.palette.wire import Fault
from exporter.runtime import from_settings
from exporter.runtime.reload import Commit
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


@dataclass(slots=True, kw_only=True)
class Connection:
    """The client of Palette, which uses the settings as they are now; needs a running loop.

    report: called with each value that could not be read; monotonic: seconds.
    """

    observer: Observer
    report: Callable[[Fault], None]
    monotonic: Callable[[], float]
    _basis: _Basis | None = field(default=None, init=False)
    _client: "_Client | None" = field(default=None, init=False)

    @property
    def transport(self) -> Transport:
        """What the client sends calls through."""
        assert self._client
        return self._client.transport

    @property
    def palette(self) -> Palette:
        """The client; there is one once settings were prepared."""
        assert self._client
        return self._client.palette

    @property
    def budget(self) -> Budget:
        """How many requests can be sent."""
        assert self._client
        return self._client.budget

    async def prepare(self, settings: Settings) -> Commit:
        """Read the files that the settings name; they count from the next request on.

        Raises SettingsError.
        """
        basis = await asyncio.to_thread(_Basis.read, settings, self._basis)
        limits = settings.palette.requests_per_second, settings.palette.burst
        access = self._access(settings, basis)
        client = self._client = self._client or self._new_client(access, Budget(*limits))

        def commit() -> None:
            last, self._basis = self._basis, basis
            if last is None or (basis.url, basis.tls) != (last.url, last.tls):
                warn_of_dangers(settings)
            client.transport.access = access
            if isinstance(access.credential, auth.Login):
                access.credential.retry_after = from_settings.login_retry(settings)
            client.budget.adopt(*limits)

        return commit

    async def close(self) -> None:
        """Close all connections."""
        if self._client:
            await self._client.session.close()

    def _new_client(self, access: Access, budget: Budget) -> "_Client":
        session = Session(USER_AGENT, clock=self.monotonic)
        transport = Transport(session, access, budget, self.observer, clock=self.monotonic)
        return _Client(session, budget, transport, Palette(transport, self.report))

    def _access(self, settings: Settings, basis: _Basis) -> Access:
        palette, last = settings.palette, self._basis
        same = last and (basis.url, basis.credential) == (last.url, last.credential)
        # A credential that stays keeps its token, but shows it to no other Palette.
        kept = self._client.transport.access.credential if self._client and same else None
        return Access(
            base_url=palette.url,
            credential=kept or from_settings.credential(settings, basis.credential, self.monotonic),
            timeout=palette.timeout,
            ssl=basis.context,
            proxy=palette.proxy_url.get_secret_value() if palette.proxy_url else None,
        )


@dataclass(frozen=True, slots=True)
class _Client:
    session: Session
    budget: Budget
    transport: Transport
    palette: Palette


def warn_of_dangers(settings: Settings) -> None:
    """Log what is dangerous about the connection to Palette."""
    url = URL(settings.palette.url)
    if url.scheme == "http" and url.host not in LOOPBACK:
        log.warning("the credential travels unencrypted", palette=settings.palette.url)
    if settings.palette.tls.insecure_skip_verify:
        log.warning("Palette's certificate is not verified", palette=settings.palette.url)
