"""Clusters that are discovered, and whose series end when they leave."""

from typing import Any

import pytest

from tests.harness import (
    EAST,
    EAST_PROJECT,
    INTERVAL,
    LOOK_EVERY,
    NORTH,
    NORTH_PROJECT,
    NOW,
    WEST,
    WEST_PROJECT,
    Running,
    Scrape,
    exporting,
    put,
    target,
    tenant,
    until,
)
from tests.palette_server import faults
from tests.palette_server.faultbook import Match
from tests.palette_server.world import World

CLUSTER_UP = "palette_cluster_up"
DISCOVERY_UP = "palette_discovery_up"
LAST_SUCCESS = "palette_discovery_last_success_timestamp_seconds"
FAILURES = "palette_exporter_refresh_failures_total"


@pytest.fixture
def world() -> World:
    world = tenant()
    for cluster in (EAST, WEST):
        put(world, "db-01", "a", "b", cluster=cluster, namespace="prod")
        put(world, "db-02", "c", cluster=cluster, namespace="prod-test")
    return world


def discovering(world: World, **how: Any) -> Any:
    sections = {key: how.pop(key) for key in ("targets", "demo", "up", "palette") if key in how}
    return exporting(world, discovery={"enabled": True, **how}, **sections)


async def watched(exporter: Running) -> Scrape:
    """Wait for a discovery and a refresh of each cluster."""
    await exporter.pass_time(LOOK_EVERY + INTERVAL)
    return await exporter.scrape()


async def test_every_cluster_is_read_in_its_own_project(world: World) -> None:
    async with discovering(world) as exporter, exporter.loops():
        scrape = await exporter.scrape()
        names = scrape.rows("palette_cluster_info", "cluster_name", "project_uid", "cloud_type")
        assert set(names) == {
            ("prod-east", EAST_PROJECT, "edge-native"),
            ("prod-west", WEST_PROJECT, "maas"),
        }
        assert scrape.rows("palette_vm_snapshots", "cluster_uid", "vm") == {
            (EAST, "db-01"): 2,
            (EAST, "db-02"): 1,
            (WEST, "db-01"): 2,
            (WEST, "db-02"): 1,
        }
        scopes = {
            (each.raw_path.split("/")[3], each.project_uid)
            for each in exporter.asked("list_snapshots", "list_vms")
        }
        assert scopes == {(EAST, EAST_PROJECT), (WEST, WEST_PROJECT)}
        assert scrape.value(DISCOVERY_UP) == 1
        assert scrape.value(LAST_SUCCESS) == NOW
        assert exporter.counted() == {"list_clusters": 1, "list_snapshots": 2, "list_vms": 2}
        assert await exporter.status("/-/ready") == 200


@pytest.mark.parametrize(
    ("how", "clusters"),
    [
        ({"clusters": ["prod-east"]}, {"prod-east"}),
        ({"clusters": ["prod"]}, set()),
        ({"clusters": ["east", ".*west"]}, {"prod-west"}),
        ({"clusters": ["prod-.*"], "exclude_clusters": ["prod-e"]}, {"prod-east", "prod-west"}),
        ({"exclude_clusters": ["prod-e.*"]}, {"prod-west"}),
        ({"clusters": ["prod-west|nothing"]}, {"prod-west"}),
    ],
)
async def test_clusters_are_chosen_by_their_whole_names(
    world: World, how: dict[str, Any], clusters: set[str]
) -> None:
    async with discovering(world, **how) as exporter, exporter.loops():
        scrape = await exporter.scrape()
        assert set(scrape.rows(CLUSTER_UP, "cluster_name")) == clusters
        assert scrape.value(DISCOVERY_UP) == 1


