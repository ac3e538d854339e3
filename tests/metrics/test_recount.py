"""Rows of VMs compared with a naive recount of the documents, for random fleets and changes."""

from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.demo import stages
from exporter.demo.documents import vm_document
from tests.harness import EAST, NOW, Running, Scrape, exporting, tenant
from tests.palette_server.world import World

NAMESPACES, MACHINES, SNAPSHOTS = ("a", "b"), ("db-1", "db-2", "web"), ("s1", "s2", "s3", "s4")


def just_requested(document: Any, at: float) -> Any:
    del document["status"]
    return document


def configuration_only(document: Any, at: float) -> Any:
    document["status"]["snapshotVolumes"] = {"includedVolumes": [], "excludedVolumes": ["root"]}
    return document


def volumes_unknown(document: Any, at: float) -> Any:
    document["status"]["snapshotVolumes"] = None
    return document


def untold(document: Any, at: float) -> Any:
    document["metadata"]["creationTimestamp"] = None
    document["status"]["creationTime"] = "0001-01-01T00:00:00Z"
    return document


CHANGES: tuple[Any, ...] = (
    lambda document, at: document,
    just_requested,
    configuration_only,
    volumes_unknown,
    untold,
    stages.lost,
    stages.deleting,
    stages.failed,
)

snapshots = st.tuples(
    st.sampled_from(NAMESPACES),
    st.sampled_from(SNAPSHOTS),
    st.sampled_from((*MACHINES, "gone")),
    st.integers(1, 5),
    st.sampled_from(CHANGES),
)
machines = st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(MACHINES))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), snapshots),
        st.tuples(st.just("drop"), snapshots),
        st.tuples(st.just("put_vm"), machines),
        st.tuples(st.just("drop_vm"), machines),
    ),
    max_size=6,
)


def put(world: World, chosen: Any) -> None:
    namespace, name, vm, hours, change = chosen
    at = NOW - 3600.0 * hours
    document = stages.snapshot_document(name=name, vm=vm, namespace=namespace, requested_at=at)
    world.put_snapshot(EAST, change(document, at + 30) or document)


def step(world: World, kind: str, chosen: Any) -> None:
    if kind == "put":
        put(world, chosen)
    elif kind == "put_vm":
        world.put_vm(EAST, vm_document(name=chosen[1], namespace=chosen[0]))
    elif kind == "drop" and chosen[:2] in names_of(world.snapshots(EAST)):
        world.delete_snapshot(EAST, chosen[0], chosen[1])
    elif kind == "drop_vm" and chosen in names_of(world.vms(EAST)):
        world.delete_vm(EAST, chosen[0], chosen[1])


def names_of(documents: list[Any]) -> set[tuple[str, str]]:
    return {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in documents}


def seconds(text: str | None) -> float | None:
    if not text or text.startswith("0001"):
        return None
    return datetime.fromisoformat(text).timestamp()


def restorable(document: Any) -> bool:
    status, metadata = document.get("status") or {}, document["metadata"]
    volumes = status.get("snapshotVolumes")
    return bool(
        status.get("readyToUse")
        and not seconds(metadata.get("deletionTimestamp"))
        and status.get("phase") not in ("Failed", "Deleting")
        and (volumes is None or volumes.get("includedVolumes"))
    )


def recount(world: World) -> dict[str, dict[tuple[str, str], float]]:
    """Return the rows by the name of their family, computed in the simplest way."""
    rows: dict[str, dict[tuple[str, str], float]] = {name: {} for name in FAMILIES}
    for vm in world.vms(EAST):
        key = (vm["metadata"]["namespace"], vm["metadata"]["name"])
        own = [
            found
            for found in world.snapshots(EAST)
            if (found["metadata"]["namespace"], found["spec"]["source"]["name"]) == key
        ]
        good = [found for found in own if restorable(found)]
        failed = [(found.get("status") or {}).get("phase") == "Failed" for found in own]
        taken = [seconds((found.get("status") or {}).get("creationTime")) for found in own]
        asked = [seconds(found["metadata"].get("creationTimestamp")) for found in own]
        counts = (len(own), sum(bool((f.get("status") or {}).get("readyToUse")) for f in own))
        for name, value in zip(FAMILIES, (*counts, len(good), sum(failed)), strict=False):
            rows[name][key] = float(value)
        newest = max(
            (seconds(found["status"].get("creationTime")) or 0 for found in good), default=0
        )
        if newest:
            rows[FAMILIES[4]][key] = newest
        ages = [age for t, a in zip(taken, asked, strict=True) if (age := t or a)]
        if ages:
            rows[FAMILIES[5]][key] = min(ages)
        last = max((a or 0 for a in asked), default=0)
        rows[FAMILIES[6]][key] = float(
            any(bad for bad, a in zip(failed, asked, strict=True) if (a or 0) == last)
        )
    return rows


FAMILIES = (
    "palette_vm_snapshots",
    "palette_vm_ready_snapshots",
    "palette_vm_restorable_snapshots",
    "palette_vm_failed_snapshots",
    "palette_vm_last_restorable_snapshot_timestamp_seconds",
    "palette_vm_oldest_snapshot_timestamp_seconds",
    "palette_vm_last_snapshot_failed",
)


def orphans(world: World) -> dict[tuple[str, str], float]:
    known = names_of(world.vms(EAST))
    return {
        (found["metadata"]["namespace"], found["metadata"]["name"]): float(
            (found["metadata"]["namespace"], found["spec"]["source"]["name"]) not in known
        )
        for found in world.snapshots(EAST)
    }


def assert_agrees(found: Scrape, world: World) -> None:
    for name, rows in recount(world).items():
        assert found.rows(name, "namespace", "vm") == rows, name
    assert found.rows("palette_vm_snapshot_orphan", "namespace", "snapshot") == orphans(world)


async def assert_follows(exporter: Running, world: World, changes: list[tuple[str, Any]]) -> None:
    assert_agrees(await exporter.refresh(EAST), world)
    for kind, chosen in changes:
        step(world, kind, chosen)
        assert_agrees(await exporter.refresh(EAST), world)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(snapshots, max_size=12), st.lists(machines, max_size=6), steps)
async def test_rows_equal_a_naive_recount(
    first: list[Any], vms: list[Any], changes: list[tuple[str, Any]]
) -> None:
    world = tenant()
    for namespace, name in vms:
        world.put_vm(EAST, vm_document(name=name, namespace=namespace))
    for chosen in first:
        put(world, chosen)
    async with exporting(
        world, targets=[{"cluster_uid": EAST, "cluster_name": "east"}]
    ) as exporter:
        await assert_follows(exporter, world, changes)
