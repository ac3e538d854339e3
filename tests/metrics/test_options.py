"""Owners, Kubernetes labels and denied families in the series."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics.exposition import FAMILIES, RenderedCluster, Renderer, RenderOptions
from exporter.metrics.family import prometheus_labels
from exporter.metrics.own_families import PROBE_FAMILIES
from exporter.metrics.scrape import exposition, plain, probe_exposition
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
OWNER = "example.com/owner"
DB = VirtualMachine(namespace="n", name="db", labels=((OWNER, 'team "a"\\\n'), ("tier", "gold")))
WEB = VirtualMachine(namespace="n", name="web", labels=(("tier", "bronze"),))


def snapshot(vm: str) -> Snapshot:
    return Snapshot(namespace="n", vm=vm, name=f"{vm}-1", creation_time=NOW - 60)


def state() -> ClusterState:
    listing = Listing(
        snapshots=tuple(map(snapshot, ("db", "web", "gone"))),
        virtual_machines=(DB, WEB),
        known_machines=frozenset((DB.key, WEB.key)),
        namespaces=frozenset(),
        read_at=0.0,
    )
    named = NamedSnapshot(namespace="n", vm="db", name="db-1", up=True, snapshot=snapshot("db"))
    return ClusterState(
        cluster=Cluster(uid="c", name="prod"), up=True, listing=listing, named=(named,)
    )


def render(found: ClusterState, options: RenderOptions) -> RenderedCluster:
    steps = Renderer(options)(found, None)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            rendered: RenderedCluster = end.value
            return rendered


def text_of(found: ClusterState, **options: Any) -> str:
    rendered = render(found, RenderOptions(**options))
    return b"".join(plain(exposition([rendered], NOW, openmetrics=False))).decode()


def series(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    for family in parse_text(text):
        for sample in family.samples:
            yield sample.name, sample.labels


def test_every_vm_and_snapshot_series_carries_the_owner_of_its_vm() -> None:
    found = list(series(text_of(state(), owner_label=OWNER)))
    assert {name for name, labels in found if labels.get("vm") == "db"} >= {
        "palette_vm_info",
        "palette_vm_snapshot_info",
        "palette_vm_snapshot_age_seconds",
        "palette_vm_snapshot_up",
    }
    for name, labels in found:
        expected = 'team "a"\\\n' if labels.get("vm") == "db" else None
        assert labels.get("owner") == expected, name


def test_without_an_owner_label_no_series_has_an_owner() -> None:
    assert not any("owner" in labels for _, labels in series(text_of(state())))


def vm_labels(**options: Any) -> dict[str, dict[str, str]]:
    return {
        labels["vm"]: {key: value for key, value in labels.items() if key.startswith("label_")}
        for name, labels in series(text_of(state(), **options))
        if name == "palette_vm_labels"
    }


def test_vm_labels_show_the_listed_labels_and_only_these() -> None:
    assert vm_labels(vm_labels=("tier", OWNER)) == {
        "db": {"label_tier": "gold", "label_example_com_owner": 'team "a"\\\n'},
        "web": {"label_tier": "bronze"},
    }
    assert vm_labels(vm_labels=("missing",)) == {"db": {}, "web": {}}
    assert vm_labels() == {}


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ("app.kubernetes.io/part-of", "label_app_kubernetes_io_part_of"),
        ("partOf 9lives HTTPPort", "label_9lives label_httpport label_part_of"),
        ("a-b", "label_a_b"),
        ("a.b a-b", "label_a_b_conflict1 label_a_b_conflict2"),
        (
            "a_b a-b aB a.b",
            "label_a_b_conflict1 label_a_b_conflict2 label_a_b_conflict3 label_a_b_conflict4",
        ),
        (
            "a-b a.b a_b_conflict1",
            "label_a_b_conflict1_conflict1 label_a_b_conflict2 label_a_b_conflict1_conflict2",
        ),
    ],
)
def test_labels_are_spelled_as_kube_state_metrics_spells_them(keys: str, names: str) -> None:
    found = prometheus_labels((key, "x") for key in keys.split())
    assert [name for name, _ in found] == names.split()


@given(st.dictionaries(st.text("aAbB._-/1", min_size=1, max_size=4), st.text(max_size=3)))
def test_no_label_of_an_object_is_lost_or_repeated(labels: dict[str, str]) -> None:
    found = prometheus_labels(labels.items())
    assert len({name for name, _ in found}) == len(labels)
    assert [value for _, value in found] == [labels[key] for key in sorted(labels)]
    assert all(re.fullmatch("label_[a-z0-9_]+", name) for name, _ in found)


NAMES = [family.name for family in (*FAMILIES, *PROBE_FAMILIES)]


@given(
    cluster_states(),
    st.lists(st.sampled_from([*NAMES, "palette_vm_.*", ".*_seconds", "palette_vm", ""])),
)
def test_only_the_denied_family_is_left_out_everywhere(
    found: ClusterState, deny: list[str]
) -> None:
    patterns = tuple(map(re.compile, deny))
    everything = render(found, RenderOptions(vm_labels=("tier",)))
    rendered = render(found, RenderOptions(vm_labels=("tier",), deny=patterns))
    denied = {name for name in NAMES if any(each.fullmatch(name) for each in patterns)}
    assert set(rendered.texts) == set(everything.texts) - denied
    assert rendered.series == everything.series - sum(
        text.samples for name, text in everything.texts.items() if name in denied
    )
    for openmetrics in (False, True):
        body = b"".join(
            plain(
                probe_exposition(rendered, NOW, success=True, duration=1.0, openmetrics=openmetrics)
            )
        ).decode()
        body += b"".join(plain(exposition([rendered], NOW, openmetrics=openmetrics))).decode()
        shown = set(re.findall(r"^# HELP (\S+)", body, re.MULTILINE))
        assert not shown & denied


@given(cluster_states())
def test_the_number_of_series_is_that_of_the_lines(found: ClusterState) -> None:
    rendered = render(found, RenderOptions())
    lines = b"".join(plain(exposition([rendered], NOW, openmetrics=False))).split(b"\n")[:-1]
    assert rendered.series == sum(not line.startswith(b"#") for line in lines)
