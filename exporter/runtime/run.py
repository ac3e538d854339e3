"""Builds the exporter from Settings, runs it, reloads it and stops it."""

import asyncio
import gc
import sys
from contextlib import AsyncExitStack
from functools import partial

import structlog
from aiohttp import web

from exporter import __version__, revision
from exporter.clock import Clock
from exporter.cooperative import TimeSlices
from exporter.metrics.exposition import Renderer
from exporter.metrics.telemetry import Telemetry
from exporter.refresh.cluster import RefreshContext
from exporter.refresh.fleet import Fleet
from exporter.refresh.probe import Prober
from exporter.runtime.connection import Connection, FaultLog, simulated
from exporter.runtime.parts import Process, Publication, prepare_fleet, return_memory
from exporter.runtime.reload import Reloader
from exporter.runtime.signals import Signals
from exporter.runtime.web_config import WebConfigLoader
from exporter.settings import Settings
from exporter.settings.source import SettingsSource
from exporter.web.app import create_app, served
from exporter.web.handlers import Handlers, Scrapes
from exporter.web.probe import ProbeHandler
from exporter.web.status.handlers import StatusHandlers
from exporter.web.status.pages import compile_templates
from exporter.web.status.project import Facts
from exporter.web.status.views import ExporterView
from exporter.web.status.words import moment

log = structlog.get_logger()


class Exporter:
    """All parts of a running exporter.

    source: of the settings; reload_requested: set by a request that does not wait for the outcome.
    """

    def __init__(
        self, source: SettingsSource, clock: Clock, reload_requested: asyncio.Event
    ) -> None:
        self.source = source
        self.clock = clock
        self.slices = TimeSlices()
        self.telemetry = Telemetry(version=__version__, revision=revision(), now=clock.wall())
        self.connection = Connection(self.telemetry, FaultLog(self.telemetry), clock.monotonic)
        self.prober = Prober(palette=self.connection.palette, monotonic=clock.monotonic)
        self.publication = Publication(clock, self.slices)
        self.fleet = Fleet(
            RefreshContext(
                palette=self.connection.palette,
                directory=self.connection.directory,
                store=self.publication.store,
                telemetry=self.telemetry,
                clock=clock,
                slices=self.slices,
            )
        )
        self.web_config = WebConfigLoader()
        self.page = ""
        self._started = moment(clock.wall())
        self.reloader = Reloader(
            read=source.read, telemetry=self.telemetry, wall=clock.wall, requested=reload_requested
        )
        self.status = StatusHandlers(
            facts=self._facts,
            wall=clock.wall,
            secrets=lambda: self.connection.access.secrets(),
            configuration=lambda: self.reloader.settings.effective_yaml(),
            version=__version__,
            telemetry_path=lambda: self.reloader.settings.web.telemetry_path,
        )

    async def start(self, settings: Settings, stack: AsyncExitStack) -> None:
        """Apply the settings and begin to listen; stack: closes everything.

        The start is the first reload: each part gets its settings from there. Raises ListenError,
        and SettingsError.
        """
        compile_templates()
        stack.push_async_callback(self.connection.close)
        # Publication comes last: what is published while others prepare has to be rendered too.
        self.reloader.parts = (
            Process(settings, self.source.config_file).prepare,
            self.connection.prepare,
            partial(prepare_fleet, self.fleet),
            self.web_config.prepare,
            self.publication.prepare,
        )
        await self.reloader.apply(settings)
        app = self._app(settings.web.telemetry_path)
        serving = served(app, lambda: self.web_config.current, *settings.web.address)
        addresses = await stack.enter_async_context(serving)
        self.page = _page(addresses[0], tls=self.web_config.current.context is not None)
        _announce(settings, addresses, self.page)

    def _app(self, path: str) -> web.Application:
        publication, wall = self.publication, self.clock.wall
        scrapes = Scrapes(publication.store, self.telemetry, wall, lambda: publication.options)
        return create_app(
            Handlers(
                scrapes=scrapes,
                ready=lambda: self.fleet.ready,
                reload=self.reloader.reload,
                reload_enabled=lambda: self.web_config.current.enable_lifecycle,
                telemetry_path=path,
                slices=self.slices,
            ),
            lambda request: self._probe_handler().probe(request),
            self.status,
            config=lambda: self.web_config.current,
            login_failed=self.telemetry.login_failed,
        )

    def _probe_handler(self) -> ProbeHandler:
        settings = self.reloader.settings
        return ProbeHandler(
            enabled=settings.probe.enabled,
            allow_unconfigured=settings.probe.allow_unconfigured,
            project_uid=settings.palette.project_uid or "",
            cluster=self.fleet.cluster,
            prober=self.prober,
            render=Renderer(self.publication.options),
            wall=self.clock.wall,
            slices=self.slices,
        )

    def _facts(self) -> Facts:
        """Return what the status page is made from."""
        fleet, render = self.fleet, self.publication.options
        context = fleet.context
        return Facts(
            published=self.publication.store.view(),
            known=fleet.clusters,
            objectives=render.objectives,
            owner_label=render.owner_label,
            discovery=fleet.discovery.state if fleet.discovery else None,
            ready=fleet.ready,
            exporter=ExporterView(
                version=__version__,
                started=self._started,
                shard=context.share.ordinal,
                shards=context.share.total,
                reload_error=self.reloader.refused or None,
                round_seconds=fleet.round_seconds,
                interval_seconds=context.interval,
                rate_in_use=self.connection.budget.rate_in_use(),
            ),
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
            group.create_task(self.status.run(), name="status")
            group.create_task(return_memory(), name="memory")
            if self.source.watch:
                changed = self.reloader.requested.set
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
    Raises ListenError, SettingsError where a file has become unusable since it was loaded, and any
    fault of our own.
    """
    sys.setswitchinterval(0.001)  # while a thread works, the event loop waits for 1 ms, not 5
    gc.freeze()  # modules, which no pass of the garbage collector has to visit
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
            exporter = Exporter(source, clock or Clock(), reload_requested)
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
