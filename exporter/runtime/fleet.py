"""The clusters that are watched: the configured ones, and those that discovery finds."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from exporter.clock import Clock
from exporter.cooperative import TimeSlices
from exporter.metrics.telemetry import Telemetry
from exporter.palette.cluster_directory import ClusterDirectory
from exporter.refresh.cluster import RefreshContext
from exporter.refresh.clusters import ClusterLoops
from exporter.refresh.discovery import Discovery, Search
from exporter.refresh.targets import ClusterTargets, Share, by_cluster
from exporter.runtime import from_settings
from exporter.runtime.connection import Connection
from exporter.runtime.reload import Commit
from exporter.settings import Settings
from exporter.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """What settings want of the fleet; search: None where discovery is off."""

    context: RefreshContext
    configured: tuple[ClusterTargets, ...]
    search: Search | None


@dataclass(slots=True, kw_only=True)
class Fleet:
    """Runs the loops of the clusters, and discovery.

    discovery: None where it is off.
    """

    connection: Connection
    store: Store[Any]
    telemetry: Telemetry
    clock: Clock
    slices: TimeSlices
    plan: FleetPlan = field(init=False)
    loops: ClusterLoops = field(init=False)
    discovery: Discovery | None = field(default=None, init=False)
    _group: asyncio.TaskGroup | None = field(default=None, init=False)
    _discovering: asyncio.Task[None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.loops = ClusterLoops(self.clock)

    @property
    def ready(self) -> bool:
        """Whether discovery was tried, and each cluster's first refresh has ended."""
        return (self.discovery is None or self.discovery.ended) and self.loops.ready

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """The tasks that run; each sleeps on the clock between two runs of its work."""
        discovering = (self._discovering,) if self._discovering else ()
        return (*self.loops.tasks, *discovering)

    async def run(self) -> None:
        """Refresh, and discover; ends only when cancelled, or when one of the loops fails."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._apply()
            # Without a cluster, no task would keep it running.
            await asyncio.get_running_loop().create_future()

    async def prepare(self, settings: Settings) -> Commit:
        """Plan what to read; a cluster that stays keeps its loop."""
        # In a thread, because fleets of thousands of targets take their time.
        configured = await asyncio.to_thread(lambda: by_cluster(from_settings.targets(settings)))
        context = self._context(settings)
        search = from_settings.search(settings, context, configured)
        plan = FleetPlan(context=context, configured=configured, search=search)

        def commit() -> None:
            self.plan = plan
            self.telemetry.sharing(context.share.ordinal, context.share.total)
            self.telemetry.refreshing(context.interval)
            self._discover_by(search)
            self._apply()

        return commit

    def _context(self, settings: Settings) -> RefreshContext:
        palette, interval = self.connection.client.palette, settings.refresh.interval
        return RefreshContext(
            palette=palette,
            directory=ClusterDirectory(
                palette, clock=self.clock.monotonic, ask_again_after=interval / 2
            ),
            store=self.store,
            telemetry=self.telemetry,
            clock=self.clock,
            slices=self.slices,
            interval=interval,
            stale_after=settings.refresh.stale_after,
            rate=settings.palette.requests_per_second,
            project_uid=settings.palette.project_uid or "",
            share=Share(settings.shard.index, settings.shard.total),
        )

    def _discover_by(self, search: Search | None) -> None:
        if search is None:
            if self._discovering:
                self._discovering.cancel()
            self._discovering = self.discovery = None
            self.telemetry.no_discovery()
        elif self.discovery is None:
            self.discovery = Discovery(search, self.telemetry, self.clock)
        else:
            self.discovery.adopt(search)

    def _apply(self, *, discovered: bool = False) -> None:
        """Have the wanted clusters refreshed, once the fleet runs."""
        if self._group is None:
            return
        wanted = self.plan.configured
        if self.discovery:
            wanted = self.discovery.wanted
            if self._discovering is None:
                discovering = self.discovery.run(lambda: self._apply(discovered=True))
                self._discovering = self._group.create_task(discovering, name="discovery")
        self.loops.apply(wanted, self.plan.context, self._group, discovered=discovered)
