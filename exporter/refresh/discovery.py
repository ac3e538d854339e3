"""Finds the clusters that run virtual machines, again and again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from exporter.clock import Clock, Rest
from exporter.metrics.telemetry import Telemetry
from exporter.palette.cluster_directory import ClusterDirectory
from exporter.palette.errors import PaletteError
from exporter.refresh.targets import ClusterTargets, Names, with_discovered
from exporter.snapshot import Cluster, Unread

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryState:
    """What the attempts so far amount to; times are seconds since the epoch.

    up: whether the last attempt succeeded; None before the first one has ended.
    last_failure: why an attempt failed last, and when.
    found, selected: the clusters that Palette listed last, and those of them that are read.
    """

    up: bool | None = None
    last_success: float | None = None
    last_failure: tuple[Unread, float] | None = None
    found: int = 0
    selected: int = 0


class Discovery:
    """Adds what Palette's dashboard lists to the configured clusters.

    state: what the attempts so far amount to.
    """

    def __init__(self, search: Search, telemetry: Telemetry, clock: Clock) -> None:
        self.state = DiscoveryState()
        self._search = search
        self._telemetry = telemetry
        self._clock = clock
        self._rest = Rest(clock)
        self._found: tuple[Cluster, ...] = ()
        self._failing = ""
        self._looked_at = 0.0
        self._overdue = True

    @property
    def ended(self) -> bool:
        """Whether the first attempt has ended, well or badly."""
        return self.state.up is not None

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
            failure = Unread(error.reason, str(error)), self._clock.wall()
            self.state = replace(self.state, up=False, last_failure=failure)
        else:
            self._telemetry.discovered(self._clock.wall())
            if self._failing:
                log.info("discovery recovered")
            self._failing = ""
            self._found = found
            self.state = replace(
                self.state,
                up=True,
                last_success=self._clock.wall(),
                found=len(found),
                selected=sum(each.name in search.clusters for each in found),
            )
            apply(self.wanted)
