"""Three clusters, one of which fails, and the checks before, during and after that."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.faults.health import healthy_throughout
from tests.harness import (
    EAST,
    INTERVAL,
    NORTH,
    NORTH_PROJECT,
    WEST,
    Running,
    Scrape,
    exporting,
    put,
    target,
    tenant,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from tests.faults.front import Front
    from tests.palette_server.world import World

STALE_AFTER = 90.0
"""Seconds; long enough for one failed refresh before the last good state expires."""

UP = "palette_cluster_up"
LAST_SUCCESS = "palette_cluster_last_success_timestamp_seconds"
FAILURES = "palette_exporter_refresh_failures_total"
SNAPSHOT_UP = "palette_vm_snapshot_up"

NAMES = {EAST: "prod-east", WEST: "prod-west", NORTH: "prod-north"}
ALL = frozenset(NAMES)

WAYS: Mapping[str, Sequence[str]] = {
    "covered": [EAST],
    "one named": [f"{EAST}/vms/db-01/before-upgrade"],
    "several named": [
        f"{EAST}/vms/db-01/before-upgrade",
        f"{EAST}/vms/db-01/nightly",
        f"{EAST}/vms/db-02/nightly-2",
    ],
}
"""How the failing cluster is watched: by its lists, by the call for one snapshot, or by a list that
takes fewer requests than single calls."""


def request_timeout(reason: str) -> float:
    """Return a timeout in seconds: short only if it ends the fault, as machines can be busy."""
    return 0.25 if reason == "timeout" else 10.0


def fleet() -> World:
    """Three clusters, each with two machines and three snapshots."""
    world = tenant()
    world.add_cluster(NORTH, NAMES[NORTH], NORTH_PROJECT)
    for uid in NAMES:
        put(world, "db-01", "before-upgrade", "nightly", cluster=uid)
        put(world, "db-02", "nightly-2", cluster=uid)
    return world


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """An exporter that watches the three.

    failing: the clusters with the fault.
    reason: the reported reason.
    """

    exporter: Running
    failing: frozenset[str]
    reason: str

    async def assert_reported(self, begin: Callable[[], object], end: Callable[[], object]) -> None:
        """Start and end the fault, and check everything meanwhile."""
        before = await self.exporter.scrape()
        assert before.rows(UP, "cluster_uid") == dict.fromkeys(ALL, 1)
        await _called(begin)
        await self.exporter.pass_time(INTERVAL)
        during = await self.exporter.scrape()
        self.keeps_the_last_good_state(before, during)
        await self.goes_stale(before)
        await _called(end)
        await self.exporter.pass_time(2 * INTERVAL)
        self.is_whole_again(before, await self.exporter.scrape())

    def keeps_the_last_good_state(self, before: Scrape, during: Scrape) -> None:
        """Check the effects of one failed refresh."""
        assert during.rows(UP, "cluster_uid") == {uid: uid not in self.failing for uid in ALL}
        reported = during.counted(FAILURES, "cluster_uid", "reason")
        assert reported == {(uid, self.reason): 1 for uid in self.failing}
        assert without_up(during) == without_up(before)
        assert set(during.rows(SNAPSHOT_UP, "snapshot").values()) <= {0}
        last, now = (scrape.rows(LAST_SUCCESS, "cluster_uid") for scrape in (before, during))
        passed = {uid: now[uid] - last[uid] for uid in ALL}
        assert passed == {uid: 0 if uid in self.failing else INTERVAL for uid in ALL}

    async def goes_stale(self, before: Scrape) -> None:
        """Check that the last good state stays until it expires, and no longer."""
        last = before.rows(LAST_SUCCESS, "cluster_uid")
        first, latest = (
            choose(last[uid] for uid in self.failing) + STALE_AFTER - self.exporter.clock.wall()
            for choose in (min, max)
        )
        await self.exporter.pass_time(first - 0.001)
        assert without_up(await self.exporter.scrape()) == without_up(before)
        await self.exporter.pass_time(latest - first + 0.002)
        scrape = await self.exporter.scrape()
        assert without_up(scrape) == {
            line
            for line in without_up(before)
            if not any(f'cluster_uid="{uid}"' in line for uid in self.failing)
        }
        assert scrape.rows(UP, "cluster_uid") == {uid: uid not in self.failing for uid in ALL}

    def is_whole_again(self, before: Scrape, after: Scrape) -> None:
        """Check that the fault has no effect two intervals after its end."""
        assert after.rows(UP, "cluster_uid") == dict.fromkeys(ALL, 1)
        assert after.everything() == before.everything()
        last = after.rows(LAST_SUCCESS, "cluster_uid")
        assert {self.exporter.clock.wall() - last[uid] <= INTERVAL for uid in ALL} == {True}
        assert self.exporter.said("error", "critical") == []
        recovered = {each["cluster_uid"] for each in self.exporter.events("refresh recovered")}
        assert recovered == self.failing


@asynccontextmanager
async def watching(
    world: World, way: str = "covered", *, front: Front | None = None, **how: Any
) -> AsyncIterator[Running]:
    """Run an exporter on the three clusters, first refreshes done, its health watched.

    front: the proxy to Palette.
    """
    targets = [target(path, cluster_name=NAMES[EAST]) for path in WAYS[way]]
    targets += [target(uid, cluster_name=NAMES[uid]) for uid in (WEST, NORTH)]
    settings = {"targets": targets, "refresh": {"interval": INTERVAL, "stale_after": STALE_AFTER}}
    async with AsyncExitStack() as stack:
        exporter = await stack.enter_async_context(exporting(world, **{**settings, **how}))
        if front is not None:
            front.upstream = (exporter.palette.host, exporter.palette.port)
        await stack.enter_async_context(exporter.loops())
        await stack.enter_async_context(healthy_throughout(exporter.url))
        yield exporter


def without_up(scrape: Scrape) -> set[str]:
    """Return the series of machines and snapshots, except whether the last refresh read them."""
    return scrape.everything(without=SNAPSHOT_UP)


async def _called(act: Callable[[], object]) -> None:
    done = act()
    if hasattr(done, "__await__"):
        await done
