"""How many series a fleet makes, and which families the shipped rules and dashboards need; pure."""

from collections.abc import Iterator

from exporter.metrics.exposition import FAMILIES, Renderer, RenderOptions
from exporter.snapshot import (
    Cluster,
    ClusterState,
    Condition,
    Listing,
    Snapshot,
    VirtualMachine,
)
from exporter.volumes import Volumes

SNAPSHOTS, VMS = 1_000, 333
"""The fleet that is counted: three snapshots for each virtual machine."""

USED_BY_NOTHING = frozenset({"palette_cluster_info", "palette_vm_info"})
"""Families that no shipped rule and no shipped dashboard needs."""


def series(options: RenderOptions) -> int:
    """Return the series of a cluster with SNAPSHOTS good snapshots of VMS virtual machines."""
    vms = tuple(VirtualMachine(namespace="n", name=f"{i}", created_at=0.0) for i in range(VMS))
    snapshots = tuple(
        Snapshot(
            namespace="n",
            vm=f"{number % VMS}",
            name=f"{number}",
            requested_at=0.0,
            creation_time=0.0,
            phase="Succeeded",
            ready_to_use=True,
            conditions=(Condition("Progressing", "false", 0.0), Condition("Ready", "true", 0.0)),
            indications=("Online", "GuestAgent"),
            volumes=Volumes(included=("rootdisk",)),
        )
        for number in range(SNAPSHOTS)
    )
    listing = Listing(
        snapshots=snapshots,
        virtual_machines=vms,
        known_machines=frozenset(vm.key for vm in vms),
        namespaces=frozenset(),
        read_at=0.0,
    )
    state = ClusterState(cluster=Cluster(uid="uid", name="name"), up=True, listing=listing)
    rendering = Renderer(options)(state, None)
    while True:
        try:
            next(rendering)
        except StopIteration as end:
            return int(end.value.series)


def needed(options: RenderOptions) -> Iterator[str]:
    """Yield the denied families that a shipped rule or dashboard needs."""
    for family in FAMILIES:
        if family.name not in USED_BY_NOTHING and not options.allows(family.name):
            yield family.name
