"""New settings replace the active ones, and unchanged parts continue."""

import asyncio
from typing import Any

import pytest

from tests.harness import (
    EAST,
    EAST_PROJECT,
    INTERVAL,
    LOOK_EVERY,
    NOW,
    STALE_AFTER,
    WEST,
    WEST_PROJECT,
    Running,
    exporting,
    put,
    target,
    tenant,
    until,
)
from tests.palette_server import faults
from tests.palette_server.faultbook import Match
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World

CLUSTER_UP = "palette_cluster_up"
FAILURES = "palette_exporter_refresh_failures_total"
LAST_SUCCESS = "palette_cluster_last_success_timestamp_seconds"
RELOADED = "palette_exporter_config_last_reload_successful"
RELOADED_AT = "palette_exporter_config_last_reload_success_timestamp_seconds"
OBJECTIVE = "palette_vm_snapshot_objective_seconds"
DISCOVERY_UP = "palette_discovery_up"

EAST_ONLY = [target(EAST, cluster_name="prod-east")]
WEST_ONLY = [target(WEST, cluster_name="prod-west")]
BOTH = EAST_ONLY + WEST_ONLY


@pytest.fixture
def world() -> World:
    world = tenant()
    for cluster in (EAST, WEST):
        put(world, "db-01", "a", "b", cluster=cluster)
        put(world, "db-02", "c", cluster=cluster, namespace="test")
    return world


async def soon(exporter: Running) -> None:
    """Wait until everything that a reload made due has ended, first refreshes included."""
    await exporter.idle()
    await exporter.pass_time(1.0)


