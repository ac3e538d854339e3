"""A virtual machine as the page sees it: its snapshots, and what they amount to."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.rollup import VirtualMachineRow
from exporter.snapshot import Cluster, NamedSnapshot, Snapshot, VirtualMachine

MADE_READY_WITHIN = 1800.0
"""Seconds after which a snapshot that succeeded and is not ready counts as lost."""

DELETED_WITHIN = 1800.0
"""Seconds after which a deletion that has not ended hangs."""

GRACE = 300.0
"""Seconds past its deadline after which a snapshot in progress hangs."""

WITHOUT_DEADLINE = 3600.0
"""Seconds after which a snapshot in progress hangs that has no deadline."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machine:
    """A virtual machine with its snapshots, each once.

    vm: as it was listed; None where it was not.
    gone: whether the virtual machines beside its snapshots were listed, and it was not.
    remarkable: those of the snapshots that are not simply good.
    named: what became of the snapshots of it that targets name.
    row: what the snapshots amount to, as metrics tell it.
    """

    cluster: Cluster
    namespace: str
    name: str
    vm: VirtualMachine | None
    gone: bool
    snapshots: tuple[Snapshot, ...]
    remarkable: tuple[Snapshot, ...]
    named: tuple[NamedSnapshot, ...]
    row: VirtualMachineRow

    @property
    def newest_first(self) -> Sequence[Snapshot]:
        """The snapshots, the one that was asked for last before the others."""
        return sorted(self.snapshots, key=_requested, reverse=True)

    @property
    def unread(self) -> tuple[NamedSnapshot, ...]:
        """The snapshots that targets name and that the last refresh could not read."""
        return tuple(each for each in self.named if each.unread)


def _requested(snapshot: Snapshot) -> tuple[float, str]:
    return snapshot.requested_at or snapshot.creation_time or 0.0, snapshot.name


def remarkable(snapshot: Snapshot) -> bool:
    """Tell whether there is more to say of a snapshot than that it is good.

    Asked first, because most snapshots are good and all other questions are idle then.
    """
    volumes = snapshot.volumes
    good = snapshot.ready_to_use and snapshot.phase == "Succeeded" and not snapshot.deleting
    whole = volumes is not None and bool(volumes.included) and not volumes.excluded
    return not (good and whole) or "PartialSnapshot" in snapshot.indications


def in_progress(snapshot: Snapshot) -> bool:
    """Tell whether a snapshot is still being made, or has not been begun."""
    unfinished = snapshot.phase in (None, "", "InProgress")
    return unfinished and not snapshot.ready_to_use and not snapshot.deleting


def hangs_from(snapshot: Snapshot) -> float | None:
    """Return from when on a snapshot hangs in progress; None where it does not."""
    if snapshot.requested_at is None or not in_progress(snapshot):
        return None
    deadline = snapshot.failure_deadline or 0.0
    return snapshot.requested_at + (deadline + GRACE if deadline > 0 else WITHOUT_DEADLINE)


def lost_from(snapshot: Snapshot) -> float | None:
    """Return from when on a snapshot's data counts as lost; None where it does not.

    Between succeeded and ready pass seconds at first; later it means that the data is gone.
    """
    if snapshot.phase != "Succeeded" or snapshot.ready_to_use or snapshot.deleting:
        return None
    return None if snapshot.creation_time is None else snapshot.creation_time + MADE_READY_WITHIN


def without_disks(snapshot: Snapshot) -> bool:
    """Tell whether a snapshot calls itself ready and holds no disk."""
    volumes = snapshot.volumes
    return (
        snapshot.ready_to_use
        and not snapshot.deleting
        and volumes is not None
        and volumes.included == ()
    )


_NOT_QUIESCED = frozenset({"QuiesceTimeout", "QuiesceFailed", "Paused"})


def crash_consistent(snapshot: Snapshot) -> bool:
    """Tell whether a running machine was snapshotted without its file systems being frozen."""
    found = snapshot.indications
    return not _NOT_QUIESCED.isdisjoint(found) or ("Online" in found and "GuestAgent" not in found)


def deletion_hangs_from(snapshot: Snapshot) -> float | None:
    """Return from when on a snapshot's deletion hangs; None where it is not being deleted."""
    asked = snapshot.deletion_timestamp
    return None if asked is None else asked + DELETED_WITHIN
