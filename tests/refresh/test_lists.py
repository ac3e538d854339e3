"""Lists are complete or failures: a failure in the middle changes only series about failures."""

import asyncio
from collections.abc import Callable

import pytest

from exporter.palette import client
from tests.harness import (
    EAST,
    INTERVAL,
    STALE_AFTER,
    Scrape,
    exporting,
    meanwhile,
    put,
    target,
    tenant,
    until,
)
from tests.palette_server import faults
from tests.palette_server.faultbook import Match
from tests.palette_server.faults import Fault
from tests.palette_server.world import World

VMS = 52
FAILURES = "palette_exporter_refresh_failures_total"
LISTS = pytest.mark.parametrize("endpoint", ["list_snapshots", "list_vms"])

EVERYTHING = [target(EAST, cluster_name="prod-east")]


@pytest.fixture
def world() -> World:
    """Two pages of machines, three of snapshots: two each."""
    world = tenant()
    for number in range(VMS):
        put(world, f"vm-{number:02d}", f"old-{number:02d}", f"new-{number:02d}")
    return world


def uncovered(scrape: Scrape) -> list[str]:
    """Return the machines without a snapshot in the metrics."""
    return [vm for vm, count in scrape.rows("palette_vm_snapshots", "vm").items() if count == 0]


@LISTS
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (faults.status(500), "server_error"),
        (faults.status(503), "server_error"),
        (faults.status(403), "forbidden"),
        (faults.status(401), "unauthorized"),
        (faults.status(404), "not_found"),
        (faults.status(429), "rate_limited"),
        (faults.html(), "invalid_response"),
        (faults.respond(200, b""), "invalid_response"),
        (faults.respond(200, b'{"metadata":{},"items":[{"metadata":{"na'), "invalid_response"),
        (faults.respond(200, []), "invalid_response"),
        (faults.respond(200, {"code": "Oops", "message": "no"}), "invalid_response"),
        (faults.truncate(), "connection"),
        (faults.reset("middle"), "connection"),
        (faults.reset(), "connection"),
        (faults.repeated_token(), "invalid_response"),
        (faults.endless_pages(), "invalid_response"),
    ],
)
async def test_a_page_that_fails_in_the_middle_keeps_the_last_good_state(
    world: World, endpoint: str, fault: Fault, reason: str
) -> None:
    async with exporting(world, targets=EVERYTHING) as exporter:
        before = await exporter.refresh()
        assert len(before.rows("palette_vm_snapshots", "vm")) == VMS
        exporter.clock.advance(INTERVAL)
        planned = exporter.palette.faults.add(Match(endpoint=endpoint, page=2), fault)
        if fault.__qualname__.startswith(("repeated", "endless")):
            planned.remove()
            exporter.palette.faults.add(endpoint, fault)
        scrape = await exporter.refresh()
        assert scrape.everything() == before.everything()
        assert scrape.value("palette_cluster_up") == 0
        assert scrape.counted(FAILURES, "cluster_uid", "reason") == {(EAST, reason): 1}
        last = "palette_cluster_last_success_timestamp_seconds"
        assert scrape.value(last) == before.value(last)


@LISTS
@pytest.mark.parametrize("page", [1, 2])
async def test_a_first_page_or_a_later_one_that_fails_at_the_start_shows_no_machine(
    world: World, endpoint: str, page: int
) -> None:
    async with exporting(world, targets=EVERYTHING) as exporter:
        exporter.palette.faults.add(Match(endpoint=endpoint, page=page), faults.status(500))
        scrape = await exporter.refresh()
        assert not scrape.everything()
        assert scrape.value("palette_cluster_up") == 0
        assert not scrape.series("palette_cluster_last_success_timestamp_seconds")
        exporter.palette.faults.clear()
        scrape = await exporter.refresh()
        assert scrape.value("palette_cluster_up") == 1
        assert not uncovered(scrape)
        assert exporter.said("warning", "info")[-2:] == ["refresh failing", "refresh recovered"]


