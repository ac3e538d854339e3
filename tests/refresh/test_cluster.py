"""Several clusters at the same time, an API that is down, names and scopes."""

import asyncio

import pytest

from exporter.metrics.telemetry import REASONS
from exporter.palette.errors import PaletteError
from tests.harness import (
    EAST,
    EAST_PROJECT,
    INTERVAL,
    NORTH,
    NORTH_PROJECT,
    NOW,
    STALE_AFTER,
    WEST,
    WEST_PROJECT,
    exporting,
    meanwhile,
    put,
    target,
    tenant,
    until,
)
from tests.palette_server import faults
from tests.palette_server.faultbook import Match
from tests.palette_server.world import World

CLUSTER_UP = "palette_cluster_up"
FAILURES = "palette_exporter_refresh_failures_total"


@pytest.fixture
def world() -> World:
    world = tenant()
    put(world, "db-01", "east")
    put(world, "db-01", "west", cluster=WEST)
    return world


BOTH = [target(EAST, cluster_name="prod-east"), target(WEST, cluster_name="prod-west")]


async def test_a_cluster_that_hangs_for_good_delays_no_other(world: World) -> None:
    async with exporting(world, targets=BOTH) as exporter:
        slow = exporter.palette.faults.add(Match(cluster_uid=EAST), faults.hang())
        async with exporter.loops(settled=False):
            await exporter.idle()
            exporter.clock.advance(INTERVAL / 2)
            await until(lambda: slow.hits == 2)
            await exporter.idle(hanging=1)
            for second in range(1, 4):
                await exporter.pass_time(INTERVAL, hanging=1)
                scrape = await exporter.scrape()
                assert scrape.rows(CLUSTER_UP, "cluster_uid") == {WEST: 1}
                when = scrape.value("palette_cluster_last_success_timestamp_seconds")
                assert when == NOW + (second + 0.5) * INTERVAL
            assert slow.hits == 2
            assert await exporter.status("/-/ready") == 503
            assert await exporter.status("/-/healthy") == 200


async def test_one_cluster_that_fails_takes_nothing_from_another(world: World) -> None:
    async with exporting(world, targets=BOTH) as exporter, exporter.loops():
        before = await exporter.scrape()
        exporter.palette.faults.add(Match(cluster_uid=EAST), faults.status(500))
        await exporter.pass_time(STALE_AFTER + INTERVAL)
        scrape = await exporter.scrape()
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 0, WEST: 1}
        assert scrape.everything() == before.everything(without=EAST)
        assert scrape.counted(FAILURES, "cluster_name", "reason") == {
            ("prod-east", "server_error"): 6
        }
        assert exporter.said("warning") == ["refresh failing"]


async def test_an_api_that_is_down_at_the_start_is_said_once_and_recovers(world: World) -> None:
    async with exporting(world, up=False, targets=BOTH) as exporter, exporter.loops():
        await exporter.pass_time(5 * INTERVAL)
        scrape = await exporter.scrape()
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 0, WEST: 0}
        assert scrape.counted(FAILURES, "cluster_uid", "reason") == {
            (EAST, "connection"): 6,
            (WEST, "connection"): 6,
        }
        assert not scrape.everything()
        assert await exporter.status("/-/ready") == 200
        assert sorted(each["cluster"] for each in exporter.events("refresh failing")) == [
            "prod-east",
            "prod-west",
        ]
        await exporter.palette.start(port=exporter.palette.port)
        await exporter.pass_time(INTERVAL)
        scrape = await exporter.scrape()
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 1, WEST: 1}
        assert scrape.rows("palette_vm_snapshots", "cluster_uid") == {EAST: 1, WEST: 1}
        assert len(exporter.events("refresh recovered")) == 2
        assert exporter.said("warning") == ["refresh failing"] * 2


async def test_another_reason_for_failing_is_said_too(world: World) -> None:
    async with exporting(world, targets=BOTH[:1]) as exporter:
        for code in (500, 500, 403, 403, 500):
            exporter.palette.faults.clear()
            exporter.palette.faults.add(None, faults.status(code))
            await exporter.refresh()
        reasons = [each["reason"] for each in exporter.events("refresh failing")]
        assert reasons == ["server_error", "forbidden", "server_error"]


