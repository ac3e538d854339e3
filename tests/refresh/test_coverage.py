"""Targets of every length, what they cover, and which series end after a deletion."""

from typing import Any

import pytest

from tests.harness import (
    EAST,
    EAST_PROJECT,
    INTERVAL,
    LOOK_EVERY,
    WEST,
    Running,
    exporting,
    put,
    target,
    tenant,
)
from tests.palette_server.world import World

COUNTS = "palette_vm_snapshots"
ORPHAN = "palette_vm_snapshot_orphan"


@pytest.fixture
def world() -> World:
    world = tenant()
    put(world, "db-01", "a1", "a2", namespace="shop")
    put(world, "db-02", "b1", namespace="shop")
    put(world, "db-03", namespace="shop")
    put(world, "db-01", "c1", namespace="erp")
    put(world, "web-01", "d1", namespace="erp")
    put(world, "lone", "e1", namespace="data")
    return world


def covering(world: World, *paths: str, **more: Any) -> Any:
    targets = [target(path, cluster_name="prod-east") for path in paths]
    return exporting(world, targets=targets, **more)


def queries(exporter: Running) -> dict[str, list[dict[str, str]]]:
    """Return the parameters of each endpoint's requests; fails if a request was repeated."""
    found: dict[str, list[dict[str, str]]] = {}
    for each in exporter.asked():
        asked = found.setdefault(each.endpoint, [])
        assert dict(each.query) not in asked or each.endpoint == "get_snapshot"
        asked.append(dict(each.query))
    paths = [each.raw_path for each in exporter.asked("get_snapshot")]
    assert len(set(paths)) == len(paths)
    return found


ALL = {
    ("shop", "db-01"): 2,
    ("shop", "db-02"): 1,
    ("shop", "db-03"): 0,
    ("erp", "db-01"): 1,
    ("erp", "web-01"): 1,
    ("data", "lone"): 1,
}


@pytest.mark.parametrize(
    ("paths", "machines", "snapshots", "vms"),
    [
        ([EAST], ALL, [{}], [{}]),
        ([f"{EAST}/shop"], ["shop"], [{"namespace": "shop"}], [{"namespace": "shop"}]),
        (
            [f"{EAST}/shop/db-01"],
            [("shop", "db-01")],
            [{"namespace": "shop", "vmName": "db-01"}],
            [{"namespace": "shop"}],
        ),
        (
            [f"{EAST}/shop", f"{EAST}/data"],
            ["shop", "data"],
            [{"namespace": "data,shop"}],
            [{"namespace": "data,shop"}],
        ),
        (
            [f"{EAST}/erp/db-01", f"{EAST}/shop/db-02"],
            [("erp", "db-01"), ("shop", "db-02")],
            [{"namespace": "erp,shop", "vmName": "db-01,db-02"}],
            [{"namespace": "erp,shop"}],
        ),
        (
            [f"{EAST}/erp/gone"],
            [],
            [{"namespace": "erp", "vmName": "gone"}],
            [{"namespace": "erp"}],
        ),
    ],
)
async def test_a_target_reads_everything_below_it_and_nothing_more(
    world: World, paths: list[str], machines: Any, snapshots: list[Any], vms: list[Any]
) -> None:
    async with covering(world, *paths) as exporter:
        scrape = await exporter.refresh()
        wanted = {key: n for key, n in ALL.items() if key in machines or key[0] in machines}
        assert scrape.rows(COUNTS, "namespace", "vm") == wanted
        assert len(scrape.series("palette_vm_snapshot_info")) == sum(wanted.values())
        assert queries(exporter) == {
            "list_snapshots": [{**query, "limit": "50"} for query in snapshots],
            "list_vms": [{**query, "limit": "50"} for query in vms],
        }
        assert scrape.value("palette_cluster_up") == 1