@LISTS
async def test_a_list_that_hangs_keeps_the_last_good_state_until_it_is_stale(
    world: World, endpoint: str
) -> None:
    async with exporting(world, request_timeout=0.1, targets=EVERYTHING) as exporter:
        before = await exporter.refresh()
        exporter.palette.faults.add(Match(endpoint=endpoint, page=2), faults.hang("middle"))
        exporter.clock.advance(INTERVAL)
        scrape = await exporter.refresh()
        assert scrape.everything() == before.everything()
        assert scrape.counted(FAILURES, "reason") == {"timeout": 1}
        exporter.clock.advance(STALE_AFTER - INTERVAL - 0.001)
        assert (await exporter.scrape()).everything() == before.everything()
        exporter.clock.advance(0.001)
        scrape = await exporter.scrape()
        assert not scrape.everything()
        assert scrape.value("palette_cluster_up") == 0
        assert exporter.said("warning") == ["refresh failing"]


async def test_stale_series_end_at_the_next_scrape_even_during_a_refresh(
    world: World,
) -> None:
    async with exporting(world, targets=EVERYTHING) as exporter:
        await exporter.refresh()
        exporter.palette.faults.add("list_vms", faults.status(500))
        exporter.clock.advance(INTERVAL)
        await exporter.refresh()
        slow = exporter.palette.faults.add("list_snapshots", faults.hang())
        refreshing = asyncio.create_task(exporter.cluster(EAST).refresh())
        await until(lambda: slow.hits == 1)
        exporter.clock.advance(STALE_AFTER - INTERVAL)
        assert not (await exporter.scrape()).everything()
        refreshing.cancel()


async def test_the_wall_clock_does_not_change_which_state_is_kept(world: World) -> None:
    async with exporting(world, targets=EVERYTHING) as exporter:
        before = await exporter.refresh()
        exporter.palette.faults.add("list_vms", faults.status(500))
        await exporter.refresh()
        for skew in (1e6, -2e6):
            exporter.clock.ahead += skew
            scrape = await exporter.scrape()
            assert scrape.everything() == before.everything()
            assert min(scrape.rows("palette_vm_snapshot_age_seconds", "snapshot").values()) >= 0


async def test_endless_pages_of_ever_new_items_end_with_an_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.MOST_PAGES == 10_000
    monkeypatch.setattr(client, "MOST_PAGES", 25)
    async with exporting(world, targets=EVERYTHING) as exporter:
        before = await exporter.refresh()
        exporter.palette.forget_requests()
        exporter.palette.faults.add("list_snapshots", faults.endless_pages(new_items=True))
        scrape = await exporter.refresh()
        assert exporter.counted()["list_snapshots"] == 25
        assert scrape.everything() == before.everything()
        assert scrape.counted(FAILURES, "reason") == {"invalid_response": 1}


@LISTS
async def test_an_expired_token_restarts_that_list_once(world: World, endpoint: str) -> None:
    async with exporting(world, targets=EVERYTHING) as exporter:
        before = await exporter.refresh()
        exporter.palette.forget_requests()
        last_page = Match(endpoint=endpoint, page=2)
        exporter.palette.faults.add(last_page, faults.status(410), times=1)
        scrape = await exporter.refresh()
        assert scrape.everything() == before.everything()
        assert scrape.value("palette_cluster_up") == 1
        whole = {"list_snapshots": 3, "list_vms": 2}
        assert exporter.counted() == whole | {endpoint: whole[endpoint] + 2}


@LISTS
async def test_a_token_that_expires_again_fails_the_refresh(world: World, endpoint: str) -> None:
    async with exporting(world, targets=EVERYTHING) as exporter:
        before = await exporter.refresh()
        exporter.palette.faults.add(Match(endpoint=endpoint, page=2), faults.status(410))
        exporter.palette.forget_requests()
        scrape = await exporter.refresh()
        assert scrape.everything() == before.everything()
        assert scrape.counted(FAILURES, "reason") == {"invalid_response": 1}
        assert len([each for each in exporter.asked(endpoint) if each.page == 2]) == 2


async def test_tokens_that_palette_itself_lets_expire_are_no_failure(world: World) -> None:
    async with exporting(world, targets=EVERYTHING) as exporter:
        second = Match(endpoint="list_snapshots", page=2)
        expiring = meanwhile(exporter.palette.expire_continue_tokens)
        exporter.palette.faults.add(second, expiring, times=1)
        scrape = await exporter.refresh()
        assert scrape.value("palette_cluster_up") == 1
        assert set(scrape.rows("palette_vm_snapshots", "vm").values()) == {2}


