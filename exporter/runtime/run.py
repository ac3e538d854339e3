"""Builds the exporter from Settings, runs it, reloads it and stops it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from exporter import __version__, revision
from exporter.clock import Clock
from exporter.cooperative import TimeSlices
from exporter.metrics.telemetry import Telemetry
from exporter.runtime.connection import Connection, FaultLog, simulated
from exporter.runtime.fleet import Fleet
from exporter.runtime.parts import Probes, Process, Publication
from exporter.runtime.reload import Reloadable, Reloader
from exporter.runtime.signals import Signals
from exporter.runtime.web_config import WebConfigLoader
from exporter.settings import Settings
from exporter.settings.source import SettingsSource
from exporter.web.app import Guard, create_app, served
from exporter.web.handlers import Handlers
from exporter.web.probe import ProbeHandler
from exporter.web.reload import ReloadHandler
from exporter.web.scrapes import Scrapes
from exporter.web.status.handlers import StatusHandlers
from exporter.web.status.project import Facts

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Exporter:
    """All parts of a running exporter.

    source: of the settings; reload_requested: set by a request that does not wait for the outcome.
    """

    source: SettingsSource
    clock: Clock
    reload_requested: asyncio.Event
    telemetry: Telemetry = field(init=False)
    connection: Connection = field(init=False)
    publication: Publication = field(init=False)
    fleet: Fleet = field(init=False)
    probes: Probes = field(init=False)
    web_config: WebConfigLoader = field(default_factory=WebConfigLoader, init=False)
    reloader: Reloader = field(init=False)
    slices: TimeSlices = field(default_factory=TimeSlices, init=False)
    page: str = field(default="", init=False)

    def __post_init__(self) -> None:
        clock = self.clock
        telemetry = Telemetry(version=__version__, revision=revision(), now=clock.wall())
        self.telemetry, self.publication = telemetry, Publication(clock)
        self.connection = Connection(
            observer=telemetry, report=FaultLog(telemetry), monotonic=clock.monotonic
        )
        self.fleet = Fleet(
            connection=self.connection,
            store=self.publication.store,
            telemetry=telemetry,
            clock=clock,
            slices=self.slices,
        )
        self.probes = Probes(
            connection=self.connection, clock=clock, cluster=self.fleet.loops.cluster
        )

    async def start(self, settings: Settings, stack: AsyncExitStack) -> None:
        """Apply the settings and begin to listen; stack: closes everything.

        The start is the first reload: each part gets its settings from there. Raises ListenError,
        and SettingsError.
        """
        stack.push_async_callback(self.connection.close)
        self.reloader = Reloader(
            read=self.source.read,
            parts=self._parts(settings),
            telemetry=self.telemetry,
            wall=self.clock.wall,
            requested=self.reload_requested,
        )
        await self.reloader.apply(settings)
        guard = Guard(
            config=lambda: self.web_config.current, login_failed=self.telemetry.login_failed
        )
        app = self._app(settings.web.telemetry_path, guard)
        addresses = await stack.enter_async_context(served(app, guard, *settings.web.address))
        self.page = _page(addresses[0], tls=guard.config().context is not None)
        _announce(settings, addresses, self.page)

    def _parts(self, settings: Settings) -> Sequence[Reloadable]:
        # Publication comes last: what is published while others prepare has to be rendered too.
        return (
            Process(settings, self.source.config_file),
            self.connection,
            self.fleet,
            self.probes,
            self.web_config,
            self.publication,
        )

    def _app(self, path: str, guard: Guard) -> web.Application:
        fleet, publication, reloader = self.fleet, self.publication, self.reloader
        wall, slices, started = self.clock.wall, self.slices, self.clock.wall()
        return create_app(
            Handlers(
                scrapes=Scrapes(
                    publication.store, self.telemetry, wall, lambda: publication.scrape_options
                ),
                ready=lambda: fleet.ready,
                telemetry_path=path,
                slices=slices,
            ),
            ProbeHandler(probing=lambda: self.probes.probing, wall=wall, slices=slices),
            StatusHandlers(
                facts=lambda: self._facts(started),
                wall=wall,
                secrets=lambda: fleet.connection.client.transport.access.secrets(),
                configuration=lambda: reloader.settings.effective_yaml(),
                version=__version__,
                telemetry_path=path,
            ),
            ReloadHandler(reload=reloader.reload, enabled=lambda: guard.config().enable_lifecycle),
            guard,
        )

    def _facts(self, started: float) -> Facts:
        """Return what the status page is made from; started: seconds since the epoch."""
        fleet, render = self.fleet, self.publication.scrape_options.render
        context = fleet.plan.context
        return Facts(
            published=self.publication.store.view(),
            known=fleet.loops.clusters,
            objectives=render.objectives,
            owner_label=render.owner_label,
            discovery=fleet.discovery.state if fleet.discovery else None,
            ready=fleet.ready,
            version=__version__,
            shard=(context.share.ordinal, context.share.total),
            reload_error=self.reloader.refused,
            round_seconds=fleet.loops.requests / context.rate,
            interval=context.interval,
            rate_in_use=fleet.connection.client.budget.rate_in_use(),
            started=started,
            now=self.clock.wall(),
        )

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
            if self.source.watch:
                changed = self.reload_requested.set
                group.create_task(self.source.watch.run(changed, self.clock), name="watch")

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
            exporter = Exporter(
                source=source, clock=clock or Clock(), reload_requested=reload_requested
            )
            await exporter.start(settings, stack)
            await exporter.run(demo=demo)
    except asyncio.CancelledError:
        if not stopped:
            raise


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
