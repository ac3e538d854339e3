"""Builds everything from Settings, wires it, runs it and stops it."""

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import structlog
from yarl import URL

from exporter import __version__, from_settings, revision
from exporter.connection import connect
from exporter.discovery import Discovery
from exporter.flight import Flights
from exporter.metrics.exposition import Renderer
from exporter.metrics.rollup import Objective
from exporter.metrics.telemetry import Telemetry
from exporter.palette.client import Palette
from exporter.palette.directory import Directory
from exporter.palette.wire import Fault
from exporter.probing import Prober, Question
from exporter.reading import Reading
from exporter.refresh import Clock, Refresher, Surroundings
from exporter.settings import Settings
from exporter.simulation import simulated
from exporter.store import Store
from exporter.targets import ClusterTargets, Share, by_cluster, expired
from exporter.web.app import Protection, create_app, served
from exporter.web.door import Doorkeeper
from exporter.web.gate import Gate
from exporter.web.handlers import Handlers
from exporter.web.probe import ProbeHandler, Probing
from exporter.web.rendered import Rendered, Rendering
from exporter.web.scrapes import Scrapes
from exporter.web.status.board import Boards
from exporter.web.status.handlers import StatusHandlers
from exporter.web.status.pages import Pages

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

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


async def run(settings: Settings, *, demo: bool = False, clock: Clock | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    demo: read a simulated Palette inside this process.
    Raises ListenError where the listen address cannot be had.
    """
    stop = asyncio.Event()
    _stop_on_signals(stop)
    async with AsyncExitStack() as stack:
        if demo:
            settings = await stack.enter_async_context(simulated(settings))
        exporter = await _start(settings, clock or Clock(), stack)
        async with asyncio.TaskGroup() as tasks:
            refreshing = tasks.create_task(exporter.run(), name="refresh")
            await stop.wait()
            log.info("stopping")
            refreshing.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """All that runs: the loops of the clusters, and what finds more of these."""

    refresher: Refresher
    discovery: Discovery | None
    configured: tuple[ClusterTargets, ...]

    @property
    def ready(self) -> bool:
        """Whether clusters were looked for, and each one's first refresh has ended."""
        return (self.discovery is None or self.discovery.ended) and self.refresher.ready

    async def run(self) -> None:
        """Refresh, and discover; ends only when cancelled."""
        async with asyncio.TaskGroup() as group:
            if self.discovery:
                group.create_task(self.discovery.run(self.refresher, group), name="discovery")
            self.refresher.apply(self.configured, group)


async def _start(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Exporter:
    """Build everything, begin to listen, and return what remains to be run."""
    telemetry = Telemetry(version=__version__, revision=revision(), now=clock.wall())
    telemetry.sharing(settings.shard.index, settings.shard.total)
    store = _store(settings, clock)
    shared = await _surroundings(settings, clock, store, telemetry, stack)
    configured = by_cluster(from_settings.targets(settings))
    exporter = Exporter(
        refresher=Refresher(shared),
        discovery=_discovery(settings, shared, configured),
        configured=configured,
    )
    handlers = Handlers(
        scrapes=Scrapes(store, telemetry, clock.wall),
        ready=lambda: exporter.ready,
        telemetry_path=settings.web.telemetry_path,
    )
    status = StatusHandlers(
        store=store,
        known=lambda: exporter.refresher.clusters,
        ready=lambda: exporter.ready,
        configuration=settings.effective_yaml,
        wall=clock.wall,
        version=__version__,
        # Beside the event loop: templates are compiled first.
        pages=await asyncio.to_thread(
            Pages, version=__version__, telemetry_path=settings.web.telemetry_path
        ),
    )
    probing = await _probing(settings, shared, exporter.refresher, stack)
    probe = ProbeHandler(probing=lambda: probing, wall=clock.wall)
    protection = Protection(
        keeper=Doorkeeper(partial(from_settings.door, settings)),
        gate=Gate(settings.web.max_requests),
    )
    app = create_app(handlers, probe, status, protection)
    addresses = await stack.enter_async_context(served(app, protection, *settings.web.address))
    _announce(settings, addresses)
    return exporter


async def _probing(
    settings: Settings, shared: Surroundings, refresher: Refresher, stack: AsyncExitStack
) -> Probing:
    flights = await stack.enter_async_context(Flights[Question, Reading]())
    return Probing(
        enabled=settings.probe.enabled,
        allow_unconfigured=settings.probe.allow_unconfigured,
        project_uid=shared.project_uid,
        cluster=refresher.cluster,
        prober=Prober(palette=shared.palette, monotonic=shared.clock.monotonic, flights=flights),
        render=_renderer(settings),
    )


def _discovery(
    settings: Settings, shared: Surroundings, configured: tuple[ClusterTargets, ...]
) -> Discovery | None:
    wanted = settings.discovery
    if not wanted.enabled:
        return None
    return Discovery(
        directory=shared.directory,
        telemetry=shared.telemetry,
        clock=shared.clock,
        interval=wanted.interval,
        retry_for=shared.retry_for,
        project_uid=shared.project_uid,
        clusters=from_settings.names(wanted.clusters, wanted.exclude_clusters),
        namespaces=from_settings.names(wanted.namespaces, wanted.exclude_namespaces),
        configured=configured,
    )


def _store(settings: Settings, clock: Clock) -> Store[Rendered]:
    return Store(
        render=Rendering(_renderer(settings), Boards(_objectives(settings))),
        expire=partial(expired, stale_after=settings.refresh.stale_after),
        monotonic=clock.monotonic,
    )


def _renderer(settings: Settings) -> Renderer:
    return Renderer(_objectives(settings))


def _objectives(settings: Settings) -> list[Objective]:
    return [from_settings.objective(each) for each in settings.objectives]


async def _surroundings(
    settings: Settings,
    clock: Clock,
    store: Store[Rendered],
    telemetry: Telemetry,
    stack: AsyncExitStack,
) -> Surroundings:
    transport = await connect(settings, telemetry, clock.monotonic, stack)
    palette = Palette(transport, FaultLog(telemetry))
    interval = settings.refresh.interval
    return Surroundings(
        palette=palette,
        directory=Directory(palette, clock=clock.monotonic, ask_again_after=interval / 2),
        store=store,
        telemetry=telemetry,
        clock=clock,
        interval=interval,
        stale_after=settings.refresh.stale_after,
        rate=settings.palette.requests_per_second,
        project_uid=settings.palette.project_uid or "",
        share=Share(settings.shard.index, settings.shard.total),
    )


def _announce(settings: Settings, addresses: list[tuple[str, int]]) -> None:
    """Say in one line what is going to happen, and warn of what is dangerous."""
    log.info(
        "starting",
        version=__version__,
        listen=" ".join(f"{address[0]}:{address[1]}" for address in addresses),
        palette=settings.palette.url,
        targets=len(settings.targets),
        discovery=settings.discovery.enabled,
        objectives=len(settings.objectives),
        shard=f"{settings.shard.index} of {settings.shard.total}",
        interval_seconds=settings.refresh.interval,
    )
    url = URL(settings.palette.url)
    if url.scheme == "http" and url.host not in LOOPBACK:
        log.warning("the credential travels unencrypted", palette=settings.palette.url)
    if settings.palette.tls.insecure_skip_verify:
        log.warning("Palette's certificate is not verified", palette=settings.palette.url)


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Set stop on the first signal; the second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def stopping() -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping)
