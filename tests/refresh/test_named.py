"""Snapshots that targets name are read independently."""

import asyncio

import pytest

from exporter.refresh import reader as reading
from tests.harness import (
    EAST,
    INTERVAL,
    STALE_AFTER,
    Running,
    exporting,
    put,
    target,
    tenant,
    until,
)
from tests.palette_server.faultbook import Match
from tests.palette_server.faults import delay, hang, status
from tests.palette_server.world import World

UP = "palette_vm_snapshot_up"
READY = "palette_vm_snapshot_ready"

# A list's filter separates names by commas: a name with a comma makes all single calls.
ODD = target(f"{EAST}/vms/odd,one/odd")
HOW = pytest.mark.parametrize("more", [[], [ODD]], ids=["by a list", "one by one"])


@pytest.fixture
def world() -> World:
    world = tenant()
    put(world, "db-01", "old", "new")
    put(world, "db-02", "nightly")
    put(world, "odd,one", "odd")
    return world


def named(*paths: str) -> list[dict[str, str]]:
    return [target(f"{EAST}/vms/{path}", cluster_name="prod-east") for path in paths]


@HOW
async def test_a_deleted_snapshot_ends_at_once_and_is_reported_missing(
    world: World, more: list[dict[str, str]]
) -> None:
    async with exporting(world, targets=[*named("db-01/old", "db-01/new"), *more]) as exporter:
        before = await exporter.refresh()
        assert before.rows(UP, "snapshot", vm="db-01") == {"old": 1, "new": 1}
        world.delete_snapshot(EAST, "vms", "old")
        exporter.palette.forget_requests()
        after = await exporter.refresh()
        assert set(exporter.counted()) == ({"get_snapshot"} if more else {"list_snapshots"})
        assert after.rows(UP, "snapshot", vm="db-01") == {"old": 0, "new": 1}
        assert after.families_of(snapshot="old") == {UP}
        assert after.matching(READY, snapshot="new")
        assert after.value("palette_cluster_up") == 1


@HOW
async def test_a_snapshot_of_another_machine_is_not_the_one_that_is_named(
    world: World, more: list[dict[str, str]]
) -> None:
    async with exporting(world, targets=[*named("db-01/old", "db-02/new"), *more]) as exporter:
        scrape = await exporter.refresh()
        assert scrape.rows(UP, "vm", "snapshot", snapshot="new") == {("db-02", "new"): 0}
        assert scrape.families_of(snapshot="new") == {UP}


async def test_one_that_answers_500_keeps_its_own_state_until_it_is_stale(world: World) -> None:
    targets = [*named("db-01/new", "db-02/nightly"), ODD]
    async with exporting(world, targets=targets) as exporter:
        before = await exporter.refresh()
        world.delete_vm(EAST, "vms", "db-01")
        for _ in range(4):
            exporter.clock.advance(INTERVAL)
            scrape = await exporter.refresh()
            assert scrape.rows(UP, "vm") == {"db-01": 0, "db-02": 1, "odd,one": 1}
            assert scrape.matching(READY, vm="db-01") == before.matching(READY, vm="db-01")
            assert scrape.value("palette_cluster_up") == 1
        exporter.clock.advance(INTERVAL - 0.001)
        assert (await exporter.scrape()).matching(READY, vm="db-01")
        exporter.clock.advance(0.001)
        scrape = await exporter.scrape()
        assert scrape.families_of(vm="db-01") == {UP}
        assert scrape.matching(READY, vm="db-02")
        assert scrape.rows(UP, "vm")["db-01"] == 0
        assert exporter.events("snapshot not read") == [
            {
                "event": "snapshot not read",
                "log_level": "warning",
                "cluster": "prod-east",
                "cluster_uid": EAST,
                "namespace": "vms",
                "vm": "db-01",
                "snapshot": "new",
                "reason": "server_error",
                "error": exporter.events("snapshot not read")[0]["error"],
            }
        ]


