"""Both formats have the same samples as prometheus-client, and no others."""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from prometheus_client import CollectorRegistry
from prometheus_client import exposition as text_format
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics_format
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from exporter.metrics.exposition import SUBJECTS, TABLES, RenderedCluster, Renderer, RenderOptions
from exporter.metrics.families import SnapshotRow
from exporter.metrics.family import AgeFamily, AnyFamily, Family
from exporter.metrics.scrape import exposition, gzipped, help_text, plain
from exporter.rollup import Objective, roll_up
from exporter.snapshot import (
    Cluster,
    ClusterState,
    Listing,
    NamedSnapshot,
    Snapshot,
    VirtualMachine,
)
from tests.strategies import cluster_states

NOW = 1_795_564_800.0

_print_text: Callable[[CollectorRegistry], bytes] = text_format.generate_latest
_print_openmetrics: Callable[[CollectorRegistry], bytes] = openmetrics_format.generate_latest

OBJECTIVES = (
    Objective(max_age=60.0, namespace=re.compile("[a-m].*")),
    Objective(max_age=86400.0),
)
renderer = Renderer(RenderOptions(objectives=OBJECTIVES))


def render(
    state: ClusterState, previous: RenderedCluster | None, render: Renderer = renderer
) -> RenderedCluster:
    steps = render(state, previous)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            rendered: RenderedCluster = end.value
            return rendered


def text(states: Sequence[ClusterState], *, openmetrics: bool = False) -> str:
    rendered = [render(state, None) for state in states]
    return b"".join(plain(exposition(rendered, NOW, openmetrics=openmetrics))).decode()


class TheSameInPrometheusClient(Collector):
    """Return the families of the tables as metrics of prometheus-client."""

    def __init__(self, states: Sequence[ClusterState]) -> None:
        self._states = states

    def collect(self) -> Iterator[Metric]:
        for title, identity, families in TABLES:
            for family in families:
                metric = Metric(family.name, help_text(family), "gauge")
                for state in self._states:
                    for subject, values in subjects(title, state):
                        own = dict(zip(identity, values, strict=True))
                        for labels, value in samples(family, subject):
                            metric.add_sample(family.name, {**own, **labels}, value)
                if metric.samples:
                    yield metric


def subjects(title: str, state: ClusterState) -> Iterator[tuple[Any, tuple[str, ...]]]:
    cluster = (state.cluster.uid, state.cluster.name)
    if title == "Clusters":
        yield state, cluster
    elif title == "Virtual machines":
        for row in roll_up(state, OBJECTIVES):
            yield row, (*cluster, row.vm.namespace, row.vm.name)
    elif title == "Snapshots":
        listing = state.listing
        vms = {vm.key: vm for vm in listing.virtual_machines} if listing else {}
        for each in state.snapshots:
            orphan = listing.lacks(each.vm_key) if listing else None
            row_of_it = SnapshotRow(each, orphan, vms.get(each.vm_key))
            yield row_of_it, (*cluster, each.namespace, each.vm, each.name)
    else:
        for named in state.named:
            yield named, (*cluster, named.namespace, named.vm, named.name)


def samples(family: AnyFamily[Any], subject: Any) -> Iterator[tuple[dict[str, str], float]]:
    if not isinstance(family, Family):
        yield from ((dict(labels), value) for value, labels in family.samples(subject))
        return
    value = family.value(subject)
    if value is not None:
        age = round(max(0.0, NOW - value), 3)
        yield {}, age if isinstance(family, AgeFamily) else value


def parsed(body: str, parse: Any) -> dict[tuple[str, str, str], dict[Any, float]]:
    """Return name, type and help of each family -> its samples; fails if one is repeated."""
    found: dict[tuple[str, str, str], dict[Any, float]] = {}
    for family in parse(body):
        rows: dict[Any, float] = {}
        for sample in family.samples:
            series = (sample.name, frozenset(sample.labels.items()))
            assert series not in rows
            rows[series] = sample.value
        assert rows
        assert (family.name, family.type, family.documentation) not in found
        found[family.name, family.type, family.documentation] = rows
    return found


@given(st.lists(cluster_states(), max_size=3, unique_by=lambda state: state.cluster.uid))
def test_both_formats_have_the_samples_of_prometheus_client(states: list[ClusterState]) -> None:
    registry = CollectorRegistry()
    registry.register(TheSameInPrometheusClient(states))
    ours, theirs = text(states), _print_text(registry).decode()
    assert parsed(ours, parse_text) == parsed(theirs, parse_text)
    ours, theirs = text(states, openmetrics=True), _print_openmetrics(registry).decode()
    assert parsed(ours + "# EOF\n", parse_openmetrics) == parsed(theirs, parse_openmetrics)


@given(cluster_states())
def test_names_of_any_kind_survive_a_parser_and_no_series_is_repeated(
    state: ClusterState,
) -> None:
    expected = {
        (state.cluster.uid, state.cluster.name, each.namespace, each.vm, each.name)
        for each in state.snapshots
    }
    for parse, body in (
        (parse_text, text([state])),
        (parse_openmetrics, text([state], openmetrics=True) + "# EOF\n"),
    ):
        found = [sample for family in parse(body) for sample in family.samples]
        ready = {
            tuple(
                sample.labels[name]
                for name in ("cluster_uid", "cluster_name", "namespace", "vm", "snapshot")
            )
            for sample in found
            if sample.name == "palette_vm_snapshot_ready"
        }
        assert ready == expected
        series = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in found]
        assert len(series) == len(set(series))


