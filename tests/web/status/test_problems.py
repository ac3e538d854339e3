"""Which machine is shown first, and what is said of it; without a network."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TypeVar
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.rollup import Objective
from exporter.snapshot import (
    Cluster,
    ClusterState,
    Listing,
    NamedSnapshot,
    Snapshot,
    SnapshotError,
    VirtualMachine,
    Volumes,
)
from exporter.volumes import Volume
from exporter.web.status.board import Board, Boards
from exporter.web.status.board import board as board_of
from exporter.web.status.fleet import Standings
from exporter.web.status.overview import Fleet, Overview, overview
from exporter.web.status.problems import PROBLEMS
from exporter.web.status.question import Question, asked
from tests.strategies import cluster_states

T = TypeVar("T")

NOW, HOUR, DAY = 1_800_000_000.0, 3600.0, 86_400.0
OBJECTIVE = Objective(max_age=2 * DAY)
EAST = Cluster(uid="6540a1", name="prod-east")


def good(vm: str, *, age: float = HOUR, name: str = "good") -> Snapshot:
    return Snapshot(
        namespace="vms",
        vm=vm,
        name=f"{vm}-{name}",
        requested_at=NOW - age,
        creation_time=NOW - age,
        phase="Succeeded",
        ready_to_use=True,
        indications=("Online", "GuestAgent"),
        volumes=Volumes(included=("rootdisk",)),
    )


def vm(name: str, *unable: str) -> VirtualMachine:
    return VirtualMachine(
        namespace="vms",
        name=name,
        created_at=NOW - 100 * DAY,
        volumes=(Volume("rootdisk"), *(Volume(each, enabled=False) for each in unable))
        if unable
        else None,
    )


def state(
    vms: Sequence[VirtualMachine], *snapshots: Snapshot, named: Sequence[NamedSnapshot] = ()
) -> ClusterState:
    listing = Listing(
        snapshots=snapshots,
        virtual_machines=tuple(vms),
        known_machines=frozenset(each.key for each in vms),
        namespaces=frozenset(),
        read_at=0.0,
    )
    return ClusterState(
        cluster=EAST,
        up=True,
        last_success=NOW,
        refreshed_at=NOW,
        listing=listing,
        named=tuple(named),
    )


def result(steps: Generator[None, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value


def board(published: ClusterState, previous: Board | None = None) -> Board:
    return result(board_of(published, (OBJECTIVE,), previous))


def shown(
    published: ClusterState, *, now: float = NOW, standings: Standings | None = None, **asking: str
) -> Overview:
    question, notes = asked([*asking.items()])
    fleet = Fleet([board(published)], [published.cluster], now)
    return result(overview(fleet, standings or Standings(), question, notes))


def ranked(found: Overview) -> list[tuple[str, list[str]]]:
    return [
        (line.machine.name, [each.problem.key for each in line.troubles]) for line in found.machines
    ]


FAILED = replace(
    good("failed"),
    name="newest",
    requested_at=NOW - 60,
    creation_time=None,
    phase="Failed",
    ready_to_use=False,
    error=SnapshotError(message="deadline exceeded"),
    volumes=None,
)
LOST = replace(good("lost", age=3 * HOUR), name="old", ready_to_use=False)
HANGING = replace(
    good("hanging", name="x"), phase="InProgress", ready_to_use=False, creation_time=None
)
EVERYTHING = state(
    [
        vm(name, *unable)
        for name, *unable in (
            ("crash",),
            ("failed",),
            ("fine",),
            ("hanging",),
            ("incomplete",),
            ("lost",),
            ("missed",),
            ("missed-longer",),
            ("named",),
            ("none",),
            ("shell",),
            ("unable", "scratch"),
        )
    ],
    replace(good("crash"), indications=("Online",)),
    good("failed"),
    FAILED,
    good("fine"),
    good("hanging"),
    HANGING,
    replace(good("incomplete"), volumes=Volumes(included=("a",), excluded=("b",))),
    good("lost"),
    LOST,
    good("missed", age=3 * DAY),
    good("missed-longer", age=30 * DAY),
    good("named"),
    good("shell"),
    replace(good("shell", name="bare"), volumes=Volumes(excluded=("rootdisk",))),
    good("unable"),
    good("gone"),
    named=[NamedSnapshot(namespace="vms", vm="named", name="nightly", up=False, missing=True)],
)


FLEET_BOARD = board(EVERYTHING)


def test_the_worst_come_first_and_those_longest_wrong_before_their_equals() -> None:
    assert ranked(shown(EVERYTHING)) == [
        ("none", ["no_restorable", "objective_missed"]),
        ("missed-longer", ["objective_missed"]),
        ("missed", ["objective_missed"]),
        ("failed", ["last_failed"]),
        ("lost", ["lost"]),
        ("named", ["missing"]),
        ("hanging", ["hanging"]),
        ("shell", ["without_disks"]),
        ("crash", ["crash_consistent"]),
        ("incomplete", ["incomplete"]),
        ("unable", ["unsnapshottable"]),
        ("gone", ["orphaned"]),
        ("fine", []),
    ]


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        ("none", "There is no snapshot at all; the VM was created 100 d ago."),
        ("missed-longer", "30 d old: 28 d more than the objective of 2 d"),
        ("failed", "deadline exceeded"),
        ("named", "nightly"),
        ("unable", "scratch"),
    ],
)
def test_each_problem_says_why(machine: str, says: str) -> None:
    (line,) = shown(EVERYTHING, q=f"vms/{machine}").machines[:1]
    assert says in " ".join(part for each in line.troubles for part in each.why)


def test_the_glance_counts_what_metrics_count() -> None:
    glance = shown(EVERYTHING).glance
    assert (glance.clusters_read, glance.clusters) == (1, 1)
    assert glance.objectives_missed == 3
    assert glance.vms_without_restorable == 1
    assert glance.snapshots_lost == 1
    counts = glance.counts
    assert (counts.vms, counts.failed, counts.in_progress) == (12, 1, 1)
    assert (counts.without_disks, counts.orphaned) == (1, 1)


def test_an_objective_is_missed_the_moment_it_is_with_nothing_read_anew() -> None:
    published, standings = state([vm("db")], good("db", age=DAY)), Standings()
    assert ranked(shown(published, now=NOW + DAY - 1, standings=standings)) == [("db", [])]
    late = shown(published, now=NOW + DAY, standings=standings)
    assert ranked(late) == [("db", ["objective_missed"])]
    assert late.glance.objectives_missed == 1


def test_time_makes_no_machine_look_worse_while_its_cluster_cannot_be_read() -> None:
    unread = replace(state([vm("db")], good("db", age=DAY)), up=False)
    found = shown(unread, now=NOW + 30 * DAY)
    assert ranked(found) == [("db", [])]
    assert found.machines[0].stale
    assert found.glance.objectives_missed == 0
    assert [each.reading for each in found.clusters] == ["stale"]


def test_a_change_costs_the_machine_that_changed_only() -> None:
    first = board(EVERYTHING)
    listing = EVERYTHING.listing
    assert listing
    changed = tuple(
        replace(each, uid="new") if each.vm == "fine" else each for each in listing.snapshots
    )
    reused = board(replace(EVERYTHING, listing=replace(listing, snapshots=changed)), first)
    fresh = [key for key, row in reused.rows.items() if row is not first.rows[key]]
    assert fresh == [("vms", "fine")]


def test_a_board_is_made_once_for_all_who_look() -> None:
    boards = Boards()
    here = [(EVERYTHING, (OBJECTIVE,))]
    (first,) = result(boards.of_all(here))
    assert result(boards.of_all(here))[0] is first
    assert result(boards.of(*here[0])) is first
    (stricter,) = result(boards.of_all([(EVERYTHING, (Objective(max_age=HOUR),))]))
    assert {
        row.machine.row.objective.max_age for row in stricter.rows.values() if row.machine.vm
    } == {HOUR}
    assert result(boards.of_all([])) == []
    assert result(boards.of(*here[0])) is not first


@given(cluster_states(), cluster_states())
def test_a_board_that_uses_another_again_is_the_same_as_a_new_one(
    one: ClusterState, other: ClusterState
) -> None:
    following = replace(other, cluster=one.cluster)
    again, anew = board(following, board(one)), board(following)
    assert again.counts == anew.counts
    assert [*again.rows] == [*anew.rows]
    for key, row in again.rows.items():
        assert row.onsets == anew.rows[key].onsets
        assert row.machine.snapshots == anew.rows[key].machine.snapshots


@given(st.lists(st.tuples(st.sampled_from(["q", "page", "state", "cluster", "x"]), st.text())))
def test_no_query_breaks_the_page_and_what_is_odd_is_said(query: list[tuple[str, str]]) -> None:
    question, notes = asked(query)
    assert question.page >= 1
    assert ("x" in dict(query)) <= bool(notes)
    found = result(overview(Fleet([FLEET_BOARD], [EAST], NOW), Standings(), question, notes))
    assert found.machine_part.number <= found.machine_part.pages


def test_a_question_is_the_same_after_its_way_through_a_url() -> None:
    question = Question(cluster="a b&c", namespace="ü", state="lost", q="#?", page=3)
    assert asked(parse_qsl(question.query()[1:])) == (question, ())


def test_the_keys_of_problems_are_distinct() -> None:
    assert len({problem.key for problem in PROBLEMS}) == len(PROBLEMS)
