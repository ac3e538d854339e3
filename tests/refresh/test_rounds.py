"""Rounds over all clusters: their duration, and rounds that take too long."""

from collections import Counter
from itertools import pairwise

import pytest

from tests.harness import (
    EAST,
    INTERVAL,
    LOOK_EVERY,
    WEST,
    exporting,
    meanwhile,
    put,
    target,
    tenant,
)
from tests.palette_server import faults
from tests.palette_server.faultbook import Match
from tests.palette_server.world import World

ROUND = "palette_exporter_round_seconds"
STRETCHED = "refresh round exceeds interval"
FITS = "refresh round fits interval again"

BOTH = [target(EAST, cluster_name="prod-east"), target(WEST, cluster_name="prod-west")]
SLOWLY = {"requests_per_second": 0.05, "burst": 10_000}
"""Four requests take 80 s at that rate; the burst lets a test have them at once."""


@pytest.fixture
def world() -> World:
    world = tenant()
    put(world, "db-01", "east")
    put(world, "db-01", "west", cluster=WEST)
    return world


async def test_the_plan_is_said_at_the_start(world: World) -> None:
    palette = {"requests_per_second": 8, "burst": 10_000}
    async with exporting(world, palette=palette, targets=BOTH) as exporter, exporter.loops():
        (plan,) = exporter.events("plan")
        assert plan["clusters"] == 2
        assert plan["requests_per_refresh"] == 4
        assert plan["seconds_at_configured_rate"] == 0.5


async def test_a_round_is_as_long_as_its_pages_take_at_the_configured_rate(world: World) -> None:
    for number in range(120):
        put(world, f"vm-{number:03d}", f"s-{number:03d}", namespace="many")
    palette = {"requests_per_second": 8, "burst": 10_000}
    async with exporting(world, palette=palette, targets=BOTH) as exporter, exporter.loops():
        assert (await exporter.scrape()).value(ROUND) == (3 + 3 + 1 + 1) / 8
        world.delete_namespace(EAST, "many")
        await exporter.pass_time(INTERVAL)
        assert (await exporter.scrape()).value(ROUND) == 4 / 8


async def test_a_round_that_does_not_fit_is_said_once_and_shown(world: World) -> None:
    async with (
        exporting(world, palette=SLOWLY, discovery={"enabled": True}) as exporter,
        exporter.loops(),
    ):
        await exporter.pass_time(4 * INTERVAL)
        assert (await exporter.scrape()).value(ROUND) == pytest.approx(80)
        assert exporter.said("warning") == [STRETCHED]
        (said,) = exporter.events(STRETCHED)
        assert (said["round_seconds"], said["interval_seconds"]) == (80, INTERVAL)
        world.remove_cluster(WEST)
        await exporter.pass_time(LOOK_EVERY)
        assert (await exporter.scrape()).value(ROUND) == pytest.approx(40)
        assert exporter.said("warning") == [STRETCHED, "clusters no longer discovered"]
        assert len(exporter.events(FITS)) == 1


async def test_an_outage_does_not_make_a_round_look_shorter(world: World) -> None:
    for number in range(60):
        put(world, f"vm-{number:03d}", f"s-{number:03d}", namespace="many")
    palette = {"requests_per_second": 0.09, "burst": 10_000}
    async with exporting(world, palette=palette, targets=BOTH) as exporter, exporter.loops():
        before = (await exporter.scrape()).value(ROUND)
        assert before == pytest.approx(6 / 0.09)
        exporter.palette.faults.add(None, faults.status(500))
        await exporter.pass_time(2 * INTERVAL)
        assert (await exporter.scrape()).value(ROUND) == before
        assert not exporter.events(FITS)
        assert len(exporter.events(STRETCHED)) == 1


async def test_refreshes_that_take_longer_than_the_interval_do_not_pile_up(world: World) -> None:
    """Each takes two and a half intervals: the next one follows at once, and none is added."""
    async with exporting(world, targets=BOTH[:1]) as exporter:
        clock, slow = exporter.clock, 2.5 * INTERVAL
        late = meanwhile(lambda: clock.advance(slow))
        async with exporter.loops(settled=False):
            await exporter.idle()
            exporter.palette.faults.add("list_vms", late, times=4)
            await exporter.pass_time(INTERVAL / 2)
            await exporter.idle()
            times = [each.at for each in exporter.asked("list_vms")]
            gaps = [after - before for before, after in pairwise(times)]
            assert gaps == pytest.approx([slow] * 4)
            ended = clock.monotonic()
            await exporter.pass_time(3 * INTERVAL)
            later = [each.at for each in exporter.asked("list_vms") if each.at >= ended]
            assert len(later) <= 4
            per_second = Counter(each.at for each in exporter.asked("list_vms"))
            assert max(per_second.values()) == 1
            assert exporter.palette.most_in_flight <= 2


async def test_clusters_do_not_begin_at_the_same_moment() -> None:
    world = World.empty()
    for number in range(20):
        world.add_cluster(f"c-{number}", f"c-{number}", f"p-{number}")
    async with exporting(world, discovery={"enabled": True}) as exporter:
        async with exporter.loops():
            await exporter.pass_time(INTERVAL)
            starts = {
                number: [e.at for e in exporter.asked("list_vms") if f"/c-{number}/" in e.raw_path]
                for number in range(20)
            }
        assert len({at[0] for at in starts.values()}) == 20
        spread = [at[0] for at in starts.values()]
        assert max(spread) - min(spread) <= 2.0
        assert all(
            at[1] - at[0] == pytest.approx(INTERVAL) for at in starts.values() if len(at) > 1
        )


async def test_requests_of_a_refresh_that_was_cut_short_are_not_forgotten(world: World) -> None:
    for number in range(120):
        put(world, f"vm-{number:03d}", namespace="many")
    async with exporting(world, targets=BOTH[:1]) as exporter:
        await exporter.refresh()
        assert exporter.cluster(EAST).requests == 4
        exporter.palette.faults.add(Match(endpoint="list_vms", page=2), faults.status(500))
        await exporter.refresh()
        assert exporter.cluster(EAST).requests == 4