def one(snapshot: Snapshot) -> ClusterState:
    named = NamedSnapshot(
        namespace=snapshot.namespace,
        vm=snapshot.vm,
        name=snapshot.name,
        up=True,
        snapshot=snapshot,
    )
    return ClusterState(cluster=Cluster(uid="c1", name="prod"), up=True, named=(named,))


def test_an_age_is_that_at_the_scrape_and_never_below_zero() -> None:
    rendered = [render(one(Snapshot(namespace="n", vm="v", name="s", creation_time=1000.0)), None)]

    def line(now: float) -> str:
        lines = b"".join(plain(exposition(rendered, now, openmetrics=False))).decode().splitlines()
        return next(line for line in lines if line.startswith("palette_vm_snapshot_age_seconds"))

    assert line(1001.5).endswith(" 1.500")
    assert line(1003.0).endswith(" 3.000")
    assert line(900.0).endswith(" 0.000")


def listed(count: int) -> ClusterState:
    listing = Listing(
        snapshots=tuple(
            Snapshot(namespace="n", vm="v", name=f"s{index}", ready_to_use=index % 2 == 0)
            for index in range(count)
        ),
        virtual_machines=(VirtualMachine(namespace="n", name="v"),),
        known_machines=frozenset(),
        namespaces=frozenset(),
        read_at=0.0,
    )
    return ClusterState(cluster=Cluster(uid="c1", name="prod"), up=True, listing=listing)


def test_an_equal_listing_is_not_rendered_again() -> None:
    before = render(listed(2000), None)
    after = render(listed(2000), before)
    for name, pieces in before.texts.items():
        if not name.startswith("palette_cluster_"):
            assert after.texts[name] is pieces
    assert after.content is before.content
    assert render(listed(2001), after).content is not after.content


def test_no_step_takes_up_more_than_one_subject() -> None:
    state = listed(2000)
    assert state.listing
    vms = tuple(VirtualMachine(namespace="n", name=f"v{index}") for index in range(2000))
    listing = replace(state.listing, virtual_machines=vms)
    steps = sum(1 for _ in renderer(replace(state, listing=listing), None))
    assert steps > len(listing.snapshots) + len(vms)


@pytest.mark.parametrize("position", [0, SUBJECTS - 1, SUBJECTS, 1999])
def test_one_changed_snapshot_shows(position: int) -> None:
    state = listed(2000)
    assert state.listing
    snapshots = list(state.listing.snapshots)
    snapshots[position] = structs.replace(snapshots[position], phase="Failed")
    changed = replace(state, listing=replace(state.listing, snapshots=tuple(snapshots)))
    rendered = render(changed, render(state, None))
    shown = b"".join(plain(exposition([rendered], NOW, openmetrics=False))).decode()
    assert shown == text([changed])
    assert shown != text([state])


@given(cluster_states(), st.lists(st.none() | st.floats(31_536_000, 4e9), max_size=3))
def test_a_text_that_is_used_again_is_right_at_any_time_of_refresh(
    state: ClusterState, times: list[float | None]
) -> None:
    rendered = render(state, None)
    for refreshed_at in times:
        later = replace(state, refreshed_at=refreshed_at)
        rendered = render(later, rendered)
        shown = b"".join(plain(exposition([rendered], NOW, openmetrics=False))).decode()
        assert shown == text([later])


def test_other_options_render_an_equal_listing_again() -> None:
    before = render(listed(1), None)
    after = render(listed(1), before, Renderer())
    assert before.texts["palette_vm_snapshot_objective_seconds"].samples == 1
    assert after.texts["palette_vm_snapshot_objective_seconds"].samples == 0


@given(st.lists(cluster_states(), max_size=3, unique_by=lambda state: state.cluster.uid))
def test_gzip_holds_the_very_text(states: list[ClusterState]) -> None:
    rendered = [render(state, None) for state in states]
    packed = b"".join(gzipped(exposition(rendered, NOW, openmetrics=False)))
    assert gzip.decompress(packed).decode() == text(states)
    whole = zlib.decompressobj(31)
    assert whole.decompress(packed).decode() == text(states)
    assert whole.eof
    assert not whole.unused_data


def test_a_renamed_cluster_keeps_no_line_under_its_old_name() -> None:
    state = one(Snapshot(namespace="n", vm="v", name="s"))
    renamed = ClusterState(cluster=Cluster(uid="c1", name="new"), up=True, named=state.named)
    rendered = render(renamed, render(state, None))
    assert b"prod" not in b"".join(plain(exposition([rendered], NOW, openmetrics=False)))


def test_every_family_of_a_document_names_its_source() -> None:
    for title, _, families in TABLES:
        for family in families:
            if title != "Clusters":
                assert family.source, family.name
