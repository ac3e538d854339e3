"""The cache between two pages changes nothing that they show; without a network."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from exporter.rollup import Objective
from exporter.snapshot import Cluster, ClusterState, Listing, Snapshot, VirtualMachine
from exporter.store import Published
from exporter.volumes import Volume, Volumes
from exporter.web.status.assess import Assessed, Assessments
from tests.strategies import cluster_states

NOW = 1_800_000_000.0
OBJECTIVES = [Objective(max_age=3600.0)]


@dataclass(frozen=True)
class Text:
    content: object = field(default_factory=object)


def page(
    kept: Assessments, state: ClusterState, text: Text, now: float, objectives: Sequence[Objective]
) -> list[Assessed]:
    published = Published(state=state, last_known=state, text=text)
    return kept.of_all([published], objectives, now)


def shown(vms: list[Assessed]) -> list[object]:
    """Return all but the texts of problems, which only on the page have to be of this moment."""
    return [
        (
            each.subject.namespace,
            each.subject.name,
            each.verdict,
            [structs.replace(found, text="") for found in each.findings],
            each.rank,
            each.since,
        )
        for each in vms
    ]


@given(
    cluster_states(),
    st.lists(
        st.tuples(
            st.none() | cluster_states(),
            st.floats(0.0, 10**6),
            st.booleans(),
            st.sampled_from([OBJECTIVES, []]),
        ),
        max_size=4,
    ),
)
def test_a_page_from_the_cache_equals_a_first_page(
    state: ClusterState,
    pages: list[tuple[ClusterState | None, float, bool, list[Objective]]],
) -> None:
    kept, text, now = Assessments(), Text(), NOW
    page(kept, state, text, now, OBJECTIVES)
    for other, passed, up, objectives in pages:
        now += passed
        if other is not None:
            state, text = replace(other, cluster=state.cluster), Text()
        state = replace(state, up=up, last_success=now if up else state.last_success)
        again = page(kept, state, text, now, objectives)
        first = page(Assessments(), state, text, now, objectives)
        assert shown(again) == shown(first)


DAY = 86_400.0
GOOD: dict[str, Any] = {
    "ready_to_use": True,
    "phase": "Succeeded",
    "requested_at": NOW - DAY,
    "creation_time": NOW - DAY,
    "volumes": Volumes(included=("root",)),
}
CHANGING: dict[str, list[dict[str, Any]]] = {
    "objective_missed": [GOOD],
    "no_restorable": [],
    "schedule_stopped": [{**GOOD, "scheduled": True}],
    "hanging": [GOOD, {"phase": "InProgress", "requested_at": NOW}],
    "not_ready_yet": [{**GOOD, "ready_to_use": False, "creation_time": NOW, "requested_at": NOW}],
    "deletion_hangs": [{**GOOD, "deleting": True, "deletion_timestamp": NOW}],
    "too_old": [GOOD, {**GOOD, "creation_time": NOW - 2 * DAY}],
    "too_few": [GOOD],
}
"""Problem -> the snapshots of a new VM that has it from some moment on."""


@pytest.mark.parametrize("problem", CHANGING)
def test_a_problem_appears_on_a_page_of_unchanged_snapshots(problem: str) -> None:
    vm = VirtualMachine(namespace="n", name="v", created_at=NOW, volumes=(Volume("root"),))
    snapshots = tuple(
        Snapshot(namespace="n", vm="v", name=f"s{number}", **values)
        for number, values in enumerate(CHANGING[problem])
    )
    listing = Listing(
        snapshots=snapshots,
        virtual_machines=(vm,),
        known_machines=frozenset({vm.key}),
        namespaces=frozenset(),
        read_at=0.0,
    )
    objective = {
        "objective_missed": Objective(max_age=8 * DAY),
        "too_few": Objective(min_snapshots=3),
    }.get(problem, Objective())
    kept, text, seen = Assessments(), Text(), []
    for minutes in range(0, 45 * 24 * 60, 7):
        now = NOW + 60.0 * minutes
        state = ClusterState(
            cluster=Cluster(uid="u", name="c"),
            up=True,
            listing=listing,
            last_success=now,
            refreshed_at=now,
        )
        again = page(kept, state, text, now, [objective])
        assert shown(again) == shown(page(Assessments(), state, text, now, [objective]))
        seen.append(problem in {found.problem.name for each in again for found in each.findings})
    assert (seen[0], seen[-1]) == (False, True)


@given(st.lists(cluster_states(), max_size=3, unique_by=lambda state: state.cluster.uid))
def test_the_worst_come_first_and_equals_by_how_long_and_by_name(
    states: list[ClusterState],
) -> None:
    published = [Published(state=each, last_known=each, text=Text()) for each in states]
    vms = Assessments().of_all(published, OBJECTIVES, NOW)
    order = [
        (
            each.rank,
            each.since,
            each.subject.cluster.name,
            each.subject.cluster.uid,
            each.subject.namespace,
            each.subject.name,
        )
        for each in vms
    ]
    assert order == sorted(order)