@pytest.mark.parametrize(
    ("how", "namespaces"),
    [
        ({"namespaces": ["prod"]}, {"prod"}),
        ({"namespaces": ["prod.*"], "exclude_namespaces": ["test"]}, {"prod", "prod-test"}),
        ({"exclude_namespaces": [".*test"]}, {"prod"}),
        ({"namespaces": ["od"]}, set()),
    ],
)
async def test_namespaces_are_chosen_by_their_whole_names(
    world: World, how: dict[str, Any], namespaces: set[str]
) -> None:
    async with discovering(world, clusters=["prod-east"], **how) as exporter, exporter.loops():
        scrape = await exporter.scrape()
        assert set(scrape.rows("palette_vm_info", "namespace", "vm")) == {
            row for row in (("prod", "db-01"), ("prod-test", "db-02")) if row[0] in namespaces
        }
        found = {dict(pairs)["namespace"] for pairs in scrape.series("palette_vm_snapshot_info")}
        assert found == namespaces
        assert scrape.value(CLUSTER_UP) == 1


async def test_a_new_cluster_is_picked_up_at_the_next_look(world: World) -> None:
    async with discovering(world) as exporter, exporter.loops():
        world.add_cluster(NORTH, "prod-north", NORTH_PROJECT)
        put(world, "db-09", "z", cluster=NORTH)
        before = await exporter.scrape()
        scrape = await watched(exporter)
        assert scrape.rows("palette_vm_snapshots", "vm", cluster_uid=NORTH) == {"db-09": 1}
        assert before.everything() == scrape.everything(without=NORTH)
        plans = exporter.events("plan")
        assert [each["clusters"] for each in plans] == [2, 3]
        assert plans[-1]["seconds_at_configured_rate"] == round(6 / 10_000, 2)
        assert plans[0]["requests_per_refresh"] == 4


async def test_a_cluster_that_vanishes_takes_all_its_series_along(world: World) -> None:
    async with discovering(world) as exporter, exporter.loops():
        exporter.palette.faults.add(Match(cluster_uid=WEST), faults.status(500))
        await exporter.pass_time(INTERVAL)
        scrape = await exporter.scrape()
        assert FAILURES in scrape.families_of(cluster_uid=WEST)
        assert len(scrape.families_of(cluster_uid=WEST)) > 20
        world.remove_cluster(WEST)
        await exporter.pass_time(LOOK_EVERY)
        after = await exporter.scrape()
        assert after.families_of(cluster_uid=WEST) == set()
        assert after.everything() == scrape.everything(without=WEST)
        exporter.palette.forget_requests()
        await exporter.pass_time(2 * INTERVAL)
        assert not [each for each in exporter.asked() if WEST in each.raw_path]


async def test_a_cluster_that_vanishes_while_it_is_read_leaves_nothing(world: World) -> None:
    async with discovering(world) as exporter, exporter.loops():
        slow = exporter.palette.faults.add(Match(cluster_uid=WEST), faults.hang())
        await exporter.pass_time(INTERVAL, hanging=1)
        assert slow.hits == 2
        world.remove_cluster(WEST)
        await exporter.pass_time(LOOK_EVERY, hanging=1)
        assert (await exporter.scrape()).families_of(cluster_uid=WEST) == set()
        await exporter.idle()


async def test_a_cluster_that_comes_back_is_read_again(world: World) -> None:
    async with discovering(world) as exporter, exporter.loops():
        world.remove_cluster(WEST)
        await watched(exporter)
        world.add_cluster(WEST, "prod-west", WEST_PROJECT)
        scrape = await watched(exporter)
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 1, WEST: 1}


async def test_a_cluster_that_is_renamed_is_shown_by_its_new_name_only(world: World) -> None:
    async with discovering(world) as exporter, exporter.loops():
        snapshots, vms = world.snapshots(WEST), world.vms(WEST)
        world.add_cluster(WEST, "prod-best", WEST_PROJECT)
        for document in vms:
            world.put_vm(WEST, document)
        for document in snapshots:
            world.put_snapshot(WEST, document)
        scrape = await watched(exporter)
        assert scrape.families_of(cluster_name="prod-west") == set()
        assert scrape.rows("palette_vm_snapshots", "vm", cluster_name="prod-best") == {
            "db-01": 2,
            "db-02": 1,
        }