@pytest.mark.parametrize(
    ("paths", "lists"),
    [
        ([EAST, f"{EAST}/shop", f"{EAST}/shop/db-01", f"{EAST}/erp/web-01/d1"], 2),
        ([f"{EAST}/shop", f"{EAST}/shop/db-01", f"{EAST}/shop/db-01/a1", f"{EAST}/shop/db-02"], 2),
        ([f"{EAST}/shop", f"{EAST}/erp/db-01", f"{EAST}/erp/web-01/d1"], 3),
        ([f"{EAST}/shop/db-01", f"{EAST}/shop/db-01/a1", f"{EAST}/shop/db-02/b1"], 2),
    ],
)
async def test_overlapping_targets_read_no_snapshot_and_make_no_request_twice(
    world: World, paths: list[str], lists: int
) -> None:
    async with covering(world, *paths) as exporter:
        scrape = await exporter.refresh()
        asked = queries(exporter)
        assert "get_snapshot" not in asked
        assert sum(len(each) for each in asked.values()) == lists
        named = {path.split("/")[3] for path in paths if path.count("/") == 3}
        assert scrape.rows("palette_vm_snapshot_up", "snapshot") == dict.fromkeys(named, 1)
        infos = scrape.rows("palette_vm_snapshot_info", "namespace", "snapshot")
        assert named <= {snapshot for _, snapshot in infos}
        assert exporter.cluster(EAST).requests == lists


async def test_a_named_snapshot_next_to_covered_machines_makes_no_row_of_its_machine(
    world: World,
) -> None:
    async with covering(world, f"{EAST}/shop/db-01", f"{EAST}/erp/web-01/d1") as exporter:
        scrape = await exporter.refresh()
        assert scrape.rows(COUNTS, "namespace", "vm") == {("shop", "db-01"): 2}
        assert scrape.rows("palette_vm_snapshot_ready", "snapshot") == {"a1": 1, "a2": 1, "d1": 1}
        # The list of db-01's namespace was read, and none for web-01.
        assert scrape.rows(ORPHAN, "snapshot") == {"a1": 0, "a2": 0}


async def test_a_cluster_takes_one_request_per_page(world: World) -> None:
    for number in range(120):
        put(world, f"vm-{number:03d}", f"s-{number:03d}", namespace="many")
    async with covering(world, EAST) as exporter:
        scrape = await exporter.refresh()
        assert exporter.counted() == {"list_snapshots": 3, "list_vms": 3}
        assert len(scrape.series(COUNTS)) == 126
        assert exporter.cluster(EAST).requests == 6


async def test_a_deleted_snapshot_takes_just_its_series_along(world: World) -> None:
    async with covering(world, EAST) as exporter:
        before = await exporter.refresh()
        world.delete_snapshot(EAST, "shop", "a2")
        after = await exporter.refresh()
        assert after.families_of(snapshot="a2") == set()
        # The rows of its machine that count it change; everything else stays.
        rows = {
            line for line in before.everything() if 'vm="db-01"' in line and "snapshot=" not in line
        }
        gone = {line for line in before.everything() if 'snapshot="a2"' in line}
        assert before.everything() - after.everything() <= gone | rows
        assert gone.isdisjoint(after.everything())
        assert after.rows(COUNTS, "namespace", "vm") == ALL | {("shop", "db-01"): 1}


async def test_a_deleted_machine_leaves_its_snapshots_as_orphans(world: World) -> None:
    async with covering(world, EAST) as exporter:
        before = await exporter.refresh()
        assert set(before.rows(ORPHAN, "snapshot").values()) == {0}
        world.delete_vm(EAST, "shop", "db-01")
        after = await exporter.refresh()
        assert ("shop", "db-01") not in after.rows(COUNTS, "namespace", "vm")
        orphans = after.rows(ORPHAN, "snapshot")
        assert {name for name, orphan in orphans.items() if orphan} == {"a1", "a2"}
        this = 'namespace="shop"'
        assert after.everything(without=this) == before.everything(without=this)
        ready = "palette_vm_snapshot_ready"
        assert after.series(ready) == before.series(ready)
        assert after.value("palette_cluster_up") == 1


async def test_orphans_are_reported_where_only_one_machine_is_covered(world: World) -> None:
    world.delete_vm(EAST, "shop", "db-01")
    async with covering(world, f"{EAST}/shop/db-01") as exporter:
        scrape = await exporter.refresh()
        assert scrape.rows(ORPHAN, "snapshot") == {"a1": 1, "a2": 1}
        assert not scrape.series(COUNTS)


async def test_a_named_snapshot_read_alone_is_not_said_to_be_an_orphan(world: World) -> None:
    async with covering(world, f"{EAST}/shop/db-01/a1") as exporter:
        scrape = await exporter.refresh()
        assert not scrape.series(ORPHAN)
        assert not scrape.everything("palette_vm_info")


