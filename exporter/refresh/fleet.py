"""The clusters that are read: discovery, a loop for each, and how their rounds progress."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import structlog

from exporter.refresh.cluster import ClusterLoop, RefreshContext
from exporter.refresh.discovery import Discovery, Search
from exporter.refresh.targets import ClusterTargets
from exporter.snapshot import Cluster
from exporter.wording import some

SPREAD = 0.1  # seconds between the first refreshes of two clusters, on average
PROGRESS_EVERY = 10.0  # seconds between two lines on the progress of the first round
NAMED = 10  # how many clusters a line names before it only counts them

log = structlog.get_logger()


class Fleet:
    """Runs discovery, and a loop for each wanted cluster; clusters can come and go.

    context, configured: as the settings are now.
    discovery: None where it is off.
    tasks: those that run; each sleeps on the clock between two runs of its work.
    """

    def __init__(self, context: RefreshContext) -> None:
        self.context = context
        self.configured: Sequence[ClusterTargets] = ()
        self.discovery: Discovery | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._discovering: asyncio.Task[None] | None = None
        self._loops: dict[str, ClusterLoop] = {}
        self._first_round_complete = False
        self._stretched = False

    @property
    def wanted(self) -> list[ClusterTargets]:
        """What to read of which clusters: those of this exporter's share."""
        found = self.discovery
        wanted = found.added_to(self.configured) if found else self.configured
        return [each for each in wanted if each.uid in self.context.share]

    @property
    def ready(self) -> bool:
        """Whether discovery was tried, and each cluster's first refresh has ended."""
        discovered = self.discovery is None or self.discovery.state.up is not None
        return discovered and all(loop.ended for loop in self._loops.values())

    @property
    def round_seconds(self) -> float:
        """The planned duration of one round over all clusters, at the configured rate."""
        return self._requests / self.context.rate

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """What is known of the clusters that are refreshed here, read or not yet."""
        return tuple(loop.cluster for loop in self._loops.values())

    def cluster(self, uid: str) -> Cluster | None:
        """Return what is known of a cluster that is refreshed here; None for any other."""
        loop = self._loops.get(uid)
        return loop.cluster if loop else None

    async def run(self) -> None:
        """Refresh, and discover; ends only when cancelled, or when one of the loops fails."""
        async with asyncio.TaskGroup() as self._group:
            self._start(self._report_progress(), "progress")
            self._apply()
            # Without a cluster, no task would keep it running.
            await asyncio.get_running_loop().create_future()

    def adopt(
        self, context: RefreshContext, configured: Sequence[ClusterTargets], search: Search | None
    ) -> None:
        """Read what other settings want; search: None turns discovery off."""
        self.context, self.configured = context, configured
        if search and self.discovery:
            self.discovery.adopt(search, context)
        elif search:
            self.discovery = Discovery(search, context)
        else:
            if self._discovering:
                self._discovering.cancel()
            self._discovering = self.discovery = None
            self.context.telemetry.no_discovery()
        self._apply()

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        assert self._group
        task = self._group.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _apply(self, *, discovered: bool = False) -> None:
        """Refresh the wanted clusters and no others; a cluster that stays keeps its loop.

        discovered: whether the dashboard's list has changed, and not the configuration.
        """
        if self._group is None:
            return
        if self.discovery and not self._discovering:
            running = self.discovery.run(lambda: self._apply(discovered=True))
            self._discovering = self._start(running, "discovery")
        targets = {each.uid: each for each in self.wanted}
        if discovered:
            self._warn_of_undiscovered(targets)
        removed = [self._loops.pop(uid) for uid in tuple(self._loops) if uid not in targets]
        for loop in removed:
            loop.stop()
        for uid, loop in self._loops.items():
            loop.adopt(targets[uid], self.context)
        added = [
            ClusterLoop(each, self.context, self._refreshed)
            for uid, each in targets.items()
            if uid not in self._loops
        ]
        spread = min(self.context.interval, SPREAD * len(added))
        for loop in added:
            delay = random.uniform(0, spread)  # noqa: S311 - hides nothing
            self._loops[loop.targets.uid] = loop
            loop.task = self._start(loop.run(delay), f"refresh {loop.targets.uid}")
        self._report_changes(removed, added)
        self._report_round()

    def _refreshed(self) -> None:
        self._report_round()
        if not self._first_round_complete and self.ready:
            self._first_round_complete = True
            log.info("first round complete", clusters=len(self._loops), requests=self._requests)

    @property
    def _requests(self) -> int:
        return sum(loop.requests for loop in self._loops.values())

    def _warn_of_undiscovered(self, targets: Mapping[str, ClusterTargets]) -> None:
        """Warn of clusters that leave the dashboard, also where a target still names them."""
        found = {uid for uid, each in targets.items() if each.dashboard}
        lost = [
            loop for uid, loop in self._loops.items() if loop.targets.dashboard and uid not in found
        ]
        # Nobody configured that.
        _log_names(log.warning, "clusters no longer discovered", lost)

    def _report_changes(self, removed: Sequence[ClusterLoop], added: Sequence[ClusterLoop]) -> None:
        _log_names(log.info, "no longer watching clusters", removed)
        _log_names(log.info, "watching clusters", added)
        if removed or added:
            log.info(
                "plan",
                clusters=len(self._loops),
                requests_per_refresh=self._requests,
                seconds_at_configured_rate=round(self.round_seconds, 2),
            )

    def _report_round(self) -> None:
        """Log when a round begins to take longer than the interval, and when it fits again."""
        seconds, interval = self.round_seconds, self.context.interval
        self.context.telemetry.planned(seconds)
        before, self._stretched = self._stretched, seconds > interval
        if self._stretched and not before:
            log.warning(
                "refresh round exceeds interval",
                round_seconds=round(seconds, 1),
                interval_seconds=interval,
            )
        elif before and not self._stretched:
            log.info("refresh round fits interval again")

    async def _report_progress(self) -> None:
        """Log now and then how the first round progresses, until it is complete."""
        while not self._first_round_complete:
            await self.context.clock.sleep(PROGRESS_EVERY)
            waiting = [loop.cluster.name for loop in self._loops.values() if not loop.ended]
            if waiting and not self._first_round_complete:
                log.info(
                    "first round in progress",
                    read=len(self._loops) - len(waiting),
                    clusters=len(self._loops),
                    waiting_for=some(waiting, NAMED),
                )


def _log_names(write: Callable[..., object], event: str, loops: Sequence[ClusterLoop]) -> None:
    names = [loop.cluster.name for loop in loops]
    if names:
        write(event, count=len(names), names=some(names, NAMED))
