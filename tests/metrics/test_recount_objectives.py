"""Objectives of every kind, and volumes, compared with a naive recount of random fleets."""

import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.demo.documents import vm_document
from tests.harness import EAST, NOW, Scrape, exporting, tenant
from tests.metrics.test_recount import names_of, restorable, seconds
from tests.palette_server.world import World
from tests.verdict.judged import rfc3339, snapshot_document

HOUR, DAY = 3_600.0, 86_400.0
NAMESPACES, MACHINES, VOLUMES = ("a", "b"), ("db-1", "web"), ("root", "data", "logs")
STATE = "persistent-state-for-db-1"
DATA = ("dataVolume", "persistentVolumeClaim", "hostDisk")
NO_CLASS = "No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass [x]"
NO_TYPE = "Snapshot is not supported for this volumeSource type [x]"

objectives = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "namespace": st.sampled_from(NAMESPACES),
            "vm": st.sampled_from(MACHINES),
            "labels": st.just({"tier": "gold"}),
        },
    ).flatmap(
        lambda where: (
            st.just({**where, "exempt": True})
            | st.fixed_dictionaries(
                {"max_age": st.sampled_from([HOUR, 26 * HOUR])},
                optional={
                    "min_snapshots": st.integers(1, 2),
                    "max_snapshots": st.integers(2, 3),
                    "max_snapshot_age": st.just(30 * DAY),
                    "quiesced": st.just(True),
                    "ignore_volumes": st.sampled_from([["logs"], [".*a"]]),
                },
            ).map(lambda promise: {**where, **promise})
            | st.just({**where, "min_snapshots": 1})
        )
    ),
    max_size=3,
)
volume = st.tuples(
    st.sampled_from([*DATA, "containerDisk", "memoryDump"]), st.sampled_from([True, False, None])
)
vms = st.tuples(
    st.sampled_from(NAMESPACES),
    st.sampled_from(MACHINES),
    st.none() | st.dictionaries(st.sampled_from(VOLUMES), volume, min_size=1),
    st.booleans(),
    st.sampled_from([None, HOUR, 40 * HOUR]),
)
snapshots = st.tuples(
    st.sampled_from(NAMESPACES),
    st.sampled_from(MACHINES),
    st.none() | st.lists(st.sampled_from((*VOLUMES, STATE)), unique=True),
    st.sampled_from([VOLUMES, ("data",), ()]),
    st.sampled_from(["plain", "undated", "late", "clone", "failed"]),
)


def put_vm(world: World, chosen: Any) -> None:
    namespace, name, volumes, gold, age = chosen
    document = vm_document(name=name, namespace=namespace)
    created = None if age is None else rfc3339(NOW - age)
    labels = {"tier": "gold"} if gold else {}
    document["metadata"] |= {"creationTimestamp": created, "labels": labels}
    document["spec"]["template"] = {"spec": {"volumes": None}}
    document["status"]["volumeSnapshotStatuses"] = None
    if volumes is not None:
        document["spec"]["template"]["spec"]["volumes"] = [
            {"name": each, kind: {}} for each, (kind, _) in volumes.items()
        ]
        document["status"]["volumeSnapshotStatuses"] = [
            {"name": each, "enabled": enabled, "reason": NO_CLASS if kind in DATA else NO_TYPE}
            for each, (kind, enabled) in volumes.items()
            if enabled is not None
        ]
    world.put_vm(EAST, document)


def put_snapshot(world: World, chosen: Any, number: int) -> None:
    namespace, vm, included, excluded, kind = chosen
    document = snapshot_document(included, excluded, name=f"s{number}")
    at = NOW - (number + 1) * HOUR
    document["metadata"] |= {"namespace": namespace, "creationTimestamp": rfc3339(at)}
    document["spec"]["source"]["name"] = vm
    later = {"undated": None, "late": rfc3339(at + 2 * DAY)}
    document["status"]["creationTime"] = later.get(kind, rfc3339(at + 30))
    if kind == "failed":
        document["status"]["phase"] = "Failed"
    if kind == "clone":
        document["metadata"]["ownerReferences"] = [{"kind": "VirtualMachineClone"}]
    world.put_snapshot(EAST, document)


def volumes_of(vm: Any) -> dict[str, tuple[str, bool | None]] | None:
    """Return the kind of each volume, and whether it can be snapshotted."""
    listed = vm["spec"]["template"]["spec"]["volumes"]
    if listed is None:
        return None
    enabled = {
        each["name"]: each["enabled"] for each in vm["status"]["volumeSnapshotStatuses"] or ()
    }
    return {
        each["name"]: (next(key for key in each if key != "name"), enabled.get(each["name"]))
        for each in listed
    }