@pytest.mark.parametrize(
    ("endpoint", "documents"), [("list_snapshots", World.snapshots), ("list_vms", World.vms)]
)
async def test_an_item_on_two_pages_counts_once(
    world: World, endpoint: str, documents: Callable[[World, str], list[object]]
) -> None:
    async with exporting(world, targets=EVERYTHING) as exporter:
        before = await exporter.refresh()
        first = documents(world, EAST)[0]
        again = faults.transform(lambda page: page | {"items": [first, *page["items"]]})
        exporter.palette.faults.add(Match(endpoint=endpoint, page=2), again)
        scrape = await exporter.refresh()
        assert scrape.everything() == before.everything()
        assert scrape.value("palette_cluster_up") == 1


@LISTS
async def test_items_that_were_not_requested_make_no_series(world: World, endpoint: str) -> None:
    """The list can lack snapshots of another target's machine, which must not look unprotected."""
    put(world, "web-01", "web", namespace="shop")
    put(world, "web-02", namespace="shop")
    put(world, "vm-00", "twin", namespace="else")
    targets = [target(f"{EAST}/shop"), target(f"{EAST}/vms/vm-00")]
    async with exporting(world, targets=targets) as exporter:
        before = await exporter.refresh()
        machines = {"web-01": 1, "web-02": 0, "vm-00": 2}
        assert before.rows("palette_vm_snapshots", "vm") == machines
        exporter.palette.faults.add(endpoint, faults.foreign_items())
        scrape = await exporter.refresh()
        assert scrape.everything() == before.everything()


async def test_one_unreadable_item_costs_itself_alone(world: World) -> None:
    def spoil(page: dict[str, object]) -> dict[str, object]:
        items = page["items"]
        assert isinstance(items, list)
        return page | {"items": ["nonsense", {"metadata": {}}, *items[1:]]}

    async with exporting(world, targets=EVERYTHING) as exporter:
        first = Match(endpoint="list_snapshots", page=1)
        exporter.palette.faults.add(first, faults.transform(spoil))
        for _ in range(2):
            scrape = await exporter.refresh()
        assert len(scrape.series("palette_vm_snapshot_info")) == 2 * VMS - 1
        assert scrape.value("palette_cluster_up") == 1
        decode_errors = scrape.rows("palette_exporter_decode_errors_total", "field")
        assert decode_errors == {"items": 2, "metadata.name": 2}
        assert exporter.said("warning") == ["unreadable value"] * 2


async def test_a_snapshot_in_a_failing_list_keeps_its_state_as_the_list_does(world: World) -> None:
    named = target(f"{EAST}/vms/vm-00/new-00")
    async with exporting(world, targets=[*EVERYTHING, named]) as exporter:
        before = await exporter.refresh()
        assert before.rows("palette_vm_snapshot_up", "snapshot") == {"new-00": 1}
        exporter.palette.faults.add(Match(endpoint="list_snapshots", page=3), faults.status(500))
        world.delete_snapshot(EAST, "vms", "new-00")
        scrape = await exporter.refresh()
        assert scrape.rows("palette_vm_snapshot_up", "snapshot") == {"new-00": 0}
        assert scrape.matching("palette_vm_snapshot_ready", snapshot="new-00")
        exporter.palette.faults.clear()
        scrape = await exporter.refresh()
        assert scrape.families_of(snapshot="new-00") == {"palette_vm_snapshot_up"}


async def test_series_that_are_no_longer_wanted_end_even_if_the_list_fails(world: World) -> None:
    put(world, "other", "elsewhere", namespace="test")
    async with exporting(world, targets=EVERYTHING) as exporter, exporter.loops():
        exporter.palette.faults.add("list_vms", faults.status(500))
        await exporter.reload(targets=[target(f"{EAST}/test", cluster_name="prod-east")])
        await exporter.idle()
        await exporter.pass_time(INTERVAL)
        scrape = await exporter.scrape()
        assert scrape.value("palette_cluster_up") == 0
        assert scrape.rows("palette_vm_snapshots", "namespace", "vm") == {("test", "other"): 1}
        assert scrape.rows("palette_vm_snapshot_ready", "snapshot") == {"elsewhere": 1}
