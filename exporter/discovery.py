"""Finds the clusters that run virtual machines, again and again."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from exporter.metrics.telemetry import Telemetry
from exporter.palette.directory import Directory
from exporter.palette.errors import PaletteError
from exporter.refresh import Clock, Refresher
from exporter.targets import ClusterTargets, Names, with_discovered

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Discovery:
    """Adds what Palette's dashboard lists to the configured clusters.

    interval: seconds; clusters, namespaces: the names that are wanted.
    project_uid: the scope to look in; "" is the tenant.
    ended: whether the first attempt has, well or badly.
    """

    directory: Directory
    telemetry: Telemetry
    clock: Clock
    interval: float
    retry_for: float
    project_uid: str
    clusters: Names
    namespaces: Names
    configured: Sequence[ClusterTargets]
    ended: bool = False
    _failing: str = field(default="", init=False)

    async def run(self, refresher: Refresher, group: asyncio.TaskGroup) -> None:
        """Look every interval; ends only when cancelled. group owns the clusters' loops."""
        while True:
            due = self.clock.monotonic() + self.interval
            await self.look(lambda wanted: refresher.apply(wanted, group))
            await self.clock.sleep(max(0.0, due - self.clock.monotonic()))

    async def look(self, apply: Callable[[Sequence[ClusterTargets]], None]) -> None:
        """Ask once, and hand on the clusters that are wanted; those known stay on a failure."""
        try:
            found = await self.directory.ask(self.project_uid, retry_for=self.retry_for)
        except PaletteError as error:
            self.telemetry.discovery_failed()
            if error.reason != self._failing:
                log.warning("discovery failing", reason=error.reason, error=str(error))
            self._failing = error.reason
        else:
            self.telemetry.discovered(self.clock.wall())
            if self._failing:
                log.info("discovery recovered")
            self._failing = ""
            wanted = [cluster for cluster in found if cluster.name in self.clusters]
            apply(with_discovered(self.configured, wanted, self.namespaces))
        self.ended = True
