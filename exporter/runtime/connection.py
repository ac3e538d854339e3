"""The connection to Palette as the settings describe it, or to a simulated one."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from yarl import URL

from exporter import __version__
from exporter.metrics.telemetry import Telemetry
from exporter.palette import auth
from exporter.palette.budget import Budget
from exporter.palette.client import ClusterDirectory, Palette
from exporter.palette.request import Access
from exporter.palette.session import Session
from exporter.palette.transport import Observer, Transport
from exporter.palette.wire import Fault
from exporter.runtime.reload import Commit
from exporter.settings import Credential, Settings, Tls

USER_AGENT = f"palette-snapshot-exporter/{__version__}"

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

LOGIN_RETRY = 0.9  # part of the refresh interval after which a refused log-in is tried again
REMEMBERED_FAULTS = 10_000  # how many unreadable values are logged; further ones are only counted

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


class Connection:
    """The client of Palette; it sends nothing before settings were applied.

    report: called with each value that could not be read; monotonic: seconds.
    """

    def __init__(
        self, observer: Observer, report: Callable[[Fault], None], monotonic: Callable[[], float]
    ) -> None:
        self.budget = Budget(1, 1)
        self._monotonic = monotonic
        self._session = Session(USER_AGENT, clock=monotonic)
        unset = Access(base_url="", credential=auth.ApiKey("unset"), timeout=0)
        transport = Transport(self._session, unset, self.budget, observer, clock=monotonic)
        self.palette = Palette(transport, report)
        self.directory = ClusterDirectory(self.palette, monotonic)
        self._signs_in: tuple[str, Credential, float] | None = None
        self._warned_of: tuple[str, Tls] | None = None

    @property
    def access(self) -> Access:
        """How Palette is reached now."""
        return self.palette.transport.access

    async def prepare(self, settings: Settings) -> Commit:
        """Read the files that the settings name; they count from the next request on.

        Raises SettingsError.
        """
        palette = settings.palette
        given, context = await asyncio.to_thread(
            lambda: (palette.credential(), palette.tls_context())
        )
        retry_after = LOGIN_RETRY * settings.refresh.interval
        # A credential that stays keeps its token, but shows it to no other Palette.
        signs_in = palette.url, given, retry_after
        same = signs_in == self._signs_in
        access = Access(
            base_url=palette.url,
            credential=self.access.credential if same else self._credential(given, retry_after),
            timeout=palette.timeout,
            ssl=context,
            proxy=palette.proxy_url.get_secret_value() if palette.proxy_url else None,
        )

        def commit() -> None:
            if (palette.url, palette.tls) != self._warned_of:
                _warn_of_dangers(settings)
            self._warned_of, self._signs_in = (palette.url, palette.tls), signs_in
            self.palette.transport.access = access
            self.budget.adopt(palette.requests_per_second, palette.burst)

        return commit

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _credential(self, given: Credential, retry_after: float) -> auth.Credential:
        secret = given.secret.get_secret_value()
        if given.username is None:
            return auth.ApiKey(secret)
        return auth.Login(
            given.username, secret, given.org or "", retry_after=retry_after, clock=self._monotonic
        )


def _warn_of_dangers(settings: Settings) -> None:
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
