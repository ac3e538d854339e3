"""One round of the real reader without a server, for the live check and the report."""

import asyncio
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import uvloop

from exporter import __version__, revision
from exporter.check.round import Round
from exporter.clock import Clock
from exporter.metrics.telemetry import Telemetry
from exporter.palette.wire import Fault
from exporter.refresh.cluster import ClusterLoop, RefreshContext
from exporter.refresh.fleet import Fleet
from exporter.refresh.targets import ClusterTargets
from exporter.runtime.connection import Connection, simulated
from exporter.runtime.logs import configure
from exporter.runtime.parts import objective, prepare_fleet, targets
from exporter.settings import Settings
from exporter.snapshot import ClusterState
from exporter.store import Store

PATIENCE = 5.0  # seconds for which a request is retried: a user waits at a terminal


class _Tally(Telemetry):
    """Telemetry that is not scraped; it counts requests."""

    requests = 0

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        self.requests += 1


def run_once(settings: Settings, *, demo: bool) -> Round:
    """Do what ``read_once`` does, for a command without an event loop."""
    # What is printed has every failure.
    configure(level="error", log_format=settings.log.format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(read_once(settings, demo=demo))


async def read_once(settings: Settings, *, demo: bool = False) -> Round:
    """Read every cluster of this shard once, and show the progress on a terminal.

    demo: read a simulated Palette inside this process.
    Raises nothing that Palette can cause; SettingsError where a file of the settings has changed.
    """
    async with AsyncExitStack() as stack:
        if demo:
            settings = (await stack.enter_async_context(simulated()))(settings)
        return await _read(settings, stack)


async def _read(settings: Settings, stack: AsyncExitStack) -> Round:
    tally, faults = _Tally(version=__version__, revision=revision(), now=time.time()), set[Fault]()
    clock = Clock()
    connection = Connection(tally, faults.add, clock.monotonic)
    stack.push_async_callback(connection.close)
    fleet = Fleet(
        RefreshContext(
            palette=connection.palette,
            directory=connection.directory,
            store=Store(
                render=_unrendered, expire=lambda state, now: state, monotonic=clock.monotonic
            ),
            telemetry=tally,
            clock=clock,
        )
    )
    (await connection.prepare(settings))()
    (await prepare_fleet(fleet, settings))()
    context = replace(fleet.context, interval=PATIENCE)
    discovery = fleet.discovery
    if discovery:
        await discovery.ask()
    wanted = fleet.wanted
    states = await _states(wanted, context)
    return Round(
        targets=targets(settings),
        objectives=tuple(map(objective, settings.objectives)),
        clusters=tuple(zip(wanted, states, strict=True)),
        discovery=discovery.state if discovery else None,
        requests=tally.requests,
        unreadable=sorted(f"{each.where}: {each.field} {each.problem}" for each in faults),
        sharded=settings.shard.total > 1,
        now=time.time(),
    )


async def _states(wanted: Sequence[ClusterTargets], context: RefreshContext) -> list[ClusterState]:
    done = 0

    async def read(targets: ClusterTargets) -> ClusterState:
        nonlocal done
        cluster = ClusterLoop(targets, context)
        await cluster.refresh()
        done += 1
        _show_progress(done, len(wanted))
        return context.store.get(targets.uid) or ClusterState(cluster=cluster.cluster, up=False)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(targets)) for targets in wanted]
    return [task.result() for task in tasks]


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\rRead {done:,} of {total:,} clusters", end=end, file=sys.stderr, flush=True)  # noqa: T201


def _unrendered(state: ClusterState, last: None) -> Generator[None, None, None]:
    yield from ()
