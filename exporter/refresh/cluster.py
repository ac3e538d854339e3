"""One refresh of a cluster, and the loop around it."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.clock import Alarm, Clock
from exporter.cooperative import TimeSlices
from exporter.metrics.telemetry import Telemetry
from exporter.palette.client import Palette
from exporter.palette.cluster_directory import ClusterDirectory
from exporter.palette.transport import RETRY_FOR
from exporter.refresh.log import ClusterLog
from exporter.refresh.plan import plan
from exporter.refresh.reader import ClusterReader, Reading
from exporter.refresh.state import expiring, keep, next_read_within, still_wanted
from exporter.refresh.targets import ClusterTargets, Share, SnapshotTarget, identity
from exporter.snapshot import Cluster, ClusterState, Listing
from exporter.store import Store

NAME_WITHIN = 1.0
"""Seconds for which a refresh waits for the cluster's name, except for the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshContext:
    """What the loops of all clusters share.

    interval, stale_after: in seconds; rate: requests per second.
    project_uid: the scope of clusters that have none of their own; "" is the tenant.
    share: the clusters that are this exporter's.
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
    slices: TimeSlices = field(default_factory=TimeSlices)

    @property
    def retry_for(self) -> float:
        """Seconds for which a request is retried: after the interval, the next refresh sends it."""
        return min(RETRY_FOR, self.interval)


class ClusterLoop:
    """Refreshes one cluster every interval.

    cluster: what is known of it so far.
    ended: whether the first refresh has ended, well or badly.
    requests: how many requests a refresh takes, by the last one.
    refreshed: called with the context after each refresh.
    """

    def __init__(
        self,
        targets: ClusterTargets,
        context: RefreshContext,
        refreshed: Callable[[RefreshContext], None] = lambda context: None,
    ) -> None:
        self.targets = targets
        self.cluster = identity(targets, context.project_uid, None)
        self.ended = False
        self.requests = plan(targets).requests
        self._context = context
        self._refreshed = refreshed
        self._alarm = Alarm(context.clock)
        self._log = ClusterLog()
        self._found = targets.dashboard
        self._named_pages = 0
        self._started = 0.0
        self._overdue = False
        self._counted_as = self.cluster.name
        context.telemetry.watching(self.cluster)

    def adopt(self, targets: ClusterTargets, context: RefreshContext) -> None:
        """Use other targets of the same cluster and another context from the next request on.

        Where they change a request, the next refresh is due.
        """
        before, self.targets = self.targets, targets
        self._context = context
        self._found = targets.dashboard or self._found
        if (targets.coverage, targets.named) != (before.coverage, before.named):
            self._named_pages = 0  # they were of other lists
            self._overdue = True
        last, self.cluster = self.cluster, self._identity()
        if (self.cluster.name, self.cluster.project_uid) != (last.name, last.project_uid):
            self._overdue = True
        self._alarm.wake()

    def _identity(self) -> Cluster:
        return identity(self.targets, self._context.project_uid, self._found)

    async def run(self, delay: float) -> None:
        """Refresh every interval, after a first delay in seconds; ends only when cancelled."""
        clock = self._context.clock
        began = clock.monotonic()
        await self._alarm.sleep_until(lambda: began + min(delay, self._context.interval))
        while True:
            self._started = clock.monotonic()
            await self.refresh()
            # After one that took longer than the interval, the next begins at once: rounds
            # stretch, and never overlap.
            await self._alarm.sleep_until(self._next_refresh_at)

    def _next_refresh_at(self) -> float:
        return self._started if self._overdue else self._started + self._context.interval

    async def refresh(self) -> None:
        """Read what the targets want and publish it; raises nothing that Palette can cause."""
        started, self._overdue = self._context.clock.monotonic(), False
        await self._find_name()
        targets, cluster = self.targets, self.cluster

        def publish_early(early: Reading) -> None:
            for _ in self._publishing(self._state(cluster, targets, early, started, whole=False)):
                pass

        reading = await self._reader(cluster).read(
            plan(targets, self._named_pages), targets.coverage, publish_early
        )
        # One that failed ended early, and does not show what the next one takes.
        self.requests = max(reading.requests, self.requests if reading.failure else 0)
        state = self._state(cluster, targets, reading, started, whole=True)
        await self._context.slices.run_alone(self._publishing(state))
        if targets.named == self.targets.named:
            self._named_pages = reading.named_pages or self._named_pages
        self.ended = True
        if reading.failure:
            self._context.telemetry.refresh_failed(cluster, reading.failure.reason)
        self._log.refreshed(cluster, reading)
        self._refreshed(self._context)

    def _publishing(self, state: ClusterState) -> Generator[None, None, None]:
        yield from self._context.store.publishing(state)
        if state.cluster.name != self._counted_as:
            # Otherwise its counters would keep the old name next to the new one.
            self._counted_as = state.cluster.name
            self._context.telemetry.forget(state.cluster.uid)
            self._context.telemetry.watching(state.cluster)

    def _reader(self, cluster: Cluster) -> ClusterReader:
        return ClusterReader(
            palette=replace(
                self._context.palette,
                project_uid=cluster.project_uid,
                retry_for=self._context.retry_for,
            ),
            uid=cluster.uid,
            now=self._context.clock.monotonic,
        )

    async def _find_name(self) -> None:
        """Ask the dashboard for the name that no target gives, until it is known."""
        if self.targets.name or self._found:
            return
        scope = self.targets.project_uid or self._context.project_uid
        # Only the first refresh waits for a dashboard that hangs.
        with suppress(TimeoutError):
            async with asyncio.timeout(NAME_WITHIN if self.ended else None):
                self._found = await self._context.directory.find(self.targets.uid, scope)
        self.cluster = self._identity()

    def _state(
        self,
        cluster: Cluster,
        targets: ClusterTargets,
        reading: Reading,
        started: float,
        *,
        whole: bool,
    ) -> ClusterState:
        """Return what to publish; whole: False while snapshots are still being read."""
        clock = self._context.clock
        now, never = clock.monotonic(), ClusterState(cluster=cluster, up=False)
        last = self._context.store.get(cluster.uid) or never
        named = {SnapshotTarget(n.namespace, n.vm, n.name): n for n in last.named}
        up, last_success = reading.failure is None, last.last_success
        if not whole and targets.coverage:
            # The lists can still fail.
            up = last.up
        elif up:
            last_success = clock.wall()
        state = ClusterState(
            cluster=cluster,
            up=up,
            last_success=last_success,
            refreshed_at=clock.wall() if whole else last.refreshed_at,
            refresh_duration=now - started,
            due_within=self._next_read_within(now - started, last, whole=whole),
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
        return expiring(state, self._context.stale_after)

    def _next_read_within(self, duration: float, last: ClusterState, *, whole: bool) -> float:
        if not whole and last.refreshed_at is not None:
            return last.due_within
        return next_read_within(duration, self._context.interval, self._context.stale_after)


def _listing(
    reading: Reading, last: ClusterState, targets: ClusterTargets, *, whole: bool
) -> Listing | None:
    kept = last.listing if targets.coverage else None
    if reading.listing or kept is None:
        return reading.listing
    # The targets can cover less than when it was read.
    kept = still_wanted(kept, targets.coverage)
    return replace(kept, current=kept.current and not whole)