async def test_a_deleted_namespace_takes_just_its_series_along(world: World) -> None:
    async with covering(world, EAST) as exporter:
        before = await exporter.refresh()
        world.delete_namespace(EAST, "shop")
        after = await exporter.refresh()
        assert after.families_of(namespace="shop") == set()
        assert after.everything() == before.everything(without='namespace="shop"')


async def test_a_deleted_cluster_takes_just_its_series_along(world: World) -> None:
    put(world, "db-01", "west", cluster=WEST)
    async with exporting(world, discovery={"enabled": True}) as exporter, exporter.loops():
        before = await exporter.scrape()
        assert before.families_of(cluster_uid=EAST)
        world.remove_cluster(EAST)
        await exporter.pass_time(LOOK_EVERY)
        after = await exporter.scrape()
        assert after.families_of(cluster_uid=EAST) == set()
        assert after.everything() == before.everything(without=EAST) != set()


async def test_rows_begin_when_a_machine_does(world: World) -> None:
    async with covering(world, EAST) as exporter:
        await exporter.refresh()
        put(world, "fresh", namespace="shop")
        exporter.clock.advance(INTERVAL)
        scrape = await exporter.refresh()
        assert scrape.rows(COUNTS, "vm", namespace="shop")["fresh"] == 0
        assert scrape.families_of(vm="fresh") == {
            "palette_vm_info",
            "palette_vm_status",
            "palette_vm_created_timestamp_seconds",
            "palette_vm_snapshots",
            "palette_vm_ready_snapshots",
            "palette_vm_restorable_snapshots",
            "palette_vm_failed_snapshots",
            "palette_vm_last_snapshot_failed",
            "palette_vm_restore_in_progress",
            "palette_vm_unprotected_volumes",
            "palette_vm_unprotected_state_volumes",
            "palette_vm_unsnapshottable_volumes",
        }


async def test_objectives_are_chosen_by_the_first_that_matches_whole_names(world: World) -> None:
    put(world, "gold-01", namespace="erp", labels={"tier": "gold", "app": "db"})
    put(world, "gold-02", namespace="erp", labels={"tier": "golden"})
    put(world, "gold-03", namespace="shop", labels={"app": "tier"})
    objectives = [
        {"max_age": "1h", "labels": {"tier": "gold", "app": "d.*"}},
        {"max_age": "2h", "cluster": "prod"},
        {"max_age": "3h", "cluster": "prod-.*", "namespace": "erp", "vm": "db-.*"},
        {"max_age": "4h", "namespace": "sho"},
        {"max_age": "5h", "vm": "db-01|lone"},
        {"max_age": "6h", "labels": {"app": ".*"}},
    ]
    async with covering(world, EAST, objectives=objectives) as exporter:
        scrape = await exporter.refresh()
        hours = {
            key: seconds / 3600
            for key, seconds in scrape.rows(
                "palette_vm_snapshot_objective_seconds", "namespace", "vm"
            ).items()
        }
        assert hours == {
            ("erp", "gold-01"): 1,
            ("erp", "db-01"): 3,
            ("shop", "db-01"): 5,
            ("data", "lone"): 5,
            ("shop", "gold-03"): 6,
        }


async def test_an_objective_follows_the_labels_of_its_machine(world: World) -> None:
    objectives = [{"max_age": "1h", "labels": {"tier": "gold"}}, {"max_age": "1d"}]
    async with covering(world, f"{EAST}/data", objectives=objectives) as exporter:
        name = "palette_vm_snapshot_objective_seconds"
        assert (await exporter.refresh()).value(name) == 86_400
        put(world, "lone", "e1", namespace="data", labels={"tier": "gold"})
        assert (await exporter.refresh()).value(name) == 3600


async def test_a_project_in_a_shorter_target_counts_for_all_of_the_cluster(world: World) -> None:
    targets = [
        target(f"{EAST}/shop/db-01/a1", cluster_name="prod-east"),
        target(f"{EAST}/erp", project_uid=EAST_PROJECT),
    ]
    async with exporting(world, targets=targets) as exporter:
        await exporter.refresh()
        assert {each.project_uid for each in exporter.asked()} == {EAST_PROJECT}
