"""Problems of a VM's snapshots: failed, lost, late, too many or too old; pure.

Times are seconds since the epoch. A time that is not known counts as long past: it never makes a
problem disappear.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from exporter.findings.subject import Moment, Subject
from exporter.rollup import data_time, newest_requests
from exporter.snapshot import Snapshot, VirtualMachine
from exporter.verdict import (
    CLOCK_SLACK,
    DELETED_WITHIN,
    MISSED_INTERVALS,
    MOST_SNAPSHOTS,
    OLDEST_SNAPSHOT,
    PAST_DEADLINE,
    READY_WITHIN,
    SCHEDULE_STOPPED,
    WITHOUT_DEADLINE,
)
from exporter.wording import count, span

LONG_PAST = float("-inf")  # in the place of a time that is not known

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


def not_ready_since(snapshot: Snapshot) -> float | None:
    """Return from when on a snapshot that succeeded should be ready; None if it is."""
    phase = snapshot.counted_phase
    succeeded = phase == "Succeeded" or (phase == "Unknown" and snapshot.creation_time is not None)
    if snapshot.ready_to_use or snapshot.deleting or not succeeded:
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
    times = (changed, error_time, data_time(snapshot))
    # A time of the future comes from a wrong clock, and says nothing.
    return next((at for at in times if at is not None and now.reached(at)), due)


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


class Found(NamedTuple):
    """The fields of a Finding after its severity; since: LONG_PAST if it is not known."""

    since: float
    text: str
    quote: str = ""
    snapshots: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


Since = Callable[[Snapshot], float | None]
Finder = Callable[[Subject, Moment], Found | None]


def _due(snapshots: Sequence[Snapshot], since: Since, now: Moment, text: str) -> Found | None:
    """Return the snapshots for which a time has passed; text: about their number, as ``{}``."""
    due = [(at, each) for each in snapshots if (at := since(each)) is not None and now.reached(at)]
    if not due:
        return None
    due.sort(key=lambda pair: pair[0])
    first = due[0][1]
    quote = first.error.message if first.error else ""
    names = tuple(each.name for _, each in due)
    return Found(due[0][0], text.format(count(len(due), "snapshot")), quote, names)


def _data_lost(subject: Subject, now: Moment) -> Found | None:
    text = "{} succeeded and can no longer be restored."
    return _due(subject.unsettled, lambda each: lost_since(each, now), now, text)


def _last_failed(subject: Subject, now: Moment) -> Found | None:
    if subject.vm is None or not subject.row.last_failed:
        return None
    failed = [each for each in newest_requests(subject.counted) if each.failed]
    return _failures(failed, "The newest snapshot failed.")


def _older_failure(subject: Subject, now: Moment) -> Found | None:
    if not subject.row.failed:
        return None
    newest = newest_requests(subject.counted) if subject.vm else []
    failed = [
        each for each in subject.counted if each.failed and each not in newest and not each.deleting
    ]
    return _failures(failed, f"{count(len(failed), 'older snapshot')} failed.")


def _failures(failed: Sequence[Snapshot], text: str) -> Found | None:
    if not failed:
        return None
    quote = next((each.error.message for each in failed if each.error), "")
    since = min(data_time(each) or LONG_PAST for each in failed)
    return Found(since, text, quote, tuple(each.name for each in failed))


def _schedule_stopped(subject: Subject, now: Moment) -> Found | None:
    if subject.vm is None or subject.row.objective.max_age is not None:
        return None
    scheduled = [each for each in subject.counted if each.scheduled]
    times = [at for each in scheduled if (at := each.requested_at or each.creation_time)]
    if not times:
        text = "The times of the scheduled snapshots are not known."
        return Found(LONG_PAST, text) if scheduled else None
    last = max(times)
    interval = (last - min(times)) / max(1, len(times) - 1)
    due = last + max(MISSED_INTERVALS * interval, SCHEDULE_STOPPED)
    if not now.reached(due):
        return None
    return Found(due, f"The last scheduled snapshot was requested {span(now - last)} ago.")


def _hanging(subject: Subject, now: Moment) -> Found | None:
    return _due(subject.unsettled, hangs_since, now, "{} did not finish in time.")


def _not_ready_yet(subject: Subject, now: Moment) -> Found | None:
    def since(each: Snapshot) -> float | None:
        return not_ready_since(each) if lost_since(each, now) is None else None

    return _due(subject.unsettled, since, now, "{} succeeded and did not become ready.")


def _deletion_hangs(subject: Subject, now: Moment) -> Found | None:
    return _due(subject.unsettled, deletion_hangs_since, now, "The deletion of {} hangs.")


def _piling_up(subject: Subject, now: Moment) -> Found | None:
    number, most = subject.row.snapshots, subject.row.objective.max_snapshots or MOST_SNAPSHOTS
    text = f"The VM has {count(number, 'snapshot')}; the limit is {most}."
    return Found(LONG_PAST, text) if number > most else None


def _too_old(subject: Subject, now: Moment) -> Found | None:
    most = subject.row.objective.max_snapshot_age or OLDEST_SNAPSHOT
    # The newest restorable snapshot can be the only one.
    newest = subject.row.newest
    old = [each for each in subject.counted if not each.deleting and each is not newest]

    def since(each: Snapshot) -> float | None:
        taken = data_time(each)
        return None if taken is None else taken + most

    return _due(old, since, now, f"Older than {span(most)}: {{}}.")


FINDERS: dict[str, Finder] = {
    "data_lost": _data_lost,
    "last_failed": _last_failed,
    "older_failure": _older_failure,
    "schedule_stopped": _schedule_stopped,
    "hanging": _hanging,
    "not_ready_yet": _not_ready_yet,
    "deletion_hangs": _deletion_hangs,
    "piling_up": _piling_up,
    "too_old": _too_old,
}
"""The name of a problem -> its function."""
