"""The cache between two pages changes nothing that they show; without a network."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from exporter.rollup import Objective
from exporter.snapshot import ClusterState
from exporter.store import Published
from exporter.web.status.assess import ASSESSED_KEPT, Assessed, Assessments
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
    return [
        (
            each.subject.namespace,
            each.subject.name,
            each.verdict,
            each.findings,
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
            st.floats(ASSESSED_KEPT, 10**6),
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
