"""The refreshes of all clusters: who comes and goes, and how their rounds go."""

import asyncio
import random
from collections.abc import Iterable

from exporter.refresh.cluster import ClusterRefresh, Surroundings
from exporter.refresh.garbage import FullPasses
from exporter.refresh.rounds import TELL_EVERY, RoundNews
from exporter.refresh.targets import ClusterTargets
from exporter.snapshot import Cluster

SPREAD = 0.1
"""Seconds between the first refreshes of two clusters, on the average."""


class Refresher:
    """Runs the loops of all clusters, which may come and go."""

    def __init__(self, shared: Surroundings) -> None:
        self._shared = shared
        self._clusters: dict[str, ClusterRefresh] = {}
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._news = RoundNews(interval=shared.interval, rate=shared.rate)
        self._progress: asyncio.Task[None] | None = None
        self._passes = FullPasses(shared.clock.monotonic)

    def adopt(self, shared: Surroundings) -> None:
        """Go on in other surroundings; which clusters are wanted is for ``apply``."""
        self._shared = shared
        self._news.adopt(interval=shared.interval, rate=shared.rate)
        for cluster in self._clusters.values():
            cluster.adopt(shared)
        self._replan()

    @property
    def ready(self) -> bool:
        """Whether every cluster's first refresh has ended, well or badly."""
        return all(cluster.ended for cluster in self._clusters.values())

    @property
    def requests(self) -> int:
        """How many requests one round over all clusters takes."""
        return sum(cluster.requests for cluster in self._clusters.values())

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """What is known of the clusters that are refreshed here, read or not yet."""
        return tuple(each.cluster for each in self._clusters.values())

    def cluster(self, uid: str) -> Cluster | None:
        """Return what is known of a cluster that is refreshed here; None for any other."""
        known = self._clusters.get(uid)
        return known.cluster if known else None

    def apply(self, wanted: Iterable[ClusterTargets], group: asyncio.TaskGroup) -> None:
        """Refresh these clusters from now on, and no others; those that stay go on as they are.

        group: owns the loops.
        """
        targets = {each.uid: each for each in wanted if each.uid in self._shared.share}
        gone = [uid for uid in self._clusters if uid not in targets]
        gone_names = [self._clusters[uid].cluster.name for uid in gone]
        fresh = [uid for uid in targets if uid not in self._clusters]
        for uid in gone:
            self._remove(uid)
        for uid, each in targets.items():
            if uid in self._clusters and self._clusters[uid].targets != each:
                self._clusters[uid].retarget(each)
        for uid in fresh:
            self._add(targets[uid], len(fresh), group)
        if fresh or gone:
            self._news.watching([self._clusters[uid].cluster.name for uid in fresh], gone_names)
            self._tell_plan()
        if fresh and self._progress is None:
            self._progress = group.create_task(self._tell_progress(), name="progress")

    def _add(self, targets: ClusterTargets, count: int, group: asyncio.TaskGroup) -> None:
        cluster = ClusterRefresh(targets, self._shared, self._replan)
        spread = min(self._shared.interval, SPREAD * count)
        delay = random.uniform(0, spread)  # noqa: S311 - spreads load, hides nothing
        self._clusters[targets.uid] = cluster
        self._loops[targets.uid] = group.create_task(
            cluster.run(delay), name=f"refresh {targets.uid}"
        )

    def _remove(self, uid: str) -> None:
        # Cancelled, the loop publishes nothing any more, not even what has just arrived.
        self._loops.pop(uid).cancel()
        del self._clusters[uid]
        self._shared.store.remove(uid)
        self._shared.telemetry.forget(uid)

    def _tell_plan(self) -> None:
        self._replan()
        self._news.plan(clusters=len(self._clusters), requests=self.requests)

    async def _tell_progress(self) -> None:
        """Tell now and then how the first round goes; ends when it is complete."""
        while not self._news.complete:
            await self._shared.clock.sleep(TELL_EVERY)
            waiting_for = [each.cluster.name for each in self._clusters.values() if not each.ended]
            self._news.progress(clusters=len(self._clusters), waiting_for=waiting_for)

    def _replan(self) -> None:
        """Tell how long a round takes, and when the first one is complete."""
        seconds = self.requests / self._shared.rate
        self._shared.telemetry.planned(seconds)
        if self._loops and self.ready and not self._news.complete:
            self._news.first_round_ended(clusters=len(self._clusters), requests=self.requests)
            if self._progress:
                self._progress.cancel()
            self._passes.spare_what_is_there()
        self._passes.make_if_due()
        self._news.takes(seconds)
