"""Every kind of volume, in every situation, in the documents of every KubeVirt version."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest

from exporter.rollup import Objective
from exporter.verdict import Verdict
from tests.verdict.judged import DAY, judged, snapshot_document, vm_document

CLAIMS = ("persistentVolumeClaim", "dataVolume")
DATA = (*CLAIMS, "hostDisk")
KINDS = (
    *DATA,
    "memoryDump",
    *("cloudInitConfigDrive", "cloudInitNoCloud", "configMap", "containerDisk", "downwardAPI"),
    *("downwardMetrics", "emptyDisk", "ephemeral", "secret", "serviceAccount", "sysprep"),
)
REASONS = {
    "no_class": "No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass "
    "[nfs] [x]",
    "two_classes": "2 matching VolumeSnapshotClasses for nfs",
    "claim_gone": "PVC not found",
    "ignored": "No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass "
    "[nfs] [x]",
}
SITUATIONS = (
    "class",
    "no_class",
    "two_classes",
    "claim_gone",
    "attached_later",
    "detached_since",
    "hot_plugged",
    "ignored",
)
VERSIONS = ((1, 3), (1, 6), (1, 9))
VISIBLE = ("spec", "statuses", "neither")
IGNORING = Objective(max_age=DAY, ignore_volumes=(re.compile("x"),))


def backed_by_claim(kind: str) -> bool:
    """Return whether KubeVirt looks at the StorageClass of a volume of this kind."""
    return kind in (*CLAIMS, "memoryDump")


def status_of(kind: str, situation: str) -> dict[str, Any]:
    if not backed_by_claim(kind):
        reason = "Snapshot is not supported for this volumeSource type [x]"
        return {"name": "x", "enabled": False, "reason": reason}
    if situation in REASONS:
        return {"name": "x", "enabled": False, "reason": REASONS[situation]}
    return {"name": "x", "enabled": True}


def held(kind: str, situation: str) -> bool:
    """Return whether the snapshot includes the volume."""
    return backed_by_claim(kind) and situation in ("class", "detached_since")


def documents(
    kind: str, situation: str, version: tuple[int, int], visible: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the VM and its snapshot as KubeVirt writes them."""
    volumes: list[dict[str, Any]] = [{"name": "root", "dataVolume": {"name": "root"}}]
    statuses: list[dict[str, Any]] = [{"name": "root", "enabled": True}]
    if situation != "detached_since":
        volumes.append({"name": "x", kind: {"any": "thing"}})
        statuses.append(status_of(kind, situation))
    unlisted = ("attached_later", "hot_plugged")
    included = ["root", *(["x"] if held(kind, situation) else [])]
    excluded = [] if held(kind, situation) or situation in unlisted else ["x"]
    indications = ["Online", "GuestAgent"]
    if version >= (1, 9) and excluded and backed_by_claim(kind):
        indications.append("PartialSnapshot")
    snapshot = snapshot_document(included, excluded, indications=indications)
    if version >= (1, 6):
        volumes.append({"name": "cdrom", "containerDisk": {"image": "x"}})
        statuses.append({"name": "persistent-state-for-db", "enabled": True})
        snapshot["status"]["snapshotVolumes"]["includedVolumes"].append("persistent-state-for-db")
    if version >= (1, 9):
        sources = [{"indication": name, "message": ""} for name in indications]
        snapshot["status"]["sourceIndications"] = sources
    vm = vm_document(
        volumes if visible == "spec" else None, None if visible == "neither" else statuses
    )
    return vm, snapshot


def loses_data(kind: str, situation: str) -> bool:
    """Return whether a restore of the snapshot would lose data that is not ignored."""
    attached = situation != "detached_since"
    return kind in DATA and attached and situation != "ignored" and not held(kind, situation)


