"""One round of the real reader without a server, for the live check and the report."""

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from exporter import __version__, revision
from exporter.check.round import Discovered, Round
from exporter.clock import Clock
from exporter.metrics.telemetry import Telemetry
from exporter.palette.client import Palette
from exporter.palette.errors import PaletteError
from exporter.palette.wire import Fault
from exporter.refresh.cluster import ClusterRefresh, Surroundings
from exporter.refresh.targets import ClusterTargets, by_cluster
from exporter.runtime import from_settings
from exporter.runtime.connection import connect
from exporter.runtime.demo import simulated
from exporter.runtime.fleet import _search, surroundings
from exporter.settings import Settings
from exporter.snapshot import ClusterState, Unread
from exporter.store import Store

PATIENCE = 5.0
"""Seconds for which a request is retried: somebody waits at a terminal."""

Progress = Callable[[int, int], object]
"""Called with the number of clusters that were read, and of all."""


class _Tally(Telemetry):
    """Telemetry that nobody scrapes, which counts requests."""

    requests = 0

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        self.requests += 1


async def read_once(
    settings: Settings, *, demo: bool = False, progress: Progress = lambda done, total: None
) -> Round:
    """Read every cluster of this shard once.

    demo: read a simulated Palette inside this process.
    Raises nothing that Palette can cause; SettingsError where a file that settings name has
    changed since.
    """
    async with AsyncExitStack() as stack:
        if demo:
            settings = (await stack.enter_async_context(simulated()))(settings)
        return await _read(settings, stack, progress)


async def _read(settings: Settings, stack: AsyncExitStack, progress: Progress) -> Round:
    tally, faults = _Tally(version=__version__, revision=revision(), now=time.time()), set[Fault]()
    connection = await connect(settings, tally, time.monotonic, stack)
    context = replace(
        surroundings(
            settings,
            palette=Palette(connection.transport, faults.add),
            store=Store(
                render=_unrendered, expire=lambda state, now: state, monotonic=time.monotonic
            ),
            telemetry=tally,
            clock=Clock(),
        ),
        interval=PATIENCE,
    )
    targets = from_settings.targets(settings)
    wanted, discovery = await _discover(settings, context, by_cluster(targets))
    ours = [each for each in wanted if each.uid in context.share]
    states = await _states(ours, context, progress)
    return Round(
        targets=targets,
        objectives=tuple(map(from_settings.objective, settings.objectives)),
        clusters=tuple(zip(ours, states, strict=True)),
        discovery=discovery,
        requests=tally.requests,
        unreadable=sorted(f"{each.where}: {each.field} {each.problem}" for each in faults),
        sharded=settings.shard.total > 1,
        now=time.time(),
    )


async def _discover(
    settings: Settings, context: Surroundings, configured: tuple[ClusterTargets, ...]
) -> tuple[tuple[ClusterTargets, ...], Discovered | Unread | None]:
    if not settings.discovery.enabled:
        return configured, None
    search = _search(settings, context, configured)
    try:
        found = await search.directory.ask(search.project_uid, retry_for=search.retry_for)
    except PaletteError as error:
        return configured, Unread(error.reason, str(error), type(error).__name__)
    selected = sum(cluster.name in search.clusters for cluster in found)
    return search.wanted(found), Discovered(len(found), selected)


async def _states(
    wanted: Sequence[ClusterTargets], context: Surroundings, progress: Progress
) -> list[ClusterState]:
    done = 0

    async def read(targets: ClusterTargets) -> ClusterState:
        nonlocal done
        cluster = ClusterRefresh(targets, context)
        await cluster.refresh()
        done += 1
        progress(done, len(wanted))
        return context.store.get(targets.uid) or ClusterState(cluster=cluster.cluster, up=False)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(targets)) for targets in wanted]
    return [task.result() for task in tasks]


def _unrendered(state: ClusterState, last: None) -> Generator[None, None, None]:
    yield from ()
