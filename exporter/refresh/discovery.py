"""Discovers the clusters that run virtual machines, every interval."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from exporter.clock import Alarm
from exporter.palette.errors import PaletteError
from exporter.refresh.cluster import RefreshContext
from exporter.refresh.log import Transitions
from exporter.refresh.reader import unread
from exporter.refresh.targets import ClusterTargets, Names, with_discovered
from exporter.snapshot import Cluster, Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which clusters to discover.

    interval: seconds; clusters, namespaces: the names that are wanted.
    """

    interval: float
    clusters: Names
    namespaces: Names

    def selected(self, found: Sequence[Cluster]) -> tuple[Cluster, ...]:
        """Return the clusters of the dashboard whose names are wanted."""
        return tuple(cluster for cluster in found if cluster.name in self.clusters)


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

    context: its project is the scope to ask. state: the outcome of the attempts so far.
    """

    def __init__(self, search: Search, context: RefreshContext) -> None:
        self.state = DiscoveryState()
        self._search = search
        self._context = context
        self._alarm = Alarm(context.clock)
        self._log = Transitions("discovery failing", "discovery recovered")
        self._found: tuple[Cluster, ...] = ()
        self._asked_at = -math.inf

    def added_to(self, configured: Sequence[ClusterTargets]) -> Sequence[ClusterTargets]:
        """Return the clusters that are wanted, by the last answer of the dashboard."""
        search = self._search
        return with_discovered(configured, search.selected(self._found), search.namespaces)

    def adopt(self, search: Search, context: RefreshContext) -> None:
        """Use another search; the next attempt is due."""
        self._search, self._context = search, context
        self._asked_at = -math.inf
        self._alarm.wake()

    async def run(self, found: Callable[[], None]) -> None:
        """Ask every interval, and call ``found`` after each answer; ends only when cancelled."""
        while True:
            self._asked_at = self._context.clock.monotonic()
            if await self.ask():
                found()
            await self._alarm.sleep_until(lambda: self._asked_at + self._search.interval)

    async def ask(self) -> bool:
        """Ask the dashboard once; on a failure, the clusters of the last answer stay."""
        search, context = self._search, self._context
        try:
            known = await context.directory.ask(context.project_uid, retry_for=context.interval)
        except PaletteError as error:
            failure = unread(error)
            self._log.log(failure)
            context.telemetry.discovery_failed()
            self.state = replace(self.state, up=False, last_failure=(failure, context.clock.wall()))
            return False
        found = tuple(known.values())
        now, selected = context.clock.wall(), len(search.selected(found))
        self._log.log(None)
        context.telemetry.discovered(now, selected=selected, others=len(found) - selected)
        self._found = found
        self.state = replace(
            self.state, up=True, last_success=now, found=len(found), selected=selected
        )
        return True
