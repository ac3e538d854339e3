"""Unreadable values are unknown, and unknown values do not protect."""

from __future__ import annotations

import re
from typing import Any

import pytest

from exporter.rollup import Objective
from exporter.verdict import Verdict
from tests.verdict.judged import DAY, HOUR, NOW, judged, rfc3339, snapshot_document, vm_document

VOLUMES = [{"name": "root", "dataVolume": {"name": "root"}}]
STATUSES = [{"name": "root", "enabled": True}]
VM = vm_document(VOLUMES, STATUSES)
GOOD = snapshot_document()
GOLD = Objective(max_age=26 * HOUR, labels=(("tier", re.compile("gold")),))


def changed(document: dict[str, Any], section: str, **fields: Any) -> dict[str, Any]:
    return {**document, section: {**document[section], **fields}}


def test_the_documents_of_this_file_are_of_a_protected_vm() -> None:
    assert judged(VM, GOOD).verdict == Verdict.PROTECTED


@pytest.mark.parametrize(
    ("vm", "reason"),
    [
        (changed(VM, "metadata", labels=["gold"]), "labels_unreadable"),
        (changed(VM, "metadata", labels={"tier": 7}), "labels_unreadable"),
        ({**VM, "spec": "none"}, "volumes_unknown"),
        ({**VM, "spec": {"template": {"spec": {"volumes": 7}}}}, "volumes_unknown"),
        (vm_document(VOLUMES, [*STATUSES, 7]), "volumes_unknown"),
        (vm_document(VOLUMES, [{"name": "root", "enabled": "yes"}]), "volumes_unknown"),
    ],
)
def test_a_vm_of_which_a_value_cannot_be_read_is_not_known_to_be_protected(
    vm: Any, reason: str
) -> None:
    found = judged(vm, GOOD, objectives=[GOLD])
    assert found.judgement == (Verdict.UNKNOWN, (reason,))


@pytest.mark.parametrize(
    "snapshot",
    [
        changed(GOOD, "status", phase=7),
        changed(GOOD, "status", readyToUse="yes"),
        changed(GOOD, "status", snapshotVolumes="root"),
        changed(GOOD, "status", snapshotVolumes={"includedVolumes": "root"}),
        changed(GOOD, "metadata", deletionTimestamp=7),
        changed(GOOD, "metadata", ownerReferences="none"),
        changed(GOOD, "metadata", ownerReferences=[{"kind": 7}]),
    ],
)
def test_a_snapshot_that_might_not_be_restorable_does_not_count(snapshot: Any) -> None:
    found = judged(VM, snapshot)
    assert found.judgement == (Verdict.NOT_PROTECTED, ("no_restorable",))


def test_a_restorable_snapshot_of_unknown_time_is_no_certain_protection() -> None:
    undated = changed(changed(GOOD, "metadata", creationTimestamp=7), "status", creationTime=None)
    assert judged(VM, undated).judgement == (Verdict.UNKNOWN, ("recovery_time_unknown",))
    missed = judged(VM, undated, objectives=[Objective(max_age=26 * HOUR)])
    assert missed.judgement == (Verdict.NOT_PROTECTED, ("objective_missed",))


def test_a_time_of_the_data_long_after_the_request_gives_way_to_the_request() -> None:
    late = snapshot_document(age=100 * HOUR, creationTime=rfc3339(NOW - HOUR))
    assert judged(VM, late).subject.row.recovery_point == NOW - 100 * HOUR
    slow = snapshot_document(age=20 * HOUR, creationTime=rfc3339(NOW - HOUR))
    assert judged(VM, slow).subject.row.recovery_point == NOW - HOUR


def test_a_host_disk_cannot_be_snapshotted_whatever_its_status_says() -> None:
    disk = {"name": "data", "hostDisk": {"path": "/data.img"}}
    for statuses in (None, STATUSES, [{"name": "data", "enabled": True}]):
        found = judged(vm_document([*VOLUMES, disk], statuses), GOOD)
        assert found.unprotected == {"unsnapshottable": ("data",), "excluded": (), "newer": ()}
        assert found.subject.row.vm.unsnapshottable_volumes == ("data",)


def test_a_snapshot_without_a_list_of_volumes_is_no_certain_protection() -> None:
    found = judged(VM, snapshot_document(None))
    assert found.subject.row.restorable == 1
    assert found.unprotected == {"unsnapshottable": (), "excluded": (), "newer": ("root",)}
    assert found.verdict == Verdict.NOT_PROTECTED


def test_ignored_volumes_are_left_out_by_their_whole_name() -> None:
    objective = Objective(max_age=DAY, ignore_volumes=(re.compile("scratch"), re.compile("t.*")))
    names = ("scratch", "scratch-2", "tmp")
    vm = vm_document([*VOLUMES, *({"name": name, "hostDisk": {}} for name in names)])
    found = judged(vm, GOOD, objectives=[objective])
    assert (found.unprotected or {})["unsnapshottable"] == ("scratch-2",)
    assert found.subject.row.vm.unsnapshottable_volumes == names