async def test_a_machine_that_comes_back_is_said_and_shown(world: World) -> None:
    document = world.vms(EAST)[0]
    async with exporting(world, targets=[*named("db-01/new"), ODD]) as exporter:
        world.delete_vm(EAST, "vms", "db-01")
        scrape = await exporter.refresh()
        assert scrape.families_of(vm="db-01") == {UP}
        world.put_vm(EAST, document)
        scrape = await exporter.refresh()
        assert scrape.rows(UP, "vm")["db-01"] == 1
        assert len(exporter.events("snapshot read again")) == 1


async def test_a_cluster_none_of_whose_snapshots_answers_is_down(world: World) -> None:
    async with exporting(world, targets=[*named("db-01/new"), ODD]) as exporter:
        await exporter.refresh()
        exporter.palette.faults.add("get_snapshot", status(403))
        scrape = await exporter.refresh()
        assert scrape.value("palette_cluster_up") == 0
        assert set(scrape.rows(UP, "vm").values()) == {0}
        failures = scrape.counted("palette_exporter_refresh_failures_total", "reason")
        assert failures == {"forbidden": 1}


async def test_missing_ones_are_an_answer_and_no_failure_of_the_cluster(world: World) -> None:
    async with exporting(world, targets=named("db-01/gone")) as exporter:
        scrape = await exporter.refresh()
        assert scrape.rows(UP, "snapshot") == {"gone": 0}
        assert scrape.value("palette_cluster_up") == 1
        assert not scrape.counted(
            "palette_exporter_refresh_failures_total", "cluster_uid", "reason"
        )


async def test_one_that_hangs_does_not_hold_the_others_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PATIENCE", 0.05)
    targets = [*named("db-01/new", "db-02/nightly"), ODD]
    async with exporting(world, targets=targets) as exporter:
        exporter.palette.faults.add("db-02", hang())
        refreshing = asyncio.create_task(exporter.cluster(EAST).refresh())
        await until(lambda: exporter.shared.store.get(EAST) is not None)
        scrape = await exporter.scrape()
        assert scrape.rows(UP, "vm") == {"db-01": 1, "db-02": 0, "odd,one": 1}
        assert scrape.rows(READY, "vm") == {"db-01": 1, "odd,one": 1}
        assert not refreshing.done()
        refreshing.cancel()


