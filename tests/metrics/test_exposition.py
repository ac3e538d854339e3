"""The text is what prometheus-client would print, and says back what went in."""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client import exposition as text_format
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from exporter.metrics.exposition import TABLES, RenderedCluster, Renderer, gzipped, pieces, plain
from exporter.metrics.families import ListedSnapshot
from exporter.metrics.family import AgeFamily, AnyFamily, Family
from exporter.metrics.rollup import Objective, roll_up
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
_print_openmetrics: Callable[[CollectorRegistry], bytes] = openmetrics.generate_latest


OBJECTIVES = (
    Objective(max_age=60.0, namespace=re.compile("[a-m].*")),
    Objective(max_age=86400.0),
)
renderer = Renderer(OBJECTIVES)


def render(state: ClusterState, previous: RenderedCluster | None) -> RenderedCluster:
    steps = renderer(state, previous)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            rendered: RenderedCluster = end.value
            return rendered


def text(states: Sequence[ClusterState], *, openmetrics: bool = False) -> str:
    rendered = [render(state, None) for state in states]
    return b"".join(plain(pieces(rendered, NOW, openmetrics=openmetrics))).decode()


class TheSameInPrometheusClient(Collector):
    """The families of the tables, filled sample by sample, for prometheus-client to print."""

    def __init__(self, states: Sequence[ClusterState]) -> None:
        self._states = states

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for title, identity, families in TABLES:
            for family in families:
                metric = GaugeMetricFamily(
                    family.name, family.help, labels=[*identity, *family.labels]
                )
                for state in self._states:
                    for subject, values in subjects(title, state):
                        for labels, value in samples(family, subject):
                            metric.add_metric([*values, *labels], value)
                if metric.samples:
                    yield metric


def subjects(title: str, state: ClusterState) -> Iterator[tuple[Any, tuple[str, ...]]]:
    cluster = (state.cluster.uid, state.cluster.name)
    if title == "Clusters":
        yield state, cluster
        return
    if title == "Virtual machines":
        for row in roll_up(state, OBJECTIVES):
            yield row, (*cluster, row.vm.namespace, row.vm.name)
        return
    if title == "Snapshots beside a list of virtual machines":
        for each in state.snapshots:
            orphan = state.listing.is_orphan(each) if state.listing else None
            yield ListedSnapshot(each, orphan), (*cluster, each.namespace, each.vm, each.name)
        return
    for subject in state.snapshots if title == "Snapshots" else state.named:
        yield subject, (*cluster, subject.namespace, subject.vm, subject.name)


def age(since: float) -> float:
    return max(0, round(NOW * 1000) - round(since * 1000)) / 1000


def samples(family: AnyFamily[Any], subject: Any) -> Iterator[tuple[tuple[str, ...], float]]:
    if not isinstance(family, Family | AgeFamily):
        yield from ((sample.labels, sample.value) for sample in family.samples(subject))
        return
    value = family.since(subject) if isinstance(family, AgeFamily) else family.value(subject)
    if value is not None:
        yield (), age(value) if isinstance(family, AgeFamily) else value


@given(st.lists(cluster_states(), max_size=3, unique_by=lambda state: state.cluster.uid))
def test_both_formats_are_byte_for_byte_what_prometheus_client_prints(
    states: list[ClusterState],
) -> None:
    registry = CollectorRegistry()
    registry.register(TheSameInPrometheusClient(states))
    assert text(states).encode() == _print_text(registry)
    assert text(states, openmetrics=True).encode() + b"# EOF\n" == _print_openmetrics(registry)


@given(cluster_states())
def test_names_of_any_kind_parse_back_to_the_same_and_no_series_stands_twice(
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


def test_an_age_is_told_for_the_moment_of_the_scrape_and_never_below_zero() -> None:
    rendered = [render(one(Snapshot(namespace="n", vm="v", name="s", creation_time=1000.0)), None)]

    def line(now: float) -> str:
        lines = b"".join(plain(pieces(rendered, now, openmetrics=False))).decode().splitlines()
        return next(line for line in lines if line.startswith("palette_vm_snapshot_age_seconds"))

    assert line(1001.5).endswith(" 1.5")
    assert line(1003.0).endswith(" 3.0")
    assert line(900.0).endswith(" 0.0")


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


def test_what_did_not_change_is_not_rendered_again() -> None:
    state = listed(2000)
    assert state.listing
    before = render(state, None)
    after = render(listed(2000), before)
    assert len(before.snapshots.runs) > 1
    assert after.snapshots is before.snapshots
    assert after.machines is before.machines
    snapshots = list(state.listing.snapshots)
    snapshots[1000] = Snapshot(namespace="n", vm="v", name="s1000", phase="Failed")
    del snapshots[500]
    listing = replace(state.listing, snapshots=tuple(snapshots))
    changed = render(replace(state, listing=listing), before)
    known = {id(run) for run in before.snapshots.runs}
    fresh = [run for run in changed.snapshots.runs if id(run) not in known]
    assert 1 <= len(fresh) <= 3
    assert b"".join(plain(pieces([changed], NOW, openmetrics=False))) == b"".join(
        plain(pieces([render(replace(state, listing=listing), None)], NOW, openmetrics=False))
    )


@given(st.lists(cluster_states(), max_size=3, unique_by=lambda state: state.cluster.uid))
def test_gzip_holds_the_very_text(states: list[ClusterState]) -> None:
    rendered = [render(state, None) for state in states]
    packed = b"".join(gzipped(pieces(rendered, NOW, openmetrics=False)))
    assert gzip.decompress(packed).decode() == text(states)
    whole = zlib.decompressobj(31)
    assert whole.decompress(packed).decode() == text(states)
    assert whole.eof
    assert not whole.unused_data


def test_a_renamed_cluster_keeps_no_line_under_its_old_name() -> None:
    state = one(Snapshot(namespace="n", vm="v", name="s"))
    renamed = ClusterState(cluster=Cluster(uid="c1", name="new"), up=True, named=state.named)
    rendered = render(renamed, render(state, None))
    assert b"prod" not in b"".join(plain(pieces([rendered], NOW, openmetrics=False)))


def test_every_help_names_the_field_it_comes_from() -> None:
    for title, _, families in TABLES:
        for family in families:
            if title.startswith("Snapshots"):
                assert any(part in family.help for part in ("metadata.", "spec.", "status.")), (
                    family
                )
