"""How many series a fleet makes, and which of them the shipped rules and dashboards use; pure."""

import re
from collections.abc import Iterable, Iterator, Sequence

from exporter.metrics.families import SNAPSHOT_FAMILIES, VM_FAMILIES, SnapshotRow
from exporter.rollup import Objective, row_of
from exporter.snapshot import Condition, Snapshot, VirtualMachine, Volumes

SNAPSHOTS, VMS = 1_000, 333
"""The fleet that is counted: three snapshots for each virtual machine."""

USED_BY_NOTHING = frozenset(
    {
        "palette_vm_info",
        "palette_cluster_info",
        "palette_vm_oldest_snapshot_timestamp_seconds",
    }
)
"""Families that no shipped rule and no shipped dashboard needs."""

_VM = VirtualMachine(namespace="vms", name="db-01", created_at=0.0, status="Running")
_SNAPSHOT = Snapshot(
    namespace="vms",
    vm="db-01",
    name="nightly",
    requested_at=0.0,
    creation_time=0.0,
    phase="Succeeded",
    ready_to_use=True,
    conditions=tuple(
        Condition(type=each, status="true", last_transition=0.0)
        for each in ("Progressing", "Ready")
    ),
    indications=("Online", "GuestAgent"),
    volumes=Volumes(included=("rootdisk",)),
)


def series(objectives: Sequence[Objective], deny: Sequence[re.Pattern[str]]) -> int:
    """Return the series of a fleet of SNAPSHOTS good snapshots of VMS virtual machines."""
    row = row_of(_VM, (_SNAPSHOT,), objectives[-1] if objectives else None)
    of_snapshot = SnapshotRow(_SNAPSHOT, False, _VM)
    each = sum(
        family.text("", of_snapshot).count("\n")
        for family in SNAPSHOT_FAMILIES
        if not _denied(family.name, deny)
    )
    each_vm = sum(
        family.text("", row).count("\n") for family in VM_FAMILIES if not _denied(family.name, deny)
    )
    return each * SNAPSHOTS + each_vm * VMS


def needed(families: Iterable[str], deny: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """Yield the denied families that a shipped rule or dashboard needs."""
    return (each for each in families if each not in USED_BY_NOTHING and _denied(each, deny))


def _denied(name: str, deny: Sequence[re.Pattern[str]]) -> bool:
    return any(pattern.fullmatch(name) for pattern in deny)
