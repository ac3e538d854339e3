"""The connection to Palette as the settings describe it, or to a simulated one."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import NamedTuple

import structlog
from yarl import URL

from exporter import __version__
from exporter.metrics.telemetry import Telemetry
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

REMEMBERED_FAULTS = 10_000
"""How many unreadable values are logged; further ones are only counted."""

log = structlog.get_logger()


class FaultLog:
    """Counts the values of Palette's answers that cannot be read, and logs each of them once."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._seen: set[Fault] = set()

    def __call__(self, fault: Fault) -> None:
        """Record a value that could not be read."""
        self._telemetry.decode_error(fault.field)
        if fault in self._seen or len(self._seen) >= REMEMBERED_FAULTS:
            return
        self._seen.add(fault)
        log.warning("unreadable value", field=fault.field, where=fault.where, problem=fault.problem)


class _Read(NamedTuple):
    """What the files that settings name contained; files: digests of those of TLS."""

    url: str
    credential: Credential
    tls: Tls
    files: tuple[bytes, ...]
    context: SSLContext


class Client(NamedTuple):
    """The calls of Palette, and what sends them."""

    session: Session
    budget: Budget
    transport: Transport
    palette: Palette


@dataclass(slots=True, kw_only=True)
class Connection:
    """The client of Palette, which uses the settings as they are now; needs a running loop.

    report: called with each value that could not be read; monotonic: seconds.
    """

    observer: Observer
    report: Callable[[Fault], None]
    monotonic: Callable[[], float]
    _last: _Read | None = field(default=None, init=False)
    _client: Client | None = field(default=None, init=False)

    @property
    def client(self) -> Client:
        """The client; there is one once settings were prepared."""
        assert self._client
        return self._client

    async def prepare(self, settings: Settings) -> Commit:
        """Read the files that the settings name; they count from the next request on.

        Raises SettingsError.
        """
        read = await asyncio.to_thread(self._read, settings)
        limits = settings.palette.requests_per_second, settings.palette.burst
        access = self._access(settings, read)
        client = self._client = self._client or self._new_client(access, Budget(*limits))

        def commit() -> None:
            last, self._last = self._last, read
            if last is None or (read.url, read.tls) != (last.url, last.tls):
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

    def _read(self, settings: Settings) -> _Read:
        palette, last = settings.palette, self._last
        files = palette.tls.digests()
        # The context is kept while its files are the same, because its connections are then, too.
        same = last and (last.tls, last.files) == (palette.tls, files)
        context = last.context if last and same else palette.tls_context()
        return _Read(palette.url, palette.credential(), palette.tls, files, context)

    def _new_client(self, access: Access, budget: Budget) -> Client:
        session = Session(USER_AGENT, clock=self.monotonic)
        transport = Transport(session, access, budget, self.observer, clock=self.monotonic)
        return Client(session, budget, transport, Palette(transport, self.report))

    def _access(self, settings: Settings, read: _Read) -> Access:
        palette, last = settings.palette, self._last
        same = last and (read.url, read.credential) == (last.url, last.credential)
        # A credential that stays keeps its token, but shows it to no other Palette.
        kept = self.client.transport.access.credential if same else None
        return Access(
            base_url=palette.url,
            credential=kept or from_settings.credential(settings, read.credential, self.monotonic),
            timeout=palette.timeout,
            ssl=read.context,
            proxy=palette.proxy_url.get_secret_value() if palette.proxy_url else None,
        )


def warn_of_dangers(settings: Settings) -> None:
    """Log what is dangerous about the connection to Palette."""
    url = URL(settings.palette.url)
    if url.scheme == "http" and url.host not in LOOPBACK:
        log.warning("the credential travels unencrypted", palette=settings.palette.url)
    if settings.palette.tls.insecure_skip_verify:
        log.warning("Palette's certificate is not verified", palette=settings.palette.url)


@asynccontextmanager
async def simulated() -> AsyncIterator[Callable[[Settings], Settings]]:
    """Run a simulated Palette and yield what points settings at it."""
    # Here rather than at the top: only --demo needs it.
    from exporter.demo.api import API_KEY, DemoPalette
    from exporter.demo.world import World

    async with DemoPalette(World.demo(now=time.time())) as palette:
        yield lambda settings: settings.with_demo(url=palette.url, api_key=API_KEY)