async def test_it_is_ready_once_every_first_refresh_has_ended(world: World) -> None:
    async with exporting(world, targets=BOTH) as exporter:
        exporter.palette.faults.add(Match(cluster_uid=WEST), faults.status(500))
        async with exporter.loops(settled=False):
            assert await exporter.status("/-/ready") == 503
            await exporter.pass_time(INTERVAL / 2)
            assert await exporter.status("/-/ready") == 200


async def test_a_name_that_no_target_gives_is_requested_once_for_all_clusters(
    world: World,
) -> None:
    targets = [target(EAST), target(WEST)]
    async with exporting(world, targets=targets) as exporter:
        for _ in range(3):
            scrape = await exporter.refresh()
            exporter.clock.advance(INTERVAL)
        names = scrape.rows("palette_cluster_info", "cluster_uid", "cluster_name", "cloud_type")
        assert names == {(EAST, "prod-east", "edge-native"): 1, (WEST, "prod-west", "maas"): 1}
        assert exporter.counted()["list_clusters"] == 1


async def test_a_name_given_by_a_target_is_not_requested(world: World) -> None:
    async with exporting(world, targets=[target(EAST, cluster_name="mine")]) as exporter:
        scrape = await exporter.refresh()
        assert scrape.rows("palette_cluster_info", "cluster_name") == {"mine": 1}
        assert not exporter.asked("list_clusters")


@pytest.mark.parametrize("fault", [faults.status(500), faults.html(), faults.reset()])
async def test_a_name_that_cannot_be_had_hinders_nothing(world: World, fault: faults.Fault) -> None:
    async with exporting(world, targets=[target(EAST)]) as exporter:
        exporter.palette.faults.add("list_clusters", fault)
        for _ in range(2):
            scrape = await exporter.refresh()
        assert scrape.rows("palette_vm_snapshots", "cluster_name") == {EAST: 1}
        assert scrape.value(CLUSTER_UP) == 1
        assert len(exporter.asked("list_clusters")) == 1
        assert not exporter.said("warning", "error")


async def test_a_cluster_that_is_not_listed_keeps_its_uid_for_a_name(world: World) -> None:
    world.remove_cluster(WEST)
    async with exporting(world, targets=[target(WEST)]) as exporter:
        scrape = await exporter.refresh()
        assert scrape.rows(CLUSTER_UP, "cluster_name") == {WEST: 0}
        assert scrape.counted(FAILURES, "reason") == {"not_found": 1}


async def test_an_unknown_name_is_requested_again_after_a_good_refresh(
    world: World,
) -> None:
    """Otherwise the exporters of a pair could keep two names for one cluster."""
    async with exporting(world, targets=[target(EAST)]) as exporter:
        failing = exporter.palette.faults.add("list_clusters", faults.status(500))
        scrape = await exporter.refresh()
        assert scrape.rows(CLUSTER_UP, "cluster_name") == {EAST: 1}
        failing.remove()
        exporter.clock.advance(INTERVAL)
        scrape = await exporter.refresh()
        assert scrape.rows(CLUSTER_UP, "cluster_name") == {"prod-east": 1}
        assert scrape.families_of(cluster_name=EAST) == set()


async def test_a_cluster_that_is_listed_later_gets_its_name_then(world: World) -> None:
    async with exporting(world, targets=[target(NORTH)]) as exporter:
        scrape = await exporter.refresh()
        assert scrape.rows(CLUSTER_UP, "cluster_name") == {NORTH: 0}
        world.add_cluster(NORTH, "prod-north", NORTH_PROJECT)
        exporter.clock.advance(INTERVAL)
        scrape = await exporter.refresh()
        assert scrape.rows(CLUSTER_UP, "cluster_name") == {"prod-north": 1}


async def test_a_dashboard_that_hangs_later_delays_no_refresh(world: World) -> None:
    async with exporting(world, targets=[target(NORTH), target(EAST)]) as exporter:
        await exporter.refresh()
        exporter.palette.faults.add("list_clusters", faults.hang())
        exporter.clock.advance(INTERVAL)
        async with asyncio.timeout(3.0):
            scrape = await exporter.refresh()
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 1, NORTH: 0}


async def test_failures_count_from_0_for_each_cluster_and_reason(world: World) -> None:
    """increase() needs the series before the first failure."""
    async with exporting(world, targets=[target(EAST, cluster_name="prod-east")]) as exporter:
        scrape = await exporter.refresh()
        rows = scrape.rows(FAILURES, "cluster_name", "reason")
        assert rows == {("prod-east", reason): 0 for reason in REASONS}
        assert set(REASONS) == {error.reason for error in errors_of(PaletteError)}