async def test_when_the_dashboard_fails_the_known_clusters_stay(world: World) -> None:
    async with discovering(world) as exporter, exporter.loops():
        before = await exporter.scrape()
        exporter.palette.faults.add("list_clusters", faults.status(500))
        world.remove_cluster(WEST)
        put(world, "new", cluster=EAST, namespace="prod")
        for _ in range(3):
            scrape = await watched(exporter)
        assert scrape.value(DISCOVERY_UP) == 0
        assert scrape.value(LAST_SUCCESS) == before.value(LAST_SUCCESS)
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 1, WEST: 0}
        assert scrape.matching("palette_vm_snapshots", vm="new")
        assert len(exporter.events("discovery failing")) == 1
        exporter.palette.faults.clear()
        scrape = await watched(exporter)
        assert scrape.value(DISCOVERY_UP) == 1
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 1}
        assert len(exporter.events("discovery recovered")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        faults.respond(200, b""),
        faults.html(),
        faults.respond(200, {"code": "Oops"}),
        faults.respond(200, b'{"items":[{"meta'),
        faults.respond(200, []),
        faults.status(403),
        faults.reset("middle"),
    ],
)
async def test_a_dashboard_that_makes_no_sense_is_never_an_empty_one(
    world: World, fault: faults.Fault
) -> None:
    async with discovering(world) as exporter, exporter.loops():
        before = await exporter.scrape()
        exporter.palette.faults.add("list_clusters", fault)
        scrape = await watched(exporter)
        assert scrape.everything() == before.everything()
        assert scrape.value(DISCOVERY_UP) == 0


async def test_a_dashboard_that_is_down_at_the_start_is_said_once_and_found_later(
    world: World,
) -> None:
    async with discovering(world, up=False) as exporter, exporter.loops():
        await exporter.pass_time(2 * LOOK_EVERY)
        scrape = await exporter.scrape()
        assert scrape.value(DISCOVERY_UP) == 0
        assert not scrape.series(LAST_SUCCESS)
        assert exporter.said("warning", "error") == ["discovery failing"]
        await exporter.palette.start(port=exporter.palette.port)
        scrape = await watched(exporter)
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 1, WEST: 1}


async def test_a_forbidden_project_affects_no_other(world: World) -> None:
    demo = {"forbidden_projects": [WEST_PROJECT]}
    async with discovering(world, demo=demo) as exporter, exporter.loops():
        await exporter.pass_time(2 * INTERVAL)
        scrape = await exporter.scrape()
        assert scrape.rows(CLUSTER_UP, "cluster_name") == {"prod-east": 1, "prod-west": 0}
        assert scrape.counted(FAILURES, "cluster_name", "reason") == {("prod-west", "forbidden"): 3}
        assert not scrape.matching("palette_vm_snapshots", cluster_uid=WEST)
        assert scrape.value(DISCOVERY_UP) == 1
        failing = exporter.events("refresh failing")
        assert [(each["cluster"], each["reason"]) for each in failing] == [
            ("prod-west", "forbidden")
        ]


async def test_a_target_overrides_discovery_which_completes_it(
    world: World,
) -> None:
    world.add_cluster(NORTH, "prod-north", NORTH_PROJECT)
    put(world, "db-09", "z", cluster=NORTH)
    targets = [
        target(f"{EAST}/prod/db-01/a", cluster_name="mine", project_uid=EAST_PROJECT),
        target(f"{NORTH}/vms/db-09/z"),
    ]
    async with (
        discovering(world, targets=targets, exclude_clusters=["prod-north"]) as exporter,
        exporter.loops(),
    ):
        scrape = await watched(exporter)
        assert scrape.rows(CLUSTER_UP, "cluster_uid", "cluster_name") == {
            (EAST, "mine"): 1,
            (WEST, "prod-west"): 1,
            (NORTH, "prod-north"): 1,
        }
        assert scrape.rows("palette_vm_snapshot_up", "snapshot") == {"a": 1, "z": 1}
        machines = scrape.rows("palette_vm_snapshots", "cluster_uid", "vm")
        assert {uid for uid, _ in machines} == {EAST, WEST}
        infos = scrape.matching("palette_vm_snapshot_info", snapshot="a", cluster_uid=EAST)
        assert len(infos) == 1


