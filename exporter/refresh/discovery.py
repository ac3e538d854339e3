"""Discovers the clusters that run virtual machines, every interval."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from exporter.clock import Alarm, Clock
from exporter.metrics.telemetry import Telemetry
from exporter.palette.cluster_directory import ClusterDirectory
from exporter.palette.errors import PaletteError
from exporter.refresh.log import Transitions
from exporter.refresh.reader import unread
from exporter.refresh.targets import ClusterTargets, Names, with_discovered
from exporter.snapshot import Cluster, Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Where to discover clusters, and which.

    interval, retry_for: seconds; clusters, namespaces: the names that are wanted.
    project_uid: the scope to ask; "" is the tenant.
    configured: the clusters that are wanted in any case.
    """

    directory: ClusterDirectory
    interval: float
    retry_for: float
    project_uid: str
    clusters: Names
    namespaces: Names
    configured: Sequence[ClusterTargets]

    def selected(self, found: Sequence[Cluster]) -> tuple[Cluster, ...]:
        """Return the clusters of the dashboard whose names are wanted."""
        return tuple(cluster for cluster in found if cluster.name in self.clusters)

    def wanted(self, found: Sequence[Cluster]) -> tuple[ClusterTargets, ...]:
        """Return the configured clusters and the selected ones."""
        return with_discovered(self.configured, self.selected(found), self.namespaces)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryState:
    """The outcome of the attempts so far; times are seconds since the epoch.

    up: whether the last attempt succeeded; None before the first one has ended.
    last_failure: why an attempt failed last, and when.
    found, selected: how many clusters Palette listed last, and how many of these are read.
    """

    up: bool | None = None
    last_success: float | None = None
    last_failure: tuple[Unread, float] | None = None
    found: int = 0
    selected: int = 0


class Discovery:
    """Adds the selected clusters of Palette's dashboard to the configured ones.

    state: the outcome of the attempts so far.
    """

    def __init__(self, search: Search, telemetry: Telemetry, clock: Clock) -> None:
        self.state = DiscoveryState()
        self._search = search
        self._telemetry = telemetry
        self._clock = clock
        self._alarm = Alarm(clock)
        self._log = Transitions("discovery failing", "discovery recovered")
        self._found: tuple[Cluster, ...] = ()
        self._asked_at = 0.0
        self._overdue = True

    @property
    def ended(self) -> bool:
        """Whether the first attempt has ended, with or without success."""
        return self.state.up is not None

    @property
    def wanted(self) -> tuple[ClusterTargets, ...]:
        """The clusters that are wanted, by the last answer of the dashboard."""
        return self._search.wanted(self._found)

    def adopt(self, search: Search) -> None:
        """Use another search; the next attempt is due."""
        self._search = search
        self._overdue = True
        self._alarm.wake()

    async def run(self, found: Callable[[], None]) -> None:
        """Ask every interval, and call ``found`` after each answer; ends only when cancelled."""
        while True:
            self._asked_at, self._overdue = self._clock.monotonic(), False
            if await self.ask():
                found()
            await self._alarm.sleep_until(self._next_attempt_at)

    def _next_attempt_at(self) -> float:
        return self._asked_at if self._overdue else self._asked_at + self._search.interval

    async def ask(self) -> bool:
        """Ask the dashboard once; on a failure, the clusters of the last answer stay."""
        search = self._search
        try:
            found = await search.directory.ask(search.project_uid, retry_for=search.retry_for)
        except PaletteError as error:
            self._failed(unread(error))
            return False
        self._succeeded(found)
        return True

    def _succeeded(self, found: tuple[Cluster, ...]) -> None:
        now, selected = self._clock.wall(), len(self._search.selected(found))
        self._log.log(None)
        self._telemetry.discovered(now, selected=selected, others=len(found) - selected)
        self._found = found
        self.state = replace(
            self.state, up=True, last_success=now, found=len(found), selected=selected
        )

    def _failed(self, failure: Unread) -> None:
        self._log.log(failure)
        self._telemetry.discovery_failed()
        self.state = replace(self.state, up=False, last_failure=(failure, self._clock.wall()))
