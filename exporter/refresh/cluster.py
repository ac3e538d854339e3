"""One refresh of a cluster, and the loop around it."""

import asyncio
import math
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.clock import Alarm, Clock
from exporter.cooperative import TimeSlices
from exporter.metrics.telemetry import Telemetry
from exporter.palette.client import ClusterDirectory, Palette
from exporter.refresh.log import ClusterLog
from exporter.refresh.plan import plan
from exporter.refresh.reader import ClusterReader, Reading
from exporter.refresh.state import Outcomes, expiring, keep, narrowed, next_read_within
from exporter.refresh.targets import ClusterTargets, Share, SnapshotTarget, identity
from exporter.snapshot import Cluster, ClusterState, NamedSnapshot
from exporter.store import Store

NAME_WITHIN = 1.0  # seconds for which a refresh, except the first, waits for the cluster's name


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshContext:
    """What the loops of all clusters share: first what they use, then what settings say.

    interval, stale_after: in seconds; rate: requests per second.
    project_uid: the scope of clusters that have none of their own; "" is the tenant.
    share: the clusters that are this exporter's.
    """

    palette: Palette
    directory: ClusterDirectory
    store: Store[Any]
    telemetry: Telemetry
    clock: Clock
    slices: TimeSlices = field(default_factory=TimeSlices)
    interval: float = 60.0
    stale_after: float = 300.0
    rate: float = 40.0
    project_uid: str = ""
    share: Share = field(default_factory=Share)


class ClusterLoop:
    """Refreshes one cluster every interval.

    ended: whether the first refresh has ended, well or badly.
    requests: how many requests a refresh takes, by the last one.
    task: runs it; None where nothing does. refreshed: called after each refresh.
    """

    def __init__(
        self,
        targets: ClusterTargets,
        context: RefreshContext,
        refreshed: Callable[[], None] = lambda: None,
    ) -> None:
        self.targets = targets
        self.ended = False
        self.task: asyncio.Task[None] | None = None
        self.requests = plan(targets).requests
        self._context = context
        self._refreshed = refreshed
        self._alarm = Alarm(context.clock)
        self._log = ClusterLog()
        self._found = targets.dashboard
        self._named_pages = 0
        self._started = 0.0
        context.telemetry.watching(self.cluster)

    @property
    def cluster(self) -> Cluster:
        """What is known of the cluster so far."""
        return identity(self.targets, self._context.project_uid, self._found)

    def adopt(self, targets: ClusterTargets, context: RefreshContext) -> None:
        """Use other targets of the same cluster and another context from the next request on.

        Where they change a request, the next refresh is due.
        """
        before = _requested(self.targets, self.cluster)
        self.targets, self._context = targets, context
        self._found = targets.dashboard or self._found
        if _requested(targets, self.cluster) != before:
            self._named_pages = 0  # they were of other lists
            self._started = -math.inf
        self._alarm.wake()

    def stop(self) -> None:
        """End the loop, and remove all that is published and counted of the cluster."""
        if self.task:
            # Cancelled, it publishes nothing, not even what has just arrived.
            self.task.cancel()
        self._context.store.remove(self.targets.uid)
        self._context.telemetry.forget(self.targets.uid)

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
            await self._alarm.sleep_until(lambda: self._started + self._context.interval)

    async def refresh(self) -> None:
        """Read what the targets want and publish it; raises nothing that Palette can cause."""
        started = self._context.clock.monotonic()
        await self._find_name()
        targets, cluster = self.targets, self.cluster

        def publish_early(outcomes: Outcomes) -> None:
            last = self._last_state()
            # The lists can still fail.
            up = last.up or not targets.coverage
            named = self._named(last, targets, outcomes)
            for _ in self._publishing(replace(last, cluster=cluster, up=up, named=named)):
                pass

        reader = ClusterReader(
            palette=replace(
                self._context.palette,
                project_uid=cluster.project_uid,
                retry_for=self._context.interval,  # then the next refresh sends it
            ),
            uid=cluster.uid,
            now=self._context.clock.monotonic,
            early=publish_early,
        )
        reading = await reader.read(plan(targets, self._named_pages), targets.coverage)
        # One that failed ended early, and does not show what the next one takes.
        self.requests = max(reading.requests, self.requests if reading.failure else 0)
        state = self._state(cluster, targets, reading, started)
        await self._context.slices.run_alone(self._publishing(state))
        if targets.named == self.targets.named:
            self._named_pages = reading.named_pages or self._named_pages
        self.ended = True
        if reading.failure:
            self._context.telemetry.refresh_failed(cluster, reading.failure.reason)
        self._log.refreshed(cluster, reading)
        self._refreshed()

    def _publishing(self, state: ClusterState) -> Generator[None, None, None]:
        yield from self._context.store.publishing(expiring(state, self._context.stale_after))
        # In the same step, so that its counters do not keep an old name next to the new one.
        self._context.telemetry.watching(state.cluster)

    async def _find_name(self) -> None:
        """Ask the dashboard for the name that no target gives, until it is known."""
        if self.targets.name or self._found:
            return
        scope = self.targets.project_uid or self._context.project_uid
        # Only the first refresh waits for a dashboard that hangs.
        with suppress(TimeoutError):
            async with asyncio.timeout(NAME_WITHIN if self.ended else None):
                self._found = await self._context.directory.find(
                    self.targets.uid, scope, not_within=self._context.interval / 2
                )

    def _last_state(self) -> ClusterState:
        never = ClusterState(
            cluster=self.cluster, up=False, due_within=self._next_read_within(duration=0.0)
        )
        return self._context.store.get(self.cluster.uid) or never

    def _state(
        self, cluster: Cluster, targets: ClusterTargets, reading: Reading, started: float
    ) -> ClusterState:
        now, duration = self._context.clock.wall(), self._context.clock.monotonic() - started
        last, failure, listing = self._last_state(), reading.failure, reading.listing
        if listing is None and last.listing and targets.coverage:
            # The targets can cover less than when it was read.
            listing = replace(narrowed(last.listing, targets.coverage), current=False)
        return ClusterState(
            cluster=cluster,
            up=failure is None,
            last_success=last.last_success if failure else now,
            refreshed_at=now,
            refresh_duration=duration,
            due_within=self._next_read_within(duration),
            requests=self.requests,
            last_failure=(failure, now) if failure else last.last_failure,
            listing=listing,
            named=self._named(last, targets, reading.outcomes),
        )

    def _named(
        self, last: ClusterState, targets: ClusterTargets, outcomes: Outcomes
    ) -> tuple[NamedSnapshot, ...]:
        known = {SnapshotTarget(n.namespace, n.vm, n.name): n for n in last.named}
        now = self._context.clock.monotonic()
        return tuple(
            keep(target, known.get(target), outcomes.get(target), now) for target in targets.named
        )

    def _next_read_within(self, duration: float) -> float:
        return next_read_within(duration, self._context.interval, self._context.stale_after)


def _requested(targets: ClusterTargets, cluster: Cluster) -> tuple[object, ...]:
    """Return what decides which requests are sent, and how their answers are shown."""
    return targets.coverage, targets.named, cluster.name, cluster.project_uid