async def test_a_configured_cluster_stays_when_it_leaves_the_dashboard(world: World) -> None:
    targets = [target(f"{EAST}/prod/db-01/a", cluster_name="mine")]
    async with discovering(world, targets=targets) as exporter, exporter.loops():
        unlisted = faults.transform(
            lambda page: {"items": [c for c in page["items"] if c["metadata"]["uid"] != EAST]}
        )
        await watched(exporter)
        exporter.palette.faults.add("list_clusters", unlisted)
        scrape = await watched(exporter)
        assert scrape.rows(CLUSTER_UP, "cluster_uid") == {EAST: 1, WEST: 1}
        assert not scrape.matching("palette_vm_snapshots", cluster_uid=EAST)
        assert scrape.rows("palette_vm_snapshot_up", "snapshot", cluster_uid=EAST) == {"a": 1}


async def test_a_configured_cluster_that_leaves_the_dashboard_is_a_warning_too(
    world: World,
) -> None:
    """The cluster stays; the series that only discovery covered end."""
    targets = [target(f"{EAST}/prod/db-01/a", cluster_name="mine")]
    async with discovering(world, targets=targets) as exporter, exporter.loops():
        unlisted = faults.transform(
            lambda page: {"items": [c for c in page["items"] if c["metadata"]["uid"] != EAST]}
        )
        exporter.palette.faults.add("list_clusters", unlisted)
        await watched(exporter)
        await watched(exporter)
        assert exporter.said("warning") == ["clusters no longer discovered"]
        (lost,) = exporter.events("clusters no longer discovered")
        assert (lost["count"], lost["names"]) == (1, "mine")


async def test_it_is_shown_how_many_clusters_are_listed_and_selected(world: World) -> None:
    async with discovering(world, exclude_clusters=["prod-west"]) as exporter, exporter.loops():
        counts = (await exporter.scrape()).rows("palette_discovery_clusters", "selected")
        assert counts == {"true": 1, "false": 1}
        world.remove_cluster(EAST)
        scrape = await watched(exporter)
        assert scrape.rows("palette_discovery_clusters", "selected") == {"true": 0, "false": 1}
        assert scrape.value(DISCOVERY_UP) == 1


async def test_without_discovery_nothing_is_exported_about_it(world: World) -> None:
    async with exporting(world, targets=[target(EAST, cluster_name="e")]) as exporter:
        scrape = await exporter.refresh()
        assert not [name for name in scrape.lines if name.startswith("palette_discovery_")]
        assert scrape.value("palette_exporter_refresh_interval_seconds") == INTERVAL


async def test_the_exporter_is_ready_once_discovery_was_tried_and_clusters_were_read(
    world: World,
) -> None:
    async with discovering(world) as exporter:
        hold = exporter.palette.faults.add("list_clusters", faults.hang())
        assert await exporter.status("/-/ready") == 503
        async with exporter.loops(settled=False):
            await until(lambda: hold.hits == 1)
            assert await exporter.status("/-/ready") == 503
    async with discovering(world) as exporter, exporter.loops():
        exporter.palette.faults.add("list_vms", faults.status(500))
        assert await exporter.status("/-/ready") == 200


async def test_an_empty_tenant_is_no_failure(world: World) -> None:
    async with discovering(World.empty(now=NOW)) as exporter, exporter.loops():
        scrape = await exporter.scrape()
        assert scrape.value(DISCOVERY_UP) == 1
        assert not scrape.series(CLUSTER_UP)
        assert await exporter.status("/-/ready") == 200


async def test_without_discovery_nothing_is_said_of_it(world: World) -> None:
    async with exporting(world, targets=[target(EAST, cluster_name="e")]) as exporter:
        scrape = await exporter.refresh()
        assert not scrape.series(DISCOVERY_UP)
        assert not scrape.series(LAST_SUCCESS)
        assert not exporter.asked("list_clusters")
