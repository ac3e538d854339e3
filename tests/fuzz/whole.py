"""The properties of a scrape, for any answers of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from exporter.metrics.exposition import Renderer, RenderOptions
from exporter.metrics.scrape import exposition, plain
from exporter.metrics.telemetry import END_OF_FILE
from exporter.refresh.state import keep, listed, listing
from exporter.refresh.targets import ALL_NAMES, Coverage, SnapshotTarget
from exporter.rollup import Objective
from exporter.snapshot import Cluster, ClusterState
from exporter.store import Store
from tests.fuzz import decoder
from tests.fuzz.conformity import misfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.snapshot import Snapshot, VirtualMachine

NOW = 1_800_000_000.0
CLUSTER = Cluster(uid="6540a1", name='prod "east"\\\n', project_uid="65f0c1", cloud_type="maas")
TARGET = SnapshotTarget("vms", "db-01", "db-01-nightly")

PARSERS: dict[bool, Callable[[str], Iterable[Any]]] = {False: plain_text, True: openmetrics}
"""Whether the text is OpenMetrics -> its parser."""


def check(snapshots: bytes, machines: bytes) -> None:
    """Check the scrape of a cluster with these answers."""
    found = decoder.snapshot_page(snapshots)
    state = _state(found, decoder.virtual_machine_page(machines))
    assert not (wrong := misfit(state, ClusterState)), wrong
    store = Store(
        render=Renderer(RenderOptions(objectives=(Objective(max_age=86_400.0),))),
        expire=lambda state, _: state,
        monotonic=lambda: 0.0,
    )
    store.publish(state)
    told = [_told(store, as_openmetrics) for as_openmetrics in PARSERS]
    assert told[0] == told[1], "the formats differ"
    of_snapshots = {name for name, _ in told[0] if name == "palette_vm_snapshot_ready"}
    assert bool(of_snapshots) == bool(state.snapshots)
    restorable = sum(
        value for (name, _), value in told[0].items() if name == "palette_vm_snapshot_restorable"
    )
    vms = {vm.key: vm for vm in state.listing.virtual_machines} if state.listing else {}
    assert restorable == sum(each.restorable_for(vms.get(each.vm_key)) for each in state.snapshots)


def _state(found: tuple[Snapshot, ...], machines: tuple[VirtualMachine, ...]) -> ClusterState:
    by_key = {each.key: each for each in found}
    outcome = listed([TARGET], by_key)[TARGET]
    return ClusterState(
        cluster=CLUSTER,
        up=True,
        last_success=NOW,
        due_within=300.0,
        expires_at=300.0,
        listing=listing(
            Coverage(everywhere=ALL_NAMES),
            by_key.values(),
            tuple({each.key: each for each in machines}.values()),
            namespaces=(),
            now=0.0,
        ),
        named=(keep(TARGET, None, outcome, 0.0),),
    )


def _told(store: Store[Any], as_openmetrics: bool) -> dict[tuple[str, frozenset[Any]], float]:
    """Return the series of a scrape; fails if one is repeated or cannot be read."""
    rendered = [published.text for published in store.view()]
    text = b"".join(plain(exposition(rendered, NOW, openmetrics=as_openmetrics)))
    if as_openmetrics:
        text += END_OF_FILE
    series: dict[tuple[str, frozenset[Any]], float] = {}
    for family in PARSERS[as_openmetrics](text.decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in series, f"{key} stands there twice"
            series[key] = sample.value
    return series
