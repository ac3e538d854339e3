"""Builds everything from Settings, wires it, runs it, reloads it and stops it."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog
from aiohttp import web

from exporter import __version__, revision
from exporter.clock import Clock
from exporter.cooperative import Turns
from exporter.metrics.telemetry import Telemetry
from exporter.palette.client import Palette
from exporter.palette.wire import Fault
from exporter.refresh.probe import Question
from exporter.refresh.reader import Reading
from exporter.runtime.connection import connect, warn_of_dangers
from exporter.runtime.demo import simulated
from exporter.runtime.fleet import Fleet, surroundings
from exporter.runtime.page import facts
from exporter.runtime.parts import Exposed, Fixed, LogLines, Probes, Publication
from exporter.runtime.reload import Reloader
from exporter.runtime.signals import Signals
from exporter.runtime.web_config import WebConfigLoader
from exporter.settings import Settings
from exporter.settings.source import Origin
from exporter.settings.watch import Watch
from exporter.single_flight import Flights
from exporter.web.app import Guard, create_app, served
from exporter.web.handlers import Handlers
from exporter.web.probe import ProbeHandler
from exporter.web.reload import ReloadHandler
from exporter.web.scrapes import Scrapes
from exporter.web.status.handlers import StatusHandlers

REMEMBERED_FAULTS = 10_000
"""How many unreadable values are told apart before they are only counted."""

log = structlog.get_logger()


class FaultLog:
    """Counts what could not be read of Palette's answers, and logs each such value once."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._seen: set[Fault] = set()

    def __call__(self, fault: Fault) -> None:
        """Take note of a value that could not be read."""
        self._telemetry.decode_error(fault.field)
        if fault in self._seen or len(self._seen) >= REMEMBERED_FAULTS:
            return
        self._seen.add(fault)
        log.warning("unreadable value", field=fault.field, where=fault.where, problem=fault.problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """All that runs beside what answers requests."""

    fleet: Fleet
    reloader: Reloader
    web_config: WebConfigLoader
    watch: Watch | None
    clock: Clock

    async def run(self) -> None:
        """Refresh, discover and reload; ends only when cancelled, or by a fault of our own."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.fleet.run(), name="fleet")
            group.create_task(self.reloader.run(), name="reload")
            group.create_task(self.web_config.run(), name="web config")
            if self.watch:
                changed = self.reloader.asked.set
                group.create_task(self.watch.run(changed, self.clock), name="watch")


async def run(
    settings: Settings,
    *,
    origin: Origin | None = None,
    demo: bool = False,
    clock: Clock | None = None,
    signals: Signals | None = None,
) -> None:
    """Serve until a signal tells to stop, or until cancelled.

    origin: by default, a reload keeps the settings and reads the files anew that they name.
    demo: read a simulated Palette inside this process.
    Raises ListenError where the listen address cannot be had, SettingsError where a file has
    changed for the worse since the settings were loaded, and whatever is a fault of our own.
    """
    serving, stopped, reload_asked = asyncio.current_task(), False, asyncio.Event()
    origin = origin or Origin(read=lambda: settings)

    def stop() -> None:
        nonlocal stopped
        log.info("stopping")
        stopped = True
        if serving:
            serving.cancel()

    if signals:
        signals.attach(asyncio.get_running_loop(), stop=stop, reload=reload_asked.set)
    try:
        async with AsyncExitStack() as stack:
            if demo:
                point = await stack.enter_async_context(simulated())
                settings, origin = point(settings), origin.pointed(point)
            exporter = await _start(settings, clock or Clock(), stack, origin, reload_asked)
            await exporter.run()
    except asyncio.CancelledError:
        if not stopped:
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """What there is before anybody can ask for it."""

    clock: Clock
    telemetry: Telemetry
    turns: Turns
    publication: Publication
    fleet: Fleet
    probes: Probes
    guard: Guard
    web_config: WebConfigLoader
    reloader: Reloader


async def _start(
    settings: Settings,
    clock: Clock,
    stack: AsyncExitStack,
    origin: Origin | None = None,
    reload_asked: asyncio.Event | None = None,
) -> Exporter:
    """Build everything, begin to listen, and return what remains to be run."""
    origin = origin or Origin(read=lambda: settings)
    built = await _built(settings, clock, stack, origin, reload_asked or asyncio.Event())
    app = _application(settings, built)
    addresses = await stack.enter_async_context(served(app, built.guard, *settings.web.address))
    _announce(settings, addresses)
    return Exporter(
        fleet=built.fleet,
        reloader=built.reloader,
        web_config=built.web_config,
        watch=origin.watch,
        clock=built.clock,
    )


async def _built(
    settings: Settings,
    clock: Clock,
    stack: AsyncExitStack,
    origin: Origin,
    reload_asked: asyncio.Event,
) -> _Built:
    telemetry = Telemetry(version=__version__, revision=revision(), now=clock.wall())
    telemetry.sharing(settings.shard.index, settings.shard.total)
    exposed = Exposed(origin.config_file)
    exposed.warn(settings)
    publication = Publication(settings, clock)
    connection = await connect(settings, telemetry, clock.monotonic, stack)
    palette = Palette(connection.transport, FaultLog(telemetry))
    shared = surroundings(
        settings, palette=palette, store=publication.store, telemetry=telemetry, clock=clock
    )
    fleet = Fleet(settings, shared)
    probes = Probes(
        palette=palette,
        clock=clock,
        cluster=fleet.refresher.cluster,
        flights=await stack.enter_async_context(Flights[Question, Reading]()),
    )
    probes.begin(settings)
    web_config = WebConfigLoader(settings=settings)
    guard = Guard(config=web_config.current, login_failed=telemetry.login_failed)
    # Publication comes last: what is published while others prepare is to be rendered too.
    parts = (
        Fixed(settings),
        connection,
        fleet,
        probes,
        web_config,
        LogLines(settings),
        exposed,
        publication,
    )
    return _Built(
        clock=clock,
        telemetry=telemetry,
        turns=shared.turns,
        publication=publication,
        fleet=fleet,
        probes=probes,
        guard=guard,
        web_config=web_config,
        reloader=Reloader(
            read=origin.read, parts=parts, telemetry=telemetry, wall=clock.wall, asked=reload_asked
        ),
    )


def _application(settings: Settings, built: _Built) -> web.Application:
    fleet, store, wall, turns = built.fleet, built.publication.store, built.clock.wall, built.turns
    path = settings.web.telemetry_path
    handlers = Handlers(
        scrapes=Scrapes(store, built.telemetry, wall),
        ready=lambda: fleet.ready,
        telemetry_path=path,
        turns=turns,
    )
    started = wall()
    status = StatusHandlers(
        facts=lambda: facts(built.publication, fleet, built.reloader, started=started),
        wall=wall,
        configuration=lambda: built.publication.settings.effective_yaml(),
        version=__version__,
        telemetry_path=path,
    )
    probe = ProbeHandler(probing=lambda: built.probes.probing, wall=wall, turns=turns)
    reload = ReloadHandler(
        reload=built.reloader.reload, enabled=lambda: built.guard.config().enable_lifecycle
    )
    return create_app(handlers, probe, status, reload, built.guard)


def _announce(settings: Settings, addresses: list[str]) -> None:
    """Say in one line what is going to happen, and warn of what is dangerous."""
    log.info(
        "starting",
        version=__version__,
        listen=" ".join(addresses),
        palette=settings.palette.url,
        targets=len(settings.targets),
        discovery=settings.discovery.enabled,
        objectives=len(settings.objectives),
        shard=f"{settings.shard.index} of {settings.shard.total}",
        interval_seconds=settings.refresh.interval,
    )
    warn_of_dangers(settings)
