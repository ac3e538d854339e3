"""The table of problems, and the problems of clusters, of the fleet and of unlisted VMs."""

from __future__ import annotations

from dataclasses import replace

from exporter.findings.vm import FINDERS
from exporter.snapshot import NamedSnapshot
from exporter.verdict import PROBLEMS, Severity, Verdict
from tests.verdict.judged import HOUR, NOW, judged_of, snapshot_document, state_of, vm_document

MINUTE = 60.0
VM = vm_document([{"name": "root", "dataVolume": {"name": "root"}}])
GOOD = snapshot_document(indications=["Online", "GuestAgent"])


def test_a_named_snapshot_that_does_not_exist_is_a_problem_of_its_vm() -> None:
    named = NamedSnapshot(namespace="vms", vm="db", name="nightly", up=False, missing=True)
    (found,) = judged_of(state_of([VM], [GOOD], [named]))
    assert found.problems == ["named_missing"]


def test_snapshots_of_a_vm_that_is_not_listed_are_orphaned() -> None:
    (found,) = judged_of(state_of([], [GOOD]))
    assert found.problems == ["orphaned"]
    assert found.judgement == (Verdict.EXEMPT, ("orphaned",))


def test_a_cluster_that_is_not_read_makes_its_vms_unknown_after_a_while() -> None:
    state = replace(state_of([VM], [GOOD]), up=False)
    assert judged_of(state)[0].verdict == Verdict.PROTECTED
    assert judged_of(state, now=NOW + 6 * MINUTE)[0].verdict == Verdict.UNKNOWN
    hangs = replace(state, up=True)
    assert judged_of(hangs, now=NOW + 2 * HOUR)[0].verdict == Verdict.UNKNOWN
    never = replace(state, last_success=None)
    assert judged_of(never)[0].judgement == (Verdict.UNKNOWN, ("cluster_unread",))


def test_the_table_has_the_severities_that_people_are_woken_by() -> None:
    critical = {name for name, each in PROBLEMS.items() if each.severity == Severity.CRITICAL}
    info = {name for name, each in PROBLEMS.items() if each.severity == Severity.INFO}
    assert critical == {"nothing_read", "cluster_stale", "data_lost", "objective_missed"}
    assert info == {
        *("crash_consistent", "piling_up", "too_old", "orphaned", "older_failure"),
        *("predecessor", "volumes_unknown"),
    }
    with_objective = {
        name
        for name, each in PROBLEMS.items()
        if each.severity_for(objective=True) != each.severity
    }
    assert with_objective == {"unprotected_volumes"}


def test_every_problem_of_a_vm_has_its_function_and_every_entry_its_texts() -> None:
    assert set(FINDERS) == {name for name, each in PROBLEMS.items() if each.scope == "vm"}
    for problem in PROBLEMS.values():
        assert problem.meaning.endswith(".")
        assert problem.look_at.endswith(".")
        assert problem.alert.startswith("Palette")
        assert problem.runbook == problem.alert.lower()
        assert problem.threshold is None or problem.threshold > 0
    severities = [each.severity for each in PROBLEMS.values()]
    assert severities == sorted(severities, key=list(Severity).index)
