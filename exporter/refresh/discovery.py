"""Finds the clusters that run virtual machines, again and again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from exporter.clock import Clock, Rest
from exporter.metrics.telemetry import Telemetry
from exporter.palette.cluster_directory import ClusterDirectory
from exporter.palette.errors import PaletteError
from exporter.refresh.targets import ClusterTargets, Names, with_discovered
from exporter.snapshot import Cluster

log = structlog.get_logger()

Apply = Callable[[Sequence[ClusterTargets]], None]
"""Told which clusters are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for, and where.

    interval, retry_for: seconds; clusters, namespaces: the names that are wanted.
    project_uid: the scope to look in; "" is the tenant.
    configured: the clusters that are wanted anyway.
    """

    directory: ClusterDirectory
    interval: float
    retry_for: float
    project_uid: str
    clusters: Names
    namespaces: Names
    configured: Sequence[ClusterTargets]

    def wanted(self, found: Sequence[Cluster]) -> tuple[ClusterTargets, ...]:
        """Add those of the clusters that were found that are looked for."""
        chosen = (cluster for cluster in found if cluster.name in self.clusters)
        return with_discovered(self.configured, chosen, self.namespaces)


class Discovery:
    """Adds what Palette's dashboard lists to the configured clusters.

    ended: whether the first attempt has, well or badly.
    """

    def __init__(self, search: Search, telemetry: Telemetry, clock: Clock) -> None:
        self.ended = False
        self._search = search
        self._telemetry = telemetry
        self._clock = clock
        self._rest = Rest(clock)
        self._found: tuple[Cluster, ...] = ()
        self._failing = ""
        self._looked_at = 0.0
        self._overdue = True

    @property
    def wanted(self) -> tuple[ClusterTargets, ...]:
        """The clusters that are wanted, by what was found the last time."""
        return self._search.wanted(self._found)

    def adopt(self, search: Search) -> None:
        """Look for something else; the next look is due."""
        self._search = search
        self._overdue = True
        self._rest.disturb()

    async def run(self, apply: Apply) -> None:
        """Look every interval; ends only when cancelled."""
        while True:
            self._looked_at, self._overdue = self._clock.monotonic(), False
            await self.look(apply)
            await self._rest.until(self._due)

    def _due(self) -> float:
        return self._looked_at if self._overdue else self._looked_at + self._search.interval

    async def look(self, apply: Apply) -> None:
        """Ask once, and hand on the clusters that are wanted; those known stay on a failure."""
        search = self._search
        try:
            found = await search.directory.ask(search.project_uid, retry_for=search.retry_for)
        except PaletteError as error:
            self._telemetry.discovery_failed()
            if error.reason != self._failing:
                log.warning("discovery failing", reason=error.reason, error=str(error))
            self._failing = error.reason
        else:
            self._telemetry.discovered(self._clock.wall())
            if self._failing:
                log.info("discovery recovered")
            self._failing = ""
            self._found = found
            apply(self.wanted)
        self.ended = True