def errors_of(kind: type[PaletteError]) -> list[type[PaletteError]]:
    below = [error for each in kind.__subclasses__() for error in errors_of(each)]
    return below or [kind]


async def test_while_nothing_answers_the_name_is_requested_with_every_refresh(
    world: World,
) -> None:
    async with exporting(world, up=False, targets=[target(EAST)]) as exporter:
        await exporter.refresh()
        await exporter.palette.start(port=exporter.palette.port)
        exporter.clock.advance(INTERVAL)
        scrape = await exporter.refresh()
        assert scrape.rows(CLUSTER_UP, "cluster_name") == {"prod-east": 1}


async def test_a_cluster_is_read_in_the_scope_of_its_own_project(world: World) -> None:
    world.add_cluster(NORTH, "prod-north", NORTH_PROJECT)
    targets = [
        target(EAST),
        target(WEST, cluster_name="w", project_uid=WEST_PROJECT),
        target(NORTH, cluster_name="n"),
    ]
    async with exporting(world, targets=targets) as exporter:
        scrape = await exporter.refresh()
        assert set(scrape.rows(CLUSTER_UP, "cluster_uid").values()) == {1}
        scopes = {
            (each.raw_path.split("/")[3], each.project_uid)
            for each in exporter.asked("list_snapshots", "list_vms")
        }
        assert scopes == {(EAST, EAST_PROJECT), (WEST, WEST_PROJECT), (NORTH, None)}
        info = scrape.rows("palette_cluster_info", "cluster_uid", "project_uid")
        assert set(info) == {(EAST, EAST_PROJECT), (WEST, WEST_PROJECT), (NORTH, "")}


async def test_the_configured_project_is_the_scope_of_targets_that_name_none(world: World) -> None:
    palette = {"project_uid": EAST_PROJECT}
    targets = [target(EAST), target(WEST, project_uid=WEST_PROJECT)]
    async with exporting(world, palette=palette, targets=targets) as exporter:
        scrape = await exporter.refresh()
        assert scrape.rows(CLUSTER_UP, "cluster_name") == {"prod-east": 1, "prod-west": 1}
        scopes = {(each.endpoint, each.project_uid) for each in exporter.asked()}
        assert {scope for endpoint, scope in scopes if endpoint == "list_clusters"} == {
            EAST_PROJECT,
            WEST_PROJECT,
        }
        assert None not in {scope for _, scope in scopes}


async def test_a_forbidden_project_is_reported_and_affects_no_other(world: World) -> None:
    targets = [
        target(EAST, cluster_name="prod-east", project_uid=EAST_PROJECT),
        target(WEST, cluster_name="prod-west", project_uid=WEST_PROJECT),
    ]
    demo = {"forbidden_projects": [WEST_PROJECT]}
    async with exporting(world, demo=demo, targets=targets) as exporter, exporter.loops():
        scrape = await exporter.scrape()
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 1, WEST: 0}
        assert scrape.counted(FAILURES, "cluster_uid", "reason") == {(WEST, "forbidden"): 1}


async def test_times_of_the_last_refresh_are_exported(world: World) -> None:
    async with exporting(world, targets=BOTH[:1]) as exporter:
        slowly = meanwhile(lambda: exporter.clock.advance(1.5))
        exporter.palette.faults.add("list_vms", slowly, times=1)
        scrape = await exporter.refresh()
        assert scrape.value("palette_cluster_refresh_duration_seconds") == 1.5
        last = "palette_cluster_last_success_timestamp_seconds"
        assert scrape.value(last) == NOW + 1.5
        exporter.palette.faults.add("list_vms", faults.status(500))
        exporter.clock.advance(INTERVAL)
        scrape = await exporter.refresh()
        assert scrape.value(last) == NOW + 1.5
        assert scrape.value("palette_cluster_refresh_duration_seconds") == 0


async def test_a_refresh_that_is_cancelled_publishes_nothing(world: World) -> None:
    async with exporting(world, targets=BOTH[:1]) as exporter:
        before = await exporter.refresh()
        world.delete_vm(EAST, "vms", "db-01")
        slow = exporter.palette.faults.add("list_snapshots", faults.hang())
        refreshing = asyncio.create_task(exporter.cluster(EAST).refresh())
        await until(lambda: slow.hits == 1)
        refreshing.cancel()
        await asyncio.wait([refreshing])
        assert (await exporter.scrape()).everything() == before.everything()
