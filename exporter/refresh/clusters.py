"""The loops of all clusters: which run, and how their rounds progress."""

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence

import structlog

from exporter.clock import Clock
from exporter.refresh.cluster import ClusterLoop, RefreshContext
from exporter.refresh.garbage import GarbageCollection
from exporter.refresh.log import RoundLog
from exporter.refresh.targets import ClusterTargets
from exporter.snapshot import Cluster
from exporter.wording import some

SPREAD = 0.1
"""Seconds between the first refreshes of two clusters, on average."""

PROGRESS_EVERY = 10.0
"""Seconds between two lines on the progress of the first round."""

NAMED = 10
"""How many clusters a line names before it only counts them."""

log = structlog.get_logger()


class ClusterLoops:
    """Runs the loops of all clusters, which can come and go."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loops: dict[str, ClusterLoop] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._log = RoundLog()
        self._progress: asyncio.Task[None] | None = None
        self._first_round_complete = False
        self._garbage = GarbageCollection(clock.monotonic)

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """The tasks that run, and that sleep on the clock between two runs of their work."""
        progress = [self._progress] if self._progress and not self._progress.done() else []
        return (*self._tasks.values(), *progress)

    @property
    def ready(self) -> bool:
        """True once every cluster's first refresh has ended, with or without success."""
        return all(loop.ended for loop in self._loops.values())

    @property
    def requests(self) -> int:
        """How many requests one round over all clusters takes."""
        return sum(loop.requests for loop in self._loops.values())

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """What is known of the clusters that are refreshed here, read or not yet."""
        return tuple(loop.cluster for loop in self._loops.values())

    def cluster(self, uid: str) -> Cluster | None:
        """Return what is known of a cluster that is refreshed here; None for any other."""
        loop = self._loops.get(uid)
        return loop.cluster if loop else None

    def apply(
        self,
        wanted: Iterable[ClusterTargets],
        context: RefreshContext,
        group: asyncio.TaskGroup,
        *,
        discovered: bool = False,
    ) -> None:
        """Refresh these clusters from now on, and no others; a cluster that stays keeps its loop.

        group: owns the tasks.
        discovered: whether the dashboard's list has changed, and not the configuration.
        """
        targets = {each.uid: each for each in wanted if each.uid in context.share}
        if discovered:
            self._report_undiscovered(targets)
        self._remove([uid for uid in self._loops if uid not in targets], context)
        for uid, loop in self._loops.items():
            loop.adopt(targets[uid], context)
        self._add([each for uid, each in targets.items() if uid not in self._loops], context, group)
        self._report_round(context)

    def _report_undiscovered(self, targets: Mapping[str, ClusterTargets]) -> None:
        """Warn of clusters that leave the dashboard, also where a target still names them."""
        found = {uid for uid, each in targets.items() if each.dashboard}
        lost = [
            loop.cluster.name
            for uid, loop in self._loops.items()
            if loop.targets.dashboard and uid not in found
        ]
        if lost:
            # Nobody configured that.
            log.warning("clusters no longer discovered", count=len(lost), names=some(lost, NAMED))

    def _remove(self, uids: Sequence[str], context: RefreshContext) -> None:
        if not uids:
            return
        names = [self._loops[uid].cluster.name for uid in uids]
        log.info("no longer watching clusters", count=len(names), names=some(names, NAMED))
        for uid in uids:
            # A cancelled loop publishes nothing, not even what has just arrived.
            self._tasks.pop(uid).cancel()
            del self._loops[uid]
            context.store.remove(uid)
            context.telemetry.forget(uid)
        self._report_plan(context)

    def _add(
        self,
        targets: Sequence[ClusterTargets],
        context: RefreshContext,
        group: asyncio.TaskGroup,
    ) -> None:
        if not targets:
            return
        spread = min(context.interval, SPREAD * len(targets))
        loops = [ClusterLoop(each, context, self._refreshed) for each in targets]
        for loop in loops:
            uid, delay = loop.cluster.uid, random.uniform(0, spread)  # noqa: S311 - hides nothing
            self._loops[uid] = loop
            self._tasks[uid] = group.create_task(loop.run(delay), name=f"refresh {uid}")
        names = [loop.cluster.name for loop in loops]
        log.info("watching clusters", count=len(names), names=some(names, NAMED))
        self._report_plan(context)
        if self._progress is None:
            self._progress = group.create_task(self._report_progress(), name="progress")

    async def _report_progress(self) -> None:
        """Log now and then how the first round progresses; cancelled when it is complete."""
        while True:
            await self._clock.sleep(PROGRESS_EVERY)
            waiting = [loop.cluster.name for loop in self._loops.values() if not loop.ended]
            if waiting:
                log.info(
                    "first round in progress",
                    read=len(self._loops) - len(waiting),
                    clusters=len(self._loops),
                    waiting_for=some(waiting, NAMED),
                )

    def _refreshed(self, context: RefreshContext) -> None:
        self._report_round(context)
        if not self._first_round_complete and self.ready:
            self._complete_first_round()
        self._garbage.collect_if_due()

    def _complete_first_round(self) -> None:
        self._first_round_complete = True
        log.info("first round complete", clusters=len(self._loops), requests=self.requests)
        if self._progress:
            self._progress.cancel()
        self._garbage.freeze()

    def _report_plan(self, context: RefreshContext) -> None:
        log.info(
            "plan",
            clusters=len(self._loops),
            requests_per_refresh=self.requests,
            seconds_at_configured_rate=round(self._round_seconds(context), 2),
        )

    def _report_round(self, context: RefreshContext) -> None:
        seconds = self._round_seconds(context)
        context.telemetry.planned(seconds)
        self._log.round_takes(seconds, context.interval)

    def _round_seconds(self, context: RefreshContext) -> float:
        return self.requests / context.rate