async def turns(count: int = 20) -> None:
    """Let the tasks that are ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_cluster_that_stays_keeps_its_series_and_its_loop(world: World) -> None:
    async with exporting(world, targets=EAST_ONLY) as exporter, exporter.loops():
        before = await exporter.scrape()
        loop = exporter.exporter._loops[EAST]
        exporter.palette.forget_requests()
        exporter.clock.advance(1.0)
        scrape = await exporter.reload(targets=BOTH)
        assert scrape.everything() == before.everything()
        assert scrape.value(RELOADED_AT) == NOW + INTERVAL / 2 + 1
        await soon(exporter)
        assert exporter.exporter._loops[EAST] is loop
        assert not [each for each in exporter.asked() if EAST in each.raw_path]
        assert (await exporter.scrape()).rows(CLUSTER_UP, "cluster_uid") == {EAST: 1, WEST: 1}
        await exporter.pass_time(INTERVAL)
        assert [each for each in exporter.asked() if EAST in each.raw_path]


async def test_all_series_of_a_cluster_that_leaves_end_at_once(world: World) -> None:
    async with exporting(world, targets=BOTH) as exporter, exporter.loops():
        exporter.palette.faults.add(Match(cluster_uid=WEST), faults.status(500))
        await exporter.pass_time(INTERVAL)
        before = await exporter.scrape()
        assert FAILURES in before.families_of(cluster_uid=WEST)
        scrape = await exporter.reload(targets=EAST_ONLY)
        assert scrape.families_of(cluster_uid=WEST) == set()
        assert scrape.everything() == before.everything(without=WEST)
        exporter.palette.forget_requests()
        await exporter.pass_time(2 * INTERVAL)
        assert not [each for each in exporter.asked() if WEST in each.raw_path]


async def test_an_answer_for_a_cluster_that_was_removed_publishes_nothing(world: World) -> None:
    async with exporting(world, targets=BOTH) as exporter, exporter.loops():
        slow = exporter.palette.faults.add(Match(cluster_uid=WEST), faults.hang())
        await exporter.pass_time(INTERVAL, hanging=1)
        assert slow.hits == 2
        scrape = await exporter.reload(targets=EAST_ONLY)
        assert scrape.families_of(cluster_uid=WEST) == set()
        await exporter.pass_time(2 * INTERVAL)
        assert (await exporter.scrape()).families_of(cluster_uid=WEST) == set()


async def test_a_renamed_cluster_never_shows_both_names(world: World) -> None:
    async with exporting(world, targets=BOTH) as exporter, exporter.loops():
        failing = exporter.palette.faults.add(Match(cluster_uid=EAST), faults.status(500))
        await exporter.pass_time(INTERVAL)
        failing.remove()
        renamed = [target(EAST, cluster_name="mine", project_uid=EAST_PROJECT), *WEST_ONLY]
        scrape = await exporter.reload(targets=renamed)
        names = {"prod-east", "mine"}
        for _ in range(3):
            shown = {name for name in names if scrape.families_of(cluster_name=name)}
            assert len(shown) == 1
            await exporter.pass_time(INTERVAL / 2)
            scrape = await exporter.scrape()
        assert shown == {"mine"}
        info = scrape.rows("palette_cluster_info", "project_uid", cluster_uid=EAST)
        assert info == {EAST_PROJECT: 1}
        assert scrape.rows("palette_vm_snapshots", "vm", cluster_name="mine") == {
            "db-01": 2,
            "db-02": 1,
        }


async def test_other_targets_of_a_cluster_are_read_without_waiting_for_the_interval(
    world: World,
) -> None:
    named = [target(f"{EAST}/vms/db-01/a", cluster_name="e")]
    hourly = {"interval": "1h", "stale_after": "2h"}
    async with (
        exporting(world, targets=named, refresh=hourly) as exporter,
        exporter.loops(),
    ):
        await exporter.reload(targets=[*named, target(f"{EAST}/vms/db-01/b")])
        await soon(exporter)
        scrape = await exporter.scrape()
        assert scrape.rows("palette_vm_snapshot_up", "snapshot") == {"a": 1, "b": 1}


async def test_a_new_key_is_used_from_the_next_request_on(world: World) -> None:
    """Also in a running refresh, even if the old key is revoked in the meantime."""
    async with exporting(world, targets=EAST_ONLY) as exporter, exporter.loops():
        exporter.palette.api_keys.add("rotated")

        async def revoked(exchange: Any) -> Any:
            await exporter.reload(palette={"api_key": "rotated"})
            exporter.palette.api_keys.discard(API_KEY)
            return await faults.status(401)(exchange)

        exporter.palette.faults.add("list_snapshots", revoked, times=1)
        await exporter.pass_time(2 * INTERVAL)
        scrape = await exporter.scrape()
        assert scrape.value(CLUSTER_UP) == 1
        assert not scrape.counted(FAILURES, "cluster_uid", "reason")
        assert {each.status for each in exporter.asked()} == {200, 401}
        assert exporter.said("warning", "error") == []


async def test_an_unchanged_login_keeps_its_token_and_a_new_password_is_used(
    world: World, tmp_path: Any
) -> None:
    (tmp_path / "password").write_text("old")
    login = {
        "api_key": None,
        "username": "ops@example.com",
        "password_file": tmp_path / "password",
    }
    demo = {"users": {"ops@example.com": "old"}}
    async with (
        exporting(world, palette=login, demo=demo, targets=EAST_ONLY) as exporter,
        exporter.loops(),
    ):
        await exporter.reload(palette={**login, "burst": 20_000})
        await exporter.pass_time(INTERVAL)
        assert exporter.counted()["authenticate"] == 1
        (tmp_path / "password").write_text("new")
        exporter.palette.users["ops@example.com"] = "new"
        await exporter.reload()
        await exporter.pass_time(INTERVAL)
        assert exporter.counted()["authenticate"] == 2
        assert (await exporter.scrape()).value(CLUSTER_UP) == 1
        assert not (await exporter.scrape()).counted(FAILURES, "cluster_uid", "reason")


async def test_a_key_is_never_shown_to_the_palette_before(world: World) -> None:
    """A retry goes to the Palette of the key that signs it."""
    async with (
        PaletteServer(world, api_keys=["theirs"], limits=None) as other,
        exporting(world, targets=EAST_ONLY) as exporter,
        exporter.loops(),
    ):

        async def moved(exchange: Any) -> Any:
            exporter.given.url = other.url
            await exporter.reload(palette={"api_key": "theirs"})
            exporter.palette.forget_requests()
            return await faults.status(503)(exchange)

        exporter.palette.faults.add("list_snapshots", moved, times=1)
        await exporter.pass_time(2 * INTERVAL)
        assert (await exporter.scrape()).value(CLUSTER_UP) == 1
        assert not exporter.asked("list_snapshots")
        assert {each.status for each in other.requests} == {200}


@pytest.mark.parametrize(("before", "after"), [("1h", "1m"), ("1m", "1h"), ("10s", "1h")])
async def test_a_new_interval_counts_for_loops_that_sleep_and_leaves_no_gap(
    world: World, before: str, after: str
) -> None:
    seconds = {"1h": 3600.0, "1m": 60.0, "10s": 10.0}
    old = {"interval": before, "stale_after": before}
    async with exporting(world, targets=BOTH, refresh=old) as exporter, exporter.loops():
        await exporter.pass_time(seconds[before] / 2)
        shown = (await exporter.scrape()).everything()
        scrape = await exporter.reload(refresh={"interval": after, "stale_after": after})
        assert scrape.everything() == shown
        exporter.palette.forget_requests()
        rounds = 4 if after == "1m" else 2
        for _ in range(rounds * 4):
            await exporter.pass_time(seconds[after] / 4)
            assert (await exporter.scrape()).everything() == shown
        assert rounds - 1 <= exporter.counted()["list_snapshots"] / 2 <= rounds + 1


async def test_a_shorter_stale_after_applies_to_kept_states(world: World) -> None:
    async with exporting(world, targets=EAST_ONLY) as exporter, exporter.loops():
        exporter.palette.faults.add(None, faults.status(500))
        await exporter.pass_time(2 * INTERVAL)
        assert (await exporter.scrape()).everything()
        scrape = await exporter.reload(refresh={"interval": INTERVAL, "stale_after": INTERVAL})
        assert not scrape.everything()
        assert scrape.value(CLUSTER_UP) == 0


async def test_a_longer_stale_after_applies_to_kept_states(world: World) -> None:
    async with exporting(world, targets=EAST_ONLY) as exporter, exporter.loops():
        exporter.palette.faults.add(None, faults.status(500))
        await exporter.pass_time(STALE_AFTER - INTERVAL)
        await exporter.reload(refresh={"interval": INTERVAL, "stale_after": 3 * STALE_AFTER})
        await exporter.pass_time(STALE_AFTER)
        assert (await exporter.scrape()).everything()


async def objectives_on_the_page(exporter: Running) -> set[float]:
    async with exporter.session.get(f"{exporter.url}/api/v1/status?namespace=vms") as response:
        vms = (await response.json())["vms"]
    return {vm["objective_seconds"] for vm in vms if vm["listed"]}


async def test_objectives_apply_at_once_and_change_nothing_more(world: World) -> None:
    async with exporting(world, targets=BOTH) as exporter, exporter.loops():
        before = await exporter.scrape()
        assert not before.series(OBJECTIVE)
        exporter.palette.forget_requests()
        scrape = await exporter.reload(objectives=[{"namespace": "vms", "max_age": "1d"}])
        assert set(scrape.rows(OBJECTIVE, "cluster_uid", "vm").values()) == {86400}
        assert await objectives_on_the_page(exporter) == {86400}
        assert scrape.everything(without="_snapshot_objective_") == before.everything()
        scrape = await exporter.reload(objectives=[{"namespace": "vms", "max_age": "2d"}])
        assert set(scrape.rows(OBJECTIVE, "cluster_uid", "vm").values()) == {2 * 86400}
        assert await objectives_on_the_page(exporter) == {2 * 86400}
        assert not exporter.asked()
        await exporter.pass_time(INTERVAL)
        later = await exporter.scrape()
        assert later.everything() == scrape.everything()
        assert not (await exporter.reload(objectives=[])).series(OBJECTIVE)


async def test_a_refresh_that_ends_during_a_reload_uses_the_new_objectives(
    world: World,
) -> None:
    async with exporting(world, targets=BOTH) as exporter, exporter.loops():

        async def during(exchange: Any) -> Any:
            await exporter.reload(objectives=[{"max_age": "1d"}])
            return exchange.answer()

        exporter.palette.faults.add("list_vms", during, times=1)
        await exporter.pass_time(INTERVAL)
        assert len((await exporter.scrape()).series(OBJECTIVE)) == 4


async def test_discovery_turned_on_finds_and_turned_off_lets_go(world: World) -> None:
    async with exporting(world, targets=EAST_ONLY) as exporter, exporter.loops():
        before = await exporter.scrape()
        await exporter.reload(discovery={"enabled": True})
        await soon(exporter)
        scrape = await exporter.scrape()
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 1, WEST: 1}
        assert scrape.value(DISCOVERY_UP) == 1
        scrape = await exporter.reload(discovery={"enabled": False})
        assert scrape.families_of(cluster_uid=WEST) == set()
        assert scrape.everything() == before.everything()
        assert not scrape.series(DISCOVERY_UP)
        assert not scrape.series("palette_discovery_last_success_timestamp_seconds")
        exporter.palette.forget_requests()
        await exporter.pass_time(2 * LOOK_EVERY)
        assert not exporter.asked("list_clusters")
        await exporter.reload(discovery={"enabled": True})
        await soon(exporter)
        assert (await exporter.scrape()).value(DISCOVERY_UP) == 1


async def test_found_clusters_stay_without_a_gap_while_they_are_wanted(world: World) -> None:
    async with exporting(world, discovery={"enabled": True}) as exporter, exporter.loops():
        before = await exporter.scrape()
        exporter.palette.faults.add("list_clusters", faults.status(500))
        for wanted in (
            {"enabled": True},
            {"enabled": True, "interval": "1m"},
            {"enabled": True, "clusters": ["prod-.*"]},
        ):
            scrape = await exporter.reload(discovery=wanted)
            assert scrape.everything() == before.everything()
            await exporter.pass_time(INTERVAL)
            assert (await exporter.scrape()).everything() == before.everything()
        scrape = await exporter.reload(
            discovery={"enabled": True, "exclude_clusters": ["prod-w.*"]}
        )
        assert scrape.families_of(cluster_uid=WEST) == set()
        assert scrape.everything() == before.everything(without=WEST)


async def test_a_new_interval_of_discovery_counts_while_it_sleeps(world: World) -> None:
    hourly = {"enabled": True, "interval": "1h"}
    async with exporting(world, discovery=hourly) as exporter, exporter.loops():
        await exporter.reload(discovery={"enabled": True, "interval": "10s"})
        await exporter.idle()
        exporter.palette.forget_requests()
        await exporter.pass_time(60.0)
        assert exporter.counted()["list_clusters"] >= 6


async def test_another_share_of_the_clusters_counts_at_once(world: World) -> None:
    async with exporting(world, targets=BOTH) as exporter, exporter.loops():
        shown = {}
        for ordinal in range(2):
            await exporter.reload(shard={"ordinal": ordinal, "total": 2})
            await soon(exporter)
            scrape = await exporter.scrape()
            shown[ordinal] = set(scrape.rows(CLUSTER_UP, "cluster_uid"))
            assert scrape.value("palette_exporter_shard_ordinal") == ordinal
            assert scrape.value("palette_exporter_total_shards") == 2
        assert shown[0] | shown[1] == {EAST, WEST}
        assert not shown[0] & shown[1]


async def test_probes_go_by_the_new_settings(world: World) -> None:
    async with exporting(world, targets=EAST_ONLY) as exporter, exporter.loops():
        path = f"/probe?cluster_uid={WEST}&namespace=vms&vm=db-01"
        assert await exporter.status(path) == 403
        await exporter.reload(probe={"allow_unconfigured": True})
        assert await exporter.status(path) == 200
        await exporter.reload(probe={"enabled": False})
        assert await exporter.status(path) == 404


async def test_a_default_project_counts_for_targets_that_name_none(world: World) -> None:
    async with exporting(world, targets=EAST_ONLY) as exporter, exporter.loops():
        exporter.palette.forget_requests()
        await exporter.reload(palette={"project_uid": EAST_PROJECT})
        await soon(exporter)
        assert {each.project_uid for each in exporter.asked("list_vms")} == {EAST_PROJECT}
        await exporter.reload(palette={"project_uid": WEST_PROJECT})
        scrape = await exporter.scrape()
        assert len(scrape.series("palette_cluster_info")) == 1


async def test_a_shorter_time_out_counts_from_the_next_request_on(world: World) -> None:
    async with exporting(world, targets=EAST_ONLY) as exporter, exporter.loops():
        exporter.given.request_timeout = 0.05
        await exporter.reload()
        exporter.palette.faults.add(None, faults.hang())
        await exporter.pass_time(INTERVAL)
        reasons = (await exporter.scrape()).counted(FAILURES, "reason")
        assert reasons == {"timeout": 1}


async def test_concurrent_reload_requests_are_all_answered(world: World) -> None:
    async with exporting(world, targets=EAST_ONLY) as exporter, exporter.loops():
        exporter.given.put(targets=BOTH)
        scrapes = await asyncio.gather(*(exporter.reload() for _ in range(20)))
        assert all(scrape.value(RELOADED) == 1 for scrape in scrapes)
        assert 1 <= len(exporter.events("configuration reloaded")) <= 20
        await exporter.pass_time(INTERVAL)
        assert (await exporter.scrape()).rows(CLUSTER_UP, "cluster_uid") == {EAST: 1, WEST: 1}


async def test_a_reload_that_its_asker_did_not_wait_for_is_done_all_the_same(
    world: World,
) -> None:
    async with exporting(world, targets=BOTH) as exporter, exporter.loops():
        exporter.given.put(targets=EAST_ONLY)
        asker = asyncio.create_task(exporter.reload())
        await turns()
        asker.cancel()
        await until(lambda: bool(exporter.events("configuration reloaded")))
        assert (await exporter.scrape()).rows(CLUSTER_UP, "cluster_uid") == {EAST: 1}


async def test_the_budget_keeps_spent_requests_over_a_reload(world: World) -> None:
    slow: dict[str, Any] = {"requests_per_second": 0.01, "burst": 3}
    async with (
        exporting(world, targets=BOTH, palette=slow) as exporter,
        exporter.loops(settled=False),
    ):
        exporter.clock.advance(1.0)
        await until(lambda: len(exporter.asked()) == 3)
        for burst in (2, 3, 1, 3):
            await exporter.reload(palette={**slow, "burst": burst})
            await turns(50)
        assert len(exporter.asked()) == 3
        await exporter.reload(palette={"requests_per_second": 10_000, "burst": 3})
        await until(lambda: len(exporter.asked()) == 4)
