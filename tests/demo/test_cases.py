"""The demo shows each problem of the table, each verdict and each kind of objective."""

import time

import pytest

from exporter.check.round import Round
from exporter.demo.cases import CASES, CLUSTER_CASES
from exporter.findings import findings, is_current, judge
from exporter.findings.subject import Moment, Subject, subjects
from exporter.runtime.once import read_once
from exporter.settings import load
from exporter.verdict import PROBLEMS, Verdict
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World

NOT_IN_THE_DEMO = {"named_missing"}
"""No target names a snapshot."""


@pytest.fixture
async def found() -> Round:
    async with PaletteServer(World.demo(now=time.time()), limits=None) as palette:
        settings = load(demo=True, environ={}).with_demo(url=palette.url, api_key=API_KEY)
        return await read_once(settings)


def machines(found: Round) -> dict[str, Subject]:
    """Return the virtual machines by name."""
    return {
        subject.name: subject
        for state in found.states
        for subject in subjects(state, found.objectives)
    }


async def test_each_problem_is_there(found: Round) -> None:
    seen = set()
    for subject in machines(found).values():
        seen |= {each.problem.name for each in findings(subject, Moment(found.now))}
    of_vms = {name for name, problem in PROBLEMS.items() if problem.scope == "vm"}
    assert of_vms - NOT_IN_THE_DEMO - seen == set()


async def test_each_verdict_is_there_and_each_kind_of_objective(found: Round) -> None:
    known, now = machines(found).values(), Moment(found.now)
    seen = {
        judge(subject, now, current=is_current(state, now)).verdict
        for state in found.states
        for subject in subjects(state, found.objectives)
    }
    assert seen == set(Verdict)
    used = [each.row.objective for each in known if each.vm]
    for objective in found.objectives:
        assert objective in used
    for kind in ("exempt", "max_age", "min_snapshots", "max_snapshots", "max_snapshot_age"):
        assert any(getattr(each, kind) for each in found.objectives), kind
    assert any(each.quiesced and each.ignore_volumes for each in found.objectives)


VERDICTS = {
    "nfs-01": (Verdict.NOT_PROTECTED, "unprotected_volumes"),
    "nfs-02": (Verdict.NOT_PROTECTED, "unprotected_volumes"),
    "host-disk-01": (Verdict.NOT_PROTECTED, "unprotected_volumes"),
    "attached-01": (Verdict.NOT_PROTECTED, "unprotected_volumes"),
    "claim-01": (Verdict.NOT_PROTECTED, "unprotected_volumes"),
    "tpm-only-01": (Verdict.NOT_PROTECTED, "no_restorable"),
    "memory-dump-01": (Verdict.NOT_PROTECTED, "no_restorable"),
    "no-spec-01": (Verdict.NOT_PROTECTED, "unprotected_volumes"),
    "no-spec-02": (Verdict.UNKNOWN, "volumes_unknown"),
    "time-unset-01": (Verdict.NOT_PROTECTED, "objective_missed"),
    "age-unknown-01": (Verdict.NOT_PROTECTED, "objective_missed"),
    "clone-01": (Verdict.NOT_PROTECTED, "objective_missed"),
    "agent-01": (Verdict.EXEMPT, "exempt"),
    "leaving-01": (Verdict.EXEMPT, "being_deleted"),
}


@pytest.mark.parametrize("name", VERDICTS)
async def test_a_case_has_its_verdict(name: str, found: Round) -> None:
    verdict, reasons = judge(machines(found)[name], Moment(found.now), current=True)
    assert (verdict, VERDICTS[name][1] in reasons) == (VERDICTS[name][0], True)


async def test_clusters_that_cannot_be_read_have_different_reasons(found: Round) -> None:
    unread = {state.cluster.name: state for state in found.states if not state.up}
    assert unread.keys() == {each.name for each in CLUSTER_CASES}
    assert {each.name: each.state for each in CLUSTER_CASES} == {
        name: state.cluster.state for name, state in unread.items()
    }
    reasons = {state.last_failure[0].reason for state in unread.values() if state.last_failure}
    assert {"forbidden", "server_error"} <= reasons


def test_cases_are_the_same_each_time_and_have_names_of_their_own() -> None:
    one, two = World.demo(now=1_795_140_000.0), World.demo(now=1_795_140_000.0)
    for cluster in one.clusters():
        assert one.vms(cluster.uid) == two.vms(cluster.uid)
        assert one.snapshots(cluster.uid) == two.snapshots(cluster.uid)
    assert len({case.name for case in CASES}) == len(CASES)
