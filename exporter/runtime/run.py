"""Builds the exporter from Settings, runs it, reloads it and stops it."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from exporter import __version__, revision
from exporter.clock import Clock
from exporter.cooperative import TimeSlices
from exporter.metrics.telemetry import Telemetry
from exporter.palette.wire import Fault
from exporter.runtime.connection import Connection
from exporter.runtime.demo import simulated
from exporter.runtime.fleet import Fleet
from exporter.runtime.page import facts
from exporter.runtime.parts import Fixed, Logs, Probes, Publication, SecretFiles
from exporter.runtime.reload import Reloader
from exporter.runtime.signals import Signals
from exporter.runtime.web_config import WebConfigLoader
from exporter.settings import Settings
from exporter.settings.source import SettingsSource
from exporter.settings.watch import Watch
from exporter.web.app import Guard, create_app, served
from exporter.web.handlers import Handlers
from exporter.web.probe import ProbeHandler
from exporter.web.reload import ReloadHandler
from exporter.web.scrapes import Scrapes
from exporter.web.status.handlers import StatusHandlers

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """Everything that runs next to the web server; page: the URL of the status page."""

    page: str
    fleet: Fleet
    reloader: Reloader
    web_config: WebConfigLoader
    watch: Watch | None
    clock: Clock

    async def run(self, *, demo: bool = False) -> None:
        """Refresh, discover and reload; ends only when cancelled, or by a fault of our own.

        demo: print where the status page is, once everything was read.
        """
        async with asyncio.TaskGroup() as group:
            if demo:
                group.create_task(self._print_page(), name="page")
            group.create_task(self.fleet.run(), name="fleet")
            group.create_task(self.reloader.run(), name="reload")
            group.create_task(self.web_config.run(), name="web config")
            if self.watch:
                changed = self.reloader.requested.set
                group.create_task(self.watch.run(changed, self.clock), name="watch")

    async def _print_page(self) -> None:
        while not self.fleet.ready:
            await self.clock.sleep(0.1)
        print(f"Status page: {self.page} (Ctrl-C to stop)", flush=True)  # noqa: T201


async def run(
    settings: Settings,
    *,
    source: SettingsSource | None = None,
    demo: bool = False,
    clock: Clock | None = None,
    signals: Signals | None = None,
) -> None:
    """Serve until a signal stops the exporter, or until cancelled.

    source: by default, a reload keeps the settings and reads the files again that they name.
    demo: read a simulated Palette inside this process.
    Raises ListenError where the exporter cannot listen, SettingsError where a file has become
    unusable since the settings were loaded, and any fault of our own.
    """
    serving, stopped, reload_requested = asyncio.current_task(), False, asyncio.Event()
    source = source or SettingsSource(read=lambda: settings)

    def stop() -> None:
        nonlocal stopped
        log.info("stopping")
        stopped = True
        if serving:
            serving.cancel()

    if signals:
        signals.attach(asyncio.get_running_loop(), stop=stop, reload=reload_requested.set)
    try:
        async with AsyncExitStack() as stack:
            if demo:
                point = await stack.enter_async_context(simulated())
                settings, source = point(settings), source.transformed(point)
            exporter = await start(settings, clock or Clock(), stack, source, reload_requested)
            await exporter.run(demo=demo)
    except asyncio.CancelledError:
        if not stopped:
            raise


async def start(
    settings: Settings,
    clock: Clock,
    stack: AsyncExitStack,
    source: SettingsSource,
    reload_requested: asyncio.Event,
) -> Exporter:
    """Build everything, apply the settings, begin to listen, and return what remains to be run.

    stack: closes it all. The start is the first reload: each part gets its settings from there.
    """
    telemetry = Telemetry(version=__version__, revision=revision(), now=clock.wall())
    slices = TimeSlices()
    connection = Connection(
        observer=telemetry, report=FaultLog(telemetry), monotonic=clock.monotonic
    )
    stack.push_async_callback(connection.close)
    publication = Publication(clock)
    fleet = Fleet(
        connection=connection,
        store=publication.store,
        telemetry=telemetry,
        clock=clock,
        slices=slices,
    )
    probes = Probes(connection=connection, clock=clock, cluster=fleet.loops.cluster)
    web_config = WebConfigLoader()
    guard = Guard(config=web_config.current, login_failed=telemetry.login_failed)
    # Publication comes last: what is published while others prepare is to be rendered too.
    parts = (
        Fixed(),
        connection,
        fleet,
        probes,
        web_config,
        Logs(settings.log),
        SecretFiles(source.config_file),
        publication,
    )
    reloader = Reloader(
        read=source.read,
        parts=parts,
        telemetry=telemetry,
        wall=clock.wall,
        requested=reload_requested,
    )
    await reloader.apply(settings)
    path, store, wall = settings.web.telemetry_path, publication.store, clock.wall
    started = wall()
    app = create_app(
        Handlers(
            scrapes=Scrapes(store, telemetry, wall, lambda: publication.scrape_options),
            ready=lambda: fleet.ready,
            telemetry_path=path,
            slices=slices,
        ),
        ProbeHandler(probing=lambda: probes.probing, wall=wall, slices=slices),
        StatusHandlers(
            facts=lambda: facts(publication, fleet, reloader, started=started),
            wall=wall,
            configuration=lambda: reloader.settings.effective_yaml(),
            version=__version__,
            telemetry_path=path,
        ),
        ReloadHandler(reload=reloader.reload, enabled=lambda: guard.config().enable_lifecycle),
        guard,
    )
    addresses = await stack.enter_async_context(served(app, guard, *settings.web.address))
    page = _page(addresses[0], tls=guard.config().context is not None)
    _announce(settings, addresses, page)
    return Exporter(
        page=page,
        fleet=fleet,
        reloader=reloader,
        web_config=web_config,
        watch=source.watch,
        clock=clock,
    )


def _page(address: str, *, tls: bool) -> str:
    """Return the URL of the status page for a browser on this machine."""
    host, _, port = address.rpartition(":")
    name = "localhost" if host in {"0.0.0.0", "[::]"} else host  # noqa: S104
    return f"{'https' if tls else 'http'}://{name}:{port}/"


def _announce(settings: Settings, addresses: list[str], page: str) -> None:
    """Log in one line what is going to happen, and where to look."""
    log.info(
        "starting",
        version=__version__,
        listen=" ".join(addresses),
        status_page=page,
        palette=settings.palette.url,
        targets=len(settings.targets),
        discovery=settings.discovery.enabled,
        objectives=len(settings.objectives),
        shard=f"{settings.shard.index} of {settings.shard.total}",
        interval_seconds=settings.refresh.interval,
    )
