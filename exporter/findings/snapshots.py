"""Since when something is wrong with a single snapshot; pure. Times are seconds since the epoch.

A time that is not known counts as long past: it never makes a problem disappear.
"""

from exporter.findings.subject import Moment
from exporter.rollup import data_time
from exporter.snapshot import Snapshot, VirtualMachine
from exporter.verdict import (
    CLOCK_SLACK,
    DELETED_WITHIN,
    PAST_DEADLINE,
    READY_WITHIN,
    WITHOUT_DEADLINE,
)

LONG_PAST = float("-inf")
_INDICATIONS = frozenset({"status.indications", "status.sourceIndications"})
_NOT_QUIESCED = frozenset({"NoGuestAgent", "QuiesceTimeout", "QuiesceFailed", "Paused"})


def unfinished(snapshot: Snapshot) -> bool:
    """Return True if KubeVirt has neither completed the snapshot nor given up.

    Up to KubeVirt 1.2 Unknown with data means: was Succeeded, and is not ready any more.
    """
    if snapshot.ready_to_use or snapshot.deleting:
        return False
    phase = snapshot.counted_phase
    untaken = phase == "Unknown" and snapshot.creation_time is None
    return phase in (None, "InProgress") or untaken


def hangs_since(snapshot: Snapshot) -> float | None:
    """Return from when on a snapshot hangs in progress; None if it is finished."""
    if not unfinished(snapshot):
        return None
    if snapshot.requested_at is None:
        return LONG_PAST
    deadline = snapshot.failure_deadline or 0.0
    return snapshot.requested_at + (deadline + PAST_DEADLINE if deadline > 0 else WITHOUT_DEADLINE)


def _unready(snapshot: Snapshot) -> bool:
    """Return True if a snapshot was taken and is not ready, either not yet or no longer."""
    if snapshot.ready_to_use or snapshot.deleting:
        return False
    phase = snapshot.counted_phase
    return phase == "Succeeded" or (phase == "Unknown" and snapshot.creation_time is not None)


def not_ready_since(snapshot: Snapshot) -> float | None:
    """Return from when on a snapshot that succeeded should be ready; None if it is."""
    if not _unready(snapshot):
        return None
    taken = data_time(snapshot)
    return LONG_PAST if taken is None else taken + READY_WITHIN


def lost_since(snapshot: Snapshot, now: Moment) -> float | None:
    """Return since when a snapshot's data is lost; None if it is not, or not known to be.

    Lost is what had been ready: the Ready condition changed after the data was taken, or an error
    is newer than the data. The rule of the alert PaletteSnapshotDataLost says the same.
    """
    due = not_ready_since(snapshot)
    if due is None or not now.reached(due):
        return None
    changed = next((c.last_transition for c in snapshot.conditions if c.type == "Ready"), None)
    had_been_ready = snapshot.counted_phase == "Unknown" or _follows(changed, snapshot)
    if not had_been_ready and not _live_error(snapshot):
        return None
    error_time = snapshot.error.time if snapshot.error else None
    times = [at for at in (changed, error_time, data_time(snapshot)) if at is not None]
    return min(times[0], now) if times else LONG_PAST


def _follows(changed: float | None, snapshot: Snapshot) -> bool:
    """Return True if a change is later than the request and the data."""
    times = [at for at in (snapshot.requested_at, snapshot.creation_time) if at is not None]
    return changed is not None and bool(times) and changed > max(times) + CLOCK_SLACK


def _live_error(snapshot: Snapshot) -> bool:
    """Return True if there is an error that is not known to be older than the data."""
    if snapshot.error is None:
        return False
    time, taken = snapshot.error.time, snapshot.creation_time
    return time is None or taken is None or time > taken


def deletion_hangs_since(snapshot: Snapshot) -> float | None:
    """Return from when on a deletion hangs; None if the snapshot is not being deleted."""
    if not snapshot.deleting:
        return None
    requested = snapshot.deletion_timestamp
    return LONG_PAST if requested is None else requested + DELETED_WITHIN


def without_disks(snapshot: Snapshot, vm: VirtualMachine | None) -> bool:
    """Return True if a snapshot is ready and holds no data volume."""
    volumes = snapshot.volumes
    if not snapshot.ready_to_use or snapshot.deleting or snapshot.failed or volumes is None:
        return False
    return volumes.included is not None and not volumes.hold_data_of(vm.volumes if vm else None)


def crash_consistent(snapshot: Snapshot) -> bool:
    """Return True unless the file systems were frozen or the VM was off."""
    if _INDICATIONS & set(snapshot.unreadable):
        return True
    found = set(snapshot.indications)
    return bool(_NOT_QUIESCED & found) or ("Online" in found and "GuestAgent" not in found)