def holds_data(snapshot: Any, volumes: dict[str, tuple[str, bool | None]] | None) -> bool:
    lists = snapshot["status"]["snapshotVolumes"]
    if lists is None:
        return True
    data = [name for name, (kind, _) in (volumes or {}).items() if kind in DATA]
    dumps = [name for name, (kind, _) in (volumes or {}).items() if kind == "memoryDump"]
    if data:
        return any(name in data for name in lists["includedVolumes"])
    return any(name != STATE and name not in dumps for name in lists["includedVolumes"])


def taken(snapshot: Any) -> float:
    requested = seconds(snapshot["metadata"]["creationTimestamp"]) or 0.0
    data = seconds(snapshot["status"]["creationTime"])
    return requested if data is None or data > requested + DAY else data


def objective_of(vm: Any, wanted: list[Any]) -> Any:
    for each in wanted:
        names = vm["metadata"]
        tier = each.get("labels", {}).get("tier")
        if (
            each.get("namespace", names["namespace"]) == names["namespace"]
            and each.get("vm", names["name"]) == names["name"]
            and tier in (None, names["labels"].get("tier"))
        ):
            return each
    return {}


PREFIX = "palette_vm_snapshot_objective_"
PROMISES = {
    f"{PREFIX}seconds": "max_age",
    f"{PREFIX}min_snapshots": "min_snapshots",
    f"{PREFIX}max_snapshots": "max_snapshots",
    f"{PREFIX}max_age_seconds": "max_snapshot_age",
    f"{PREFIX}quiesced": "quiesced",
    "palette_vm_exempt": "exempt",
}


def assert_agrees(found: Scrape, world: World, vm: Any, wanted: list[Any]) -> None:
    """Check the rows of one VM."""
    where = {"namespace": vm["metadata"]["namespace"], "vm": vm["metadata"]["name"]}
    objective, volumes = objective_of(vm, wanted), volumes_of(vm)
    for family, key in PROMISES.items():
        value = objective.get(key)
        assert found.value(family, **where) == (None if value is None else float(value)), family
    good = [
        each
        for each in world.snapshots(EAST)
        if (each["metadata"]["namespace"], each["spec"]["source"]["name"]) == tuple(where.values())
        and "ownerReferences" not in each["metadata"]
        and restorable(each)
        and holds_data(each, volumes)
    ]
    newest = max(good, key=taken, default=None)
    assert found.value("palette_vm_restorable_snapshots", **where) == len(good)
    point = None if newest is None else taken(newest)
    assert found.value("palette_vm_last_restorable_snapshot_timestamp_seconds", **where) == point
    if "max_age" in objective:
        start = point or seconds(vm["metadata"]["creationTimestamp"])
        deadline = 0.0 if start is None else start + objective["max_age"]
        assert found.value(f"{PREFIX}deadline_timestamp_seconds", **where) == deadline
    else:
        assert found.value(f"{PREFIX}deadline_timestamp_seconds", **where) is None
    rows = found.rows("palette_vm_unprotected_volumes", "reason", **where)
    assert rows == unprotected(volumes, newest, objective.get("ignore_volumes", ()))


def unprotected(volumes: Any, newest: Any, ignored: Any) -> dict[str, float]:
    if volumes is None:
        return {}
    rows = dict.fromkeys(("unsnapshottable", "excluded", "newer"), 0.0)
    lists = (newest and newest["status"]["snapshotVolumes"]) or {}
    for name, (kind, enabled) in volumes.items():
        wanted = kind in DATA and not any(re.fullmatch(each, name) for each in ignored)
        if not wanted or name in lists.get("includedVolumes", ()):
            continue
        if kind == "hostDisk" or enabled is False:
            rows["unsnapshottable"] += 1
        elif newest is not None:
            rows["excluded" if name in lists.get("excludedVolumes", ()) else "newer"] += 1
    return rows


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(vms, min_size=1, max_size=4, unique_by=lambda vm: vm[:2]),
    st.lists(snapshots, max_size=6),
    objectives,
)
async def test_rows_of_objectives_and_volumes_equal_a_naive_recount(
    machines: list[Any], taken_of_them: list[Any], wanted: list[Any]
) -> None:
    world = tenant()
    for chosen in machines:
        put_vm(world, chosen)
    for number, chosen in enumerate(taken_of_them):
        put_snapshot(world, chosen, number)
    targets = [{"cluster_uid": EAST, "cluster_name": "east"}]
    async with exporting(world, targets=targets, objectives=wanted) as exporter:
        found = await exporter.refresh(EAST)
    assert names_of(world.vms(EAST)) == set(found.rows("palette_vm_snapshots", "namespace", "vm"))
    for vm in world.vms(EAST):
        assert_agrees(found, world, vm, wanted)
