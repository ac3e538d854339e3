"""Each problem of the table: when it exists, since when, and when it does not."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.rollup import Objective
from exporter.verdict import Severity, Verdict
from tests.verdict.judged import (
    DAY,
    HOUR,
    NOW,
    Judged,
    judged,
    rfc3339,
    snapshot_document,
    vm_document,
)

ROOT = [{"name": "root", "dataVolume": {"name": "root"}}]
VM = vm_document(ROOT)
MINUTE = 60.0


def with_metadata(document: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {**document, "metadata": {**document["metadata"], **metadata}}


def condition(status: str, age: float) -> list[dict[str, str]]:
    return [{"type": "Ready", "status": status, "lastTransitionTime": rfc3339(NOW - age)}]


def unready(age: float, **status: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"readyToUse": False}
    return snapshot_document(name="bad", age=age, **(fields | status))


def unfinished(age: float, *, deadline: str | None = None, **status: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"phase": "InProgress", "readyToUse": False, "creationTime": None}
    document = snapshot_document(None, name="new", age=age, **(fields | status))
    document["spec"]["failureDeadline"] = deadline
    return document


def scheduled(*ages: float) -> list[dict[str, Any]]:
    label = {"vmo-manager.spectrocloud.com/scheduled": "true"}
    return [
        with_metadata(snapshot_document(name=f"s{number}", age=age), labels=label)
        for number, age in enumerate(ages)
    ]


FAILED = snapshot_document(name="f", age=HOUR, phase="Failed", readyToUse=False, creationTime=None)
GOOD = snapshot_document(indications=["Online", "GuestAgent"])
WITHOUT_STATUS = {key: value for key, value in GOOD.items() if key != "status"}


def deleting(age: float) -> dict[str, Any]:
    return with_metadata(GOOD, deletionTimestamp=rfc3339(NOW - age))


FOUND: list[tuple[str, Any, list[Any], Objective | None]] = [
    ("objective_missed", VM, [snapshot_document(age=27 * HOUR)], Objective(max_age=26 * HOUR)),
    ("objective_missed", VM, [], Objective(max_age=26 * HOUR)),
    ("objective_missed", vm_document(ROOT, age=None), [], Objective(max_age=26 * HOUR)),
    ("no_restorable", VM, [], None),
    ("no_restorable", vm_document(ROOT, age=None), [], None),
    ("no_restorable", VM, [unready(HOUR)], None),
    ("no_restorable", vm_document(ROOT, age=2 * HOUR), [], Objective(max_age=HOUR)),
    ("last_failed", VM, [GOOD, FAILED], None),
    ("last_failed", VM, [GOOD, with_metadata(FAILED, creationTimestamp="soon")], None),
    ("older_failure", VM, [snapshot_document(age=MINUTE), FAILED], None),
    ("data_lost", VM, [GOOD, unready(5 * DAY, conditions=condition("False", HOUR))], None),
    ("data_lost", VM, [GOOD, unready(DAY, error={"message": "x missing"})], None),
    ("data_lost", VM, [GOOD, unready(DAY, error={"time": rfc3339(NOW - HOUR)})], None),
    ("data_lost", VM, [GOOD, unready(DAY, phase="Unknown")], None),
    ("not_ready_yet", VM, [GOOD, unready(HOUR)], None),
    ("not_ready_yet", VM, [GOOD, unready(HOUR, error={"time": rfc3339(NOW - 2 * HOUR)})], None),
    ("not_ready_yet", VM, [GOOD, unready(HOUR, conditions=condition("False", HOUR))], None),
    ("hanging", VM, [GOOD, unfinished(11 * MINUTE)], None),
    ("hanging", VM, [GOOD, unfinished(66 * MINUTE, deadline="1h")], None),
    ("hanging", VM, [GOOD, unfinished(61 * MINUTE, deadline="0s")], None),
    ("hanging", VM, [GOOD, unfinished(11 * MINUTE, phase="")], None),
    ("hanging", VM, [GOOD, unfinished(11 * MINUTE, phase="Odd")], None),
    ("hanging", VM, [GOOD, with_metadata(unfinished(0), creationTimestamp="?")], None),
    ("hanging", VM, [WITHOUT_STATUS], None),
    ("without_disks", VM, [snapshot_document([], ["root"])], None),
    ("without_disks", VM, [GOOD, snapshot_document([], name="bare", age=MINUTE)], None),
    ("deletion_hangs", VM, [deleting(HOUR)], None),
    ("deletion_hangs", VM, [with_metadata(GOOD, deletionTimestamp="now")], None),
    ("schedule_stopped", VM, scheduled(14 * DAY), None),
    ("schedule_stopped", VM, scheduled(13 * DAY, 10 * DAY, 16 * DAY), None),
    ("too_few", VM, [GOOD], Objective(min_snapshots=2)),
    ("piling_up", VM, [snapshot_document(name=f"s{n}") for n in range(32)], None),
    ("piling_up", VM, [GOOD, FAILED], Objective(max_snapshots=1)),
    ("too_old", VM, [GOOD, snapshot_document(name="old", age=31 * DAY)], None),
    ("too_old", VM, [GOOD, FAILED], Objective(max_snapshot_age=MINUTE)),
    ("not_quiesced", VM, [snapshot_document(indications=["Online"])], Objective(quiesced=True)),
    ("not_quiesced", VM, [snapshot_document(indications=7)], Objective(quiesced=True)),
    ("not_quiesced", VM, [snapshot_document(sourceIndications=[7])], Objective(quiesced=True)),
    ("crash_consistent", VM, [snapshot_document(indications=["Online", "NoGuestAgent"])], None),
    (
        "crash_consistent",
        VM,
        [snapshot_document(indications=["Online", "GuestAgent", "Paused"])],
        None,
    ),
    (
        "crash_consistent",
        VM,
        [snapshot_document(indications=["Online", "GuestAgent", "NoGuestAgent"])],
        None,
    ),
    ("predecessor", vm_document(ROOT, age=HOUR), [GOOD], None),
    (
        "unprotected_volumes",
        VM,
        [snapshot_document(["other"], ["root"]), snapshot_document(None)],
        None,
    ),
    ("volumes_unknown", vm_document(), [GOOD], None),
]


def judge(vm: Any, snapshots: list[Any], objective: Objective | None) -> Judged:
    return judged(vm, *snapshots, objectives=[objective] if objective else [])


@pytest.mark.parametrize(("problem", "vm", "snapshots", "objective"), FOUND)
def test_each_problem_is_found(
    problem: str, vm: Any, snapshots: list[Any], objective: Objective | None
) -> None:
    found = judge(vm, snapshots, objective)
    assert problem in found.problems
    (finding,) = (each for each in found.findings if each.problem.name == problem)
    assert finding.text.endswith(".")
    assert finding.since is None or finding.since <= NOW


@pytest.mark.parametrize(("problem", "vm", "snapshots", "objective"), FOUND)
def test_an_exempt_vm_and_one_that_is_being_deleted_have_no_problem(
    problem: str, vm: Any, snapshots: list[Any], objective: Objective | None
) -> None:
    del problem
    exempt = judge(vm, snapshots, Objective(exempt=True))
    assert (exempt.problems, exempt.verdict) == ([], Verdict.EXEMPT)
    going = judge(with_metadata(vm, deletionTimestamp=rfc3339(NOW)), snapshots, objective)
    assert (going.problems, going.verdict) == ([], Verdict.EXEMPT)


QUIET: list[tuple[str, Any, list[Any], Objective | None]] = [
    ("objective_missed", VM, [GOOD], Objective(max_age=26 * HOUR)),
    ("objective_missed", vm_document(ROOT, age=HOUR), [], Objective(max_age=26 * HOUR)),
    ("no_restorable", vm_document(ROOT, age=HOUR), [], None),
    ("no_restorable", vm_document(ROOT, age=HOUR), [], Objective(max_age=26 * HOUR)),
    ("last_failed", VM, [FAILED, snapshot_document(age=MINUTE)], None),
    ("data_lost", VM, [GOOD, unready(HOUR)], None),
    ("data_lost", VM, [GOOD, unready(MINUTE, error={"message": "busy"})], None),
    ("not_ready_yet", VM, [GOOD, unready(20 * MINUTE)], None),
    ("not_ready_yet", VM, [GOOD, unready(5 * DAY, conditions=condition("False", HOUR))], None),
    ("hanging", VM, [GOOD, unfinished(9 * MINUTE)], None),
    ("hanging", VM, [GOOD, unfinished(DAY, phase="Failed")], None),
    ("hanging", VM, [GOOD, unready(DAY, phase="Unknown")], None),
    ("without_disks", VM, [snapshot_document([], name="bare"), snapshot_document(age=1)], None),
    ("without_disks", VM, [snapshot_document(None)], None),
    ("deletion_hangs", VM, [deleting(MINUTE)], None),
    ("schedule_stopped", VM, scheduled(DAY), None),
    ("schedule_stopped", VM, scheduled(14 * DAY), Objective(max_age=30 * DAY)),
    ("schedule_stopped", VM, scheduled(10 * DAY, 15 * DAY, 20 * DAY), None),
    ("schedule_stopped", VM, [snapshot_document(age=14 * DAY)], None),
    ("too_few", vm_document(ROOT, age=HOUR), [], Objective(min_snapshots=2)),
    ("piling_up", VM, [snapshot_document(name=f"s{n}") for n in range(31)], None),
    (
        "piling_up",
        VM,
        [snapshot_document(name=f"s{n}") for n in range(32)],
        Objective(max_snapshots=40),
    ),
    ("too_old", VM, [snapshot_document(age=31 * DAY)], None),
    ("crash_consistent", VM, [GOOD, snapshot_document(name="b", indications=["Online"])], None),
    ("crash_consistent", VM, [snapshot_document(indications=["PartialSnapshot"])], None),
    ("not_quiesced", VM, [snapshot_document()], Objective(quiesced=True)),
    ("predecessor", VM, [GOOD], None),
]


@pytest.mark.parametrize(("problem", "vm", "snapshots", "objective"), QUIET)
def test_each_problem_has_its_limits(
    problem: str, vm: Any, snapshots: list[Any], objective: Objective | None
) -> None:
    assert problem not in judge(vm, snapshots, objective).problems


def test_a_protected_vm_has_no_problem() -> None:
    found = judge(VM, [GOOD], Objective(max_age=26 * HOUR, min_snapshots=1, quiesced=True))
    assert (found.verdict, found.problems) == (Verdict.PROTECTED, [])


def test_lost_data_is_dated_by_the_transition_of_the_ready_condition() -> None:
    lost = unready(5 * DAY, conditions=condition("False", 14 * HOUR), error={"message": "gone"})
    (finding, *_) = judge(VM, [GOOD, lost], None).findings
    assert (finding.problem.name, finding.severity) == ("data_lost", Severity.CRITICAL)
    assert finding.since == NOW - 14 * HOUR
    assert (finding.quote, finding.snapshots) == ("gone", ("bad",))


def test_an_error_of_the_future_does_not_date_lost_data() -> None:
    """Or a page would show another time at each look."""
    lost = unready(5 * DAY, error={"message": "gone", "time": rfc3339(NOW + HOUR)})
    (finding, *_) = judge(VM, [GOOD, lost], None).findings
    assert (finding.problem.name, finding.since) == ("data_lost", NOW - 5 * DAY)


def test_unprotected_volumes_are_critical_only_where_recovery_is_promised() -> None:
    vm = vm_document([*ROOT, {"name": "data", "hostDisk": {}}])
    severities = {
        promise: judge(vm, [GOOD], objective).findings[0].severity
        for promise, objective in {
            "nothing": None,
            "few": Objective(max_snapshots=5),
            "age": Objective(max_age=DAY),
            "number": Objective(min_snapshots=1),
            "quiesced": Objective(quiesced=True),
        }.items()
    }
    assert {each for each in severities if severities[each] == Severity.CRITICAL} == {
        "age",
        "number",
        "quiesced",
    }


def test_a_temporary_snapshot_of_a_clone_counts_in_nothing() -> None:
    owner = {"kind": "VirtualMachineClone", "name": "c", "uid": "1"}
    temporary = with_metadata(snapshot_document(age=MINUTE), ownerReferences=[owner])
    row = judge(VM, [temporary], None).subject.row
    assert (row.snapshots, row.ready, row.restorable, row.recovery_point) == (0, 0, 0, None)
    found = judge(
        VM, [temporary, snapshot_document(name="old", age=50 * HOUR)], Objective(max_age=26 * HOUR)
    )
    assert found.subject.row.recovery_point == NOW - 50 * HOUR
    assert "objective_missed" in found.problems


@pytest.mark.parametrize("later", [2 * DAY, 365 * DAY])
def test_a_time_of_the_future_never_meets_an_objective(later: float) -> None:
    future, objective = rfc3339(NOW + later), Objective(max_age=26 * HOUR)
    wrong = snapshot_document(age=200 * HOUR, creationTime=future)
    assert "objective_missed" in judge(VM, [wrong], objective).problems
    both = with_metadata(wrong, creationTimestamp=future)
    assert "objective_missed" in judge(VM, [both], objective).problems
    young = with_metadata(VM, creationTimestamp=future)
    assert judge(young, [], objective).problems[0] == "objective_missed"
    assert "no_restorable" in judge(young, [], None).problems