async def test_while_one_hangs_the_lists_last_outcome_stands(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers of named snapshots must not count as an answer of the lists."""
    monkeypatch.setattr(reading, "PATIENCE", 0.05)
    put(world, "web-01", "nightly", namespace="shop")
    targets = [*named("db-01/new", "db-02/nightly"), ODD, target(f"{EAST}/shop")]
    async with exporting(world, targets=targets) as exporter:
        good = await exporter.refresh()
        exporter.palette.faults.add("list_vms", status(500))
        exporter.clock.advance(INTERVAL)
        bad = await exporter.refresh()
        when = "palette_cluster_last_success_timestamp_seconds"
        assert bad.value("palette_cluster_up") == 0
        slow = exporter.palette.faults.add("db-02", hang())
        exporter.clock.advance(INTERVAL)
        world.delete_snapshot(EAST, "vms", "new")
        refreshing = asyncio.create_task(exporter.cluster(EAST).refresh())
        await until(lambda: slow.hits > 0)
        await until(lambda: not named_up(exporter, "db-01"))
        early = await exporter.scrape()
        assert early.value("palette_cluster_up") == 0
        assert early.value(when) == bad.value(when) == good.value(when)
        assert early.matching("palette_vm_snapshots", vm="web-01")
        refreshing.cancel()


def named_up(exporter: Running, vm: str) -> bool:
    state = exporter.shared.store.get(EAST)
    assert state is not None
    return all(one.up for one in state.named if one.vm == vm)


async def test_a_list_reads_them_where_that_takes_fewer_requests(world: World) -> None:
    async with exporting(world, targets=named("db-01/old", "db-01/new", "db-02/nightly")) as one:
        scrape = await one.refresh()
        assert one.counted() == {"list_snapshots": 1}
        assert scrape.rows(UP, "snapshot") == dict.fromkeys(("old", "new", "nightly"), 1)
    async with exporting(world, targets=named("db-01/old")) as one:
        await one.refresh()
        assert one.counted() == {"get_snapshot": 1}


@pytest.mark.parametrize(
    ("snapshots", "wanted", "requests"),
    [
        (60, 2, {"get_snapshot": 2}),
        (60, 3, {"list_snapshots": 2}),
        (420, 3, {"get_snapshot": 3}),
        (420, 10, {"list_snapshots": 9}),
    ],
)
async def test_a_list_that_turns_out_longer_is_not_read_again(
    snapshots: int, wanted: int, requests: dict[str, int]
) -> None:
    world = tenant()
    names = [f"nightly-{number:03d}" for number in range(snapshots)]
    put(world, "db-01", *names)
    async with exporting(
        world, targets=named(*(f"db-01/{name}" for name in names[:wanted]))
    ) as exporter:
        await exporter.refresh()
        for _ in range(2):
            exporter.palette.forget_requests()
            scrape = await exporter.refresh()
            assert exporter.counted() == requests
            assert sum(scrape.rows(UP, "snapshot").values()) == wanted
            assert exporter.cluster(EAST).requests == requests.popitem()[1] or not requests
            requests = dict(exporter.counted())


async def test_a_list_that_answers_500_gives_way_to_one_by_one(world: World) -> None:
    """Palette can fail for one deleted machine, which must not affect the others."""
    async with exporting(world, targets=named("db-01/new", "db-02/nightly")) as exporter:
        exporter.palette.faults.add("list_snapshots", status(500))
        world.delete_vm(EAST, "vms", "db-02")
        scrape = await exporter.refresh()
        assert scrape.rows(UP, "vm") == {"db-01": 1, "db-02": 0}
        assert scrape.value("palette_cluster_up") == 1
        assert exporter.counted() == {"list_snapshots": 1, "get_snapshot": 2}
        assert exporter.cluster(EAST).requests == 3


async def test_a_refused_list_is_not_replaced_by_single_calls(world: World) -> None:
    async with exporting(world, targets=named("db-01/new", "db-02/nightly")) as exporter:
        before = await exporter.refresh()
        exporter.palette.faults.add("list_snapshots", status(403))
        scrape = await exporter.refresh()
        assert exporter.counted() == {"list_snapshots": 2}
        assert scrape.rows(UP, "vm") == {"db-01": 0, "db-02": 0}
        assert scrape.series(READY) == before.series(READY)
        assert scrape.value("palette_cluster_up") == 0


async def test_a_late_answer_is_waited_for(world: World) -> None:
    async with exporting(world, targets=named("db-01/new")) as exporter:
        exporter.palette.faults.add(Match(endpoint="get_snapshot"), delay(0.1))
        assert (await exporter.refresh()).rows(UP, "vm") == {"db-01": 1}


async def test_a_kept_snapshot_ends_at_the_next_scrape_even_during_a_refresh(
    world: World,
) -> None:
    async with exporting(world, targets=named("db-01/new")) as exporter:
        await exporter.refresh()
        world.delete_vm(EAST, "vms", "db-01")
        exporter.clock.advance(INTERVAL)
        await exporter.refresh()
        slow = exporter.palette.faults.add(None, hang())
        refreshing = asyncio.create_task(exporter.cluster(EAST).refresh())
        await until(lambda: slow.hits == 1)
        exporter.clock.advance(STALE_AFTER - INTERVAL - 0.001)
        assert (await exporter.scrape()).matching(READY, vm="db-01")
        exporter.clock.advance(0.001)
        assert not (await exporter.scrape()).matching(READY, vm="db-01")
        refreshing.cancel()
