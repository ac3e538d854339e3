"""Arbitrary values for property tests."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

from hypothesis import strategies as st
from msgspec import Struct, structs

from exporter.snapshot import (
    Cluster,
    ClusterState,
    Condition,
    Listing,
    NamedSnapshot,
    Snapshot,
    SnapshotError,
    VirtualMachine,
)
from exporter.volumes import DATA_KINDS, Volume, Volumes

S = TypeVar("S", bound=Struct)

# Any text that UTF-8 can encode; Kubernetes restricts names, the exporter does not.
texts = st.text(st.characters(codec="utf-8"), max_size=12)
names = texts.filter(bool)
times = (
    st.none()
    | st.floats(31_536_000, 4e9)
    | st.integers(31_536_000, 4_000_000_000).map(float)
    | st.integers(1_799_000_000, 1_801_000_000).map(float)
)
volumes = st.none() | st.builds(
    Volumes,
    included=st.none() | st.lists(names, max_size=3).map(tuple),
    excluded=st.none() | st.lists(names, max_size=3).map(tuple),
)
conditions = st.lists(
    st.builds(
        Condition,
        type=names,
        status=st.sampled_from(["true", "false", "unknown"]),
        last_transition=times,
        reason=texts,
    ),
    max_size=3,
    unique_by=lambda condition: condition.type,
).map(tuple)
BY_TYPE: Mapping[Any, st.SearchStrategy[Any]] = {
    str: texts,
    bool: st.booleans(),
    int: st.integers(0, 1000),
    int | None: st.none() | st.integers(0, 1000),
    float | None: times,
    tuple[str, ...]: st.lists(names, max_size=3, unique=True).map(tuple),
}


def struct(kind: type[S], **special: st.SearchStrategy[Any]) -> st.SearchStrategy[S]:
    """Return values whose fields have any value of their type, but for some special ones."""
    hints = get_type_hints(kind)
    plain = [field.name for field in structs.fields(kind) if field.name not in special]
    return st.builds(kind, **{name: BY_TYPE[hints[name]] for name in plain}, **special)


snapshots = struct(
    Snapshot,
    namespace=names,
    vm=names,
    name=names,
    deletion_policy=st.sampled_from(["", "Delete", "Retain"]),
    failure_deadline=st.none() | st.floats(-1e6, 1e6),
    phase=st.none() | st.sampled_from(["", "InProgress", "Succeeded", "Failed", "Odd"]),
    conditions=conditions,
    error=st.none() | st.builds(SnapshotError, message=texts, time=times),
    volumes=volumes,
)

vm_volumes = st.lists(
    st.builds(
        Volume,
        name=names | st.just("persistent-state-for-vm"),
        kind=st.sampled_from(["", "odd", "memoryDump", *sorted(DATA_KINDS), "containerDisk"]),
        enabled=st.none() | st.booleans(),
        reason=st.sampled_from(["", "PVC not found", "not supported for this volumeSource type"]),
    ),
    max_size=3,
    unique_by=lambda volume: volume.name,
).map(tuple)

machines = struct(
    VirtualMachine,
    namespace=names,
    name=names,
    labels=st.lists(st.tuples(names, texts), max_size=2, unique_by=lambda pair: pair[0]).map(tuple),
    volumes=st.none() | vm_volumes,
)

clusters = st.builds(Cluster, uid=names, name=names, project_uid=texts, cloud_type=texts)


@st.composite
def cluster_states(draw: st.DrawFn) -> ClusterState:
    """Return the state of a cluster, each snapshot in it once."""
    found = draw(st.lists(snapshots, max_size=4, unique_by=lambda snapshot: snapshot.key))
    named = [
        NamedSnapshot(
            namespace=each.namespace,
            vm=each.vm,
            name=each.name,
            up=draw(st.booleans()),
            snapshot=draw(st.sampled_from([each, None])),
        )
        for each in found
    ]
    listed = draw(st.lists(snapshots, max_size=3, unique_by=lambda snapshot: snapshot.key))
    known = draw(st.lists(machines, max_size=3, unique_by=lambda vm: vm.key))
    listing = Listing(
        snapshots=tuple(listed),
        virtual_machines=tuple(known),
        known_machines=frozenset(vm.key for vm in known),
        namespaces=frozenset(draw(st.lists(names, max_size=2))),
        read_at=0.0,
    )
    return ClusterState(
        cluster=draw(clusters),
        up=draw(st.booleans()),
        last_success=draw(times),
        refresh_duration=draw(st.floats(0, 1000)),
        listing=draw(st.sampled_from([listing, None])),
        named=tuple(named),
    )
