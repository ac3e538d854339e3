"""One refresh of a cluster, and the loop around it."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.clock import Clock, Rest
from exporter.cooperative import Turns
from exporter.metrics.telemetry import Telemetry
from exporter.palette.client import Palette
from exporter.palette.cluster_directory import ClusterDirectory
from exporter.palette.transport import RETRY_FOR
from exporter.refresh.log import ClusterNews
from exporter.refresh.plan import plan
from exporter.refresh.reader import ClusterReader, Reading
from exporter.refresh.targets import (
    ClusterTargets,
    Share,
    SnapshotTarget,
    due_within,
    expiring,
    identity,
    keep,
    still_wanted,
)
from exporter.snapshot import Cluster, ClusterState, Listing
from exporter.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the loops of all clusters share.

    interval, stale_after: in seconds; rate: requests per second.
    project_uid: the scope of clusters that have none of their own; "" is the tenant.
    share: the clusters that are this exporter's.
    turns: in which what takes long is done.
    """

    palette: Palette
    directory: ClusterDirectory
    store: Store[Any]
    telemetry: Telemetry
    clock: Clock
    interval: float
    stale_after: float
    rate: float
    share: Share
    project_uid: str = ""
    turns: Turns = field(default_factory=Turns)

    @property
    def retry_for(self) -> float:
        """Seconds for which a request is retried: past the interval it is made anew anyway."""
        return min(RETRY_FOR, self.interval)


class ClusterRefresh:
    """Refreshes one cluster, for good.

    cluster: what is known of it so far.
    ended: whether the first refresh has, well or badly.
    requests: how many requests a refresh takes, by the last one.
    """

    def __init__(
        self,
        targets: ClusterTargets,
        shared: Surroundings,
        refreshed: Callable[[], None] = lambda: None,
    ) -> None:
        self.ended = False
        self._shared = shared
        self._refreshed = refreshed
        self._rest = Rest(shared.clock)
        self._started = 0.0
        self._shown_as = ""
        self._news = ClusterNews()
        self._found: Cluster | None = None
        self._settled = False  # whether the cluster's name is what it will stay
        self.retarget(targets)
        self.requests = plan(targets).requests

    def retarget(self, targets: ClusterTargets) -> None:
        """Want something else of the same cluster, from the next refresh on, which is due."""
        self.targets = targets
        self.cluster = self._identity()
        self._named_pages = 0  # they were of other lists
        self._overdue = True
        self._rest.disturb()

    def adopt(self, shared: Surroundings) -> None:
        """Go on in other surroundings, from the next request on; a sleeper takes their interval."""
        self._shared = shared
        identity = self._identity()
        self._overdue = self._overdue or identity != self.cluster
        self.cluster = identity
        self._rest.disturb()

    async def run(self, delay: float) -> None:
        """Refresh every interval, after a first delay in seconds; ends only when cancelled."""
        clock = self._shared.clock
        began = clock.monotonic()
        await self._rest.until(lambda: began + min(delay, self._shared.interval))
        while True:
            self._started = clock.monotonic()
            await self.refresh()
            # One that took longer is followed by the next at once: rounds stretch, and never
            # pile up.
            await self._rest.until(self._due)

    def _due(self) -> float:
        return self._started if self._overdue else self._started + self._shared.interval

    async def refresh(self) -> None:
        """Read what the targets want and publish it; raises nothing that Palette can cause."""
        started, self._overdue = self._shared.clock.monotonic(), False
        await self._ask_for_name()
        targets, cluster = self.targets, self.cluster

        def publish_early(early: Reading) -> None:
            for _ in self._publishing(self._state(cluster, targets, early, started, whole=False)):
                pass

        reading = await self._reader(cluster).read(
            plan(targets, self._named_pages),
            targets.coverage,
            publish_early,
        )
        # One that failed ended early, and says nothing of what the next one takes.
        self.requests = max(reading.requests, self.requests if reading.failure else 0)
        state = self._state(cluster, targets, reading, started, whole=True)
        await self._shared.turns.finished(self._publishing(state))
        if targets is self.targets:
            self._named_pages = reading.named_pages or self._named_pages
        self._settled = self._settled or reading.failure is None
        self.ended = True
        if reading.failure:
            self._shared.telemetry.refresh_failed(cluster, reading.failure.reason)
        self._news.tell(cluster, reading)
        self._refreshed()

    def _publishing(self, state: ClusterState) -> Generator[None, None, None]:
        yield from self._shared.store.publishing(state)
        if state.cluster.name != self._shown_as:
            # What was counted under another name would stand beside the new one for good.
            self._shared.telemetry.forget(state.cluster.uid)
            self._shown_as = state.cluster.name

    def _reader(self, cluster: Cluster) -> ClusterReader:
        return ClusterReader(
            palette=self._shared.palette,
            uid=cluster.uid,
            project_uid=cluster.project_uid,
            retry_for=self._shared.retry_for,
            now=self._shared.clock.monotonic,
        )

    async def _ask_for_name(self) -> None:
        """Ask for the name that no target gives, until one refresh succeeded: best effort."""
        if self.targets.name or self._settled:
            return
        scope = self.targets.project_uid or self._shared.project_uid
        self._found = await self._shared.directory.find(self.targets.uid, scope)
        self._settled = self._found is not None
        self.cluster = self._identity()

    def _identity(self) -> Cluster:
        return identity(self.targets, self._shared.project_uid, self._found)

    def _state(
        self,
        cluster: Cluster,
        targets: ClusterTargets,
        reading: Reading,
        started: float,
        *,
        whole: bool,
    ) -> ClusterState:
        """Return what to publish; not the whole of it where snapshots are still being read."""
        clock = self._shared.clock
        now, never = clock.monotonic(), ClusterState(cluster=cluster, up=False)
        last = self._shared.store.get(cluster.uid) or never
        named = {SnapshotTarget(n.namespace, n.vm, n.name): n for n in last.named}
        up, last_success = reading.failure is None, last.last_success
        if not whole and targets.coverage:
            # Whether the lists can be read is still to be seen.
            up = last.up
        elif up:
            last_success = clock.wall()
        state = ClusterState(
            cluster=cluster,
            up=up,
            last_success=last_success,
            refreshed_at=clock.wall() if whole else last.refreshed_at,
            refresh_duration=now - started,
            due_within=self._due_within(now - started, last, whole=whole),
            requests=self.requests,
            last_failure=(
                (reading.failure, clock.wall()) if reading.failure else last.last_failure
            ),
            listing=_listing(reading, last, targets, whole=whole),
            named=tuple(
                keep(target, named.get(target), reading.outcomes.get(target), now)
                for target in targets.named
            ),
        )
        return expiring(state, self._shared.stale_after)

    def _due_within(self, duration: float, last: ClusterState, *, whole: bool) -> float:
        if not whole and last.refreshed_at is not None:
            return last.due_within
        return due_within(duration, self._shared.interval, self._shared.stale_after)


def _listing(
    reading: Reading, last: ClusterState, targets: ClusterTargets, *, whole: bool
) -> Listing | None:
    kept = last.listing if targets.coverage else None
    if reading.listing or kept is None:
        return reading.listing
    # They may cover less than when it was read.
    kept = still_wanted(kept, targets.coverage)
    return replace(kept, current=kept.current and not whole)
