"""The query of the page, and the VMs that it selects; without a network."""

from dataclasses import replace
from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from exporter.rollup import Objective
from exporter.snapshot import ClusterState
from exporter.store import Published
from exporter.web.status.assess import Assessed, Assessments
from exporter.web.status.project import Facts, project, shown_clusters
from exporter.web.status.query import PARAMETERS, Query, parse
from exporter.web.status.views import ExporterView
from exporter.web.status.words import moment
from tests.strategies import cluster_states
from tests.verdict.judged import NOW as JUDGED_AT
from tests.verdict.judged import snapshot_document, state_of, vm_document
from tests.web.status.test_assess import Text

MINUTE = 60.0
NOW = 1_800_000_000.0


def facts(*states: ClusterState) -> Facts:
    return Facts(
        published=[Published(state=each, last_known=each, text=Text()) for each in states],
        known=[],
        objectives=[],
        owner_label="",
        discovery=None,
        ready=True,
        exporter=ExporterView(
            version="1",
            started=moment(NOW - 60),
            shard=0,
            shards=1,
            reload_error=None,
            round_seconds=1.0,
            interval_seconds=60.0,
            rate_in_use=1.0,
        ),
        now=NOW,
    )


def assessed(known: Facts) -> list[Assessed]:
    return Assessments().of_all(known.published, known.objectives, known.now)


@given(
    cluster_states(),
    st.lists(st.tuples(st.sampled_from([*PARAMETERS, "x"]), st.text() | st.just("1h"))),
)
def test_no_query_breaks_the_page_and_an_odd_one_has_a_note(
    state: ClusterState, given_query: list[tuple[str, str]]
) -> None:
    query, notes = parse(given_query)
    assert ("x" in dict(given_query)) <= bool(notes)
    known = facts(state)
    vms = assessed(known)
    status = project(known, query, vms)
    assert status.page.number <= status.page.pages
    assert len(status.vms) <= query.size
    assert status.page.items <= len(vms)
    shown_clusters(status, query)


def test_the_texts_on_a_page_are_of_its_moment() -> None:
    taken = snapshot_document(age=20 * MINUTE)
    state = state_of([vm_document()], [taken])
    kept, known = Assessments(), replace(facts(state), objectives=[Objective(max_age=10 * MINUTE)])
    for passed, text in (0.0, "20 min old"), (5 * MINUTE, "25 min old"):
        at = replace(known, now=JUDGED_AT + passed)
        vms = kept.of_all(at.published, at.objectives, at.now)
        (found,) = [
            each
            for each in project(at, Query(), vms).vms[0].problems
            if each.problem == "objective_missed"
        ]
        assert text in found.text


@given(cluster_states())
def test_the_verdicts_add_up_to_the_vms_and_nothing_unknown_is_called_protected(
    state: ClusterState,
) -> None:
    known = facts(state)
    fleet = (status := project(known, Query(), assessed(known))).fleet
    verdicts = (fleet.vms_protected, fleet.vms_not_protected, fleet.vms_unknown, fleet.vms_exempt)
    if fleet.vms is None:
        assert set(verdicts) == {None}
    else:
        assert sum(each or 0 for each in verdicts) == fleet.vms
    if status.verdict == "protected":
        assert not fleet.vms_unknown
        assert not fleet.vms_not_protected
        assert not fleet.clusters_never_read


def test_a_query_is_the_same_after_its_way_through_a_url() -> None:
    query = Query(cluster="a b&c", namespace="ü", state="data_lost", q="#?", since="1h", page=3)
    assert parse(parse_qsl(query.url()[1:])) == (query, ())


def test_an_unknown_parameter_is_named_if_it_is_a_short_word() -> None:
    (named,) = parse([("clutser", "east")])[1]
    assert named.startswith("Unknown parameter clutser. The parameters are q, cluster,")
    (unnamed,) = parse([("<b>\n", "")])[1]
    assert unnamed.startswith("Unknown parameter. The parameters are q, cluster,")