def expected(kind: str, situation: str, visible: str) -> Verdict:
    if visible == "neither":
        return Verdict.UNKNOWN
    if visible == "spec":
        lost = loses_data(kind, situation)
        return Verdict.NOT_PROTECTED if lost else Verdict.PROTECTED
    if situation in ("detached_since", "ignored"):
        return Verdict.PROTECTED
    if not backed_by_claim(kind):
        return Verdict.UNKNOWN  # a status is the same for a host disk and for cloud-init
    return Verdict.PROTECTED if held(kind, situation) else Verdict.NOT_PROTECTED


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("visible", VISIBLE)
def test_the_verdict_is_right_for_every_volume_in_every_situation(
    version: tuple[int, int], visible: str
) -> None:
    wrong, lost = {}, []
    for kind, situation in product(KINDS, SITUATIONS):
        vm, snapshot = documents(kind, situation, version, visible)
        objectives = [IGNORING] if situation == "ignored" else []
        found = judged(vm, snapshot, objectives=objectives)
        if found.verdict != expected(kind, situation, visible):
            wrong[kind, situation] = found.judgement
        if found.verdict == Verdict.PROTECTED and loses_data(kind, situation):
            lost.append((kind, situation))
    assert wrong == {}
    assert lost == []


REASON_OF = {
    "attached_later": "newer",
    "hot_plugged": "newer",
    "no_class": "unsnapshottable",
    "two_classes": "unsnapshottable",
    "claim_gone": "unsnapshottable",
}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_unprotected_volume_counts_once_under_the_first_reason_that_applies(
    version: tuple[int, int],
) -> None:
    for kind, situation in product(KINDS, SITUATIONS):
        vm, snapshot = documents(kind, situation, version, "spec")
        objectives = [IGNORING] if situation == "ignored" else []
        found = judged(vm, snapshot, objectives=objectives).unprotected
        names: dict[str, tuple[str, ...]] = {"unsnapshottable": (), "excluded": (), "newer": ()}
        if loses_data(kind, situation):
            reason = "unsnapshottable" if kind == "hostDisk" else REASON_OF[situation]
            names[reason] = ("x",)
        assert found == names, (kind, situation)


def test_a_volume_that_the_snapshot_excludes_although_it_can_be_snapshotted_is_excluded() -> None:
    vm, snapshot = documents("dataVolume", "class", (1, 9), "spec")
    lists = snapshot["status"]["snapshotVolumes"]
    lists["includedVolumes"].remove("x")
    lists["excludedVolumes"].append("x")
    found = judged(vm, snapshot)
    assert found.verdict == Verdict.NOT_PROTECTED
    assert found.unprotected == {"unsnapshottable": (), "excluded": ("x",), "newer": ()}


@pytest.mark.parametrize("visible", ["spec", "statuses"])
@pytest.mark.parametrize("included", [[], ["persistent-state-for-db"]])
def test_a_snapshot_without_a_data_volume_is_not_restorable(
    visible: str, included: list[str]
) -> None:
    vm, _ = documents("dataVolume", "no_class", (1, 6), visible)
    found = judged(vm, snapshot_document(included, ["root", "x"]))
    assert found.subject.row.restorable == 0
    assert {"no_restorable", "without_disks", "unprotected_volumes"} <= set(found.problems)
    assert found.unprotected == {"unsnapshottable": ("x",), "excluded": (), "newer": ()}


def test_a_snapshot_of_nothing_but_a_memory_dump_is_not_restorable() -> None:
    volumes = [{"name": "root", "dataVolume": {}}, {"name": "dump", "memoryDump": {}}]
    found = judged(vm_document(volumes), snapshot_document(["dump"], ["root"]))
    assert found.subject.row.restorable == 0
    without_data = judged(vm_document(volumes[1:]), snapshot_document(["dump"]))
    assert without_data.subject.row.restorable == 0


def test_a_volume_of_a_kind_that_cannot_be_read_counts_as_a_data_volume() -> None:
    for entry in ({"name": "x"}, {"name": "x", "odd": {}}, {"name": "x", "secret": {}, "odd": {}}):
        vm = vm_document([{"name": "root", "dataVolume": {}}, entry])
        found = judged(vm, snapshot_document(["root"]))
        assert found.unprotected == {"unsnapshottable": (), "excluded": (), "newer": ("x",)}, entry
        assert found.verdict == Verdict.NOT_PROTECTED


def test_an_entry_that_is_no_volume_leaves_the_vm_unprotected() -> None:
    entries: tuple[Any, ...] = (5, None, {"dataVolume": {}}, {"name": 7, "dataVolume": {}})
    for entry in entries:
        vm = vm_document([{"name": "root", "dataVolume": {}}, entry])
        assert judged(vm, snapshot_document(["root"])).verdict == Verdict.NOT_PROTECTED, entry
