"""Which problems of the verdict table a VM has at a moment, one function for each; pure.

Times are seconds since the epoch. A time that is not known never makes a problem disappear.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from exporter.findings.snapshots import (
    crash_consistent,
    deletion_hangs_since,
    hangs_since,
    lost_since,
    not_ready_since,
    scheduled_until,
    without_disks,
)
from exporter.findings.subject import Subject
from exporter.rollup import data_time, newest_requests
from exporter.snapshot import Snapshot
from exporter.verdict import MOST_SNAPSHOTS, NEW_VM, OLDEST_SNAPSHOT
from exporter.wording import count, span

UNKNOWN = float("-inf")
"""Since when a problem exists if its start is not known."""


class Found(NamedTuple):
    """A problem that exists: since when, and the same fields as a Finding."""

    since: float
    text: str
    quote: str = ""
    snapshots: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


_OF_VOLUMES = ("spec.template.spec.volumes", "status.volumeSnapshotStatuses")
_AROUND_VOLUMES = frozenset({"spec", "spec.template", "spec.template.spec", "status"})

Since = Callable[[Snapshot], float | None]


def _due(snapshots: Sequence[Snapshot], since: Since, now: float, text: str) -> Found | None:
    """Return the snapshots for which a time has passed; text: about their number, as ``{}``."""
    due = [(at, each) for each in snapshots if (at := since(each)) is not None and at <= now]
    if not due:
        return None
    due.sort(key=lambda pair: pair[0])
    first = due[0][1]
    quote = first.error.message if first.error else ""
    names = tuple(each.name for _, each in due)
    return Found(due[0][0], text.format(count(len(due), "snapshot")), quote, names)


def _data_lost(subject: Subject, now: float) -> Found | None:
    return _due(
        subject.unsettled,
        lambda each: lost_since(each, now),
        now,
        "{} succeeded and can no longer be restored.",
    )


def _objective_missed(subject: Subject, now: float) -> Found | None:
    row = subject.row
    if row.deadline is None or row.objective.max_age is None or row.deadline >= now:
        return None
    allowed = span(row.objective.max_age)
    if row.recovery_point is not None:
        age = span(now - row.recovery_point)
        over = span(now - row.deadline)
        text = f"The newest restorable snapshot is {age} old: {over} over the limit of {allowed}."
    elif row.restorable:
        text = f"The times of the restorable snapshots are not known; the objective is {allowed}."
    else:
        text = f"The VM has no restorable snapshot; the objective is {allowed}."
    return Found(row.deadline or UNKNOWN, text)


def _unprotected_volumes(subject: Subject, now: float) -> Found | None:
    del now
    volumes = subject.row.unprotected
    if volumes is None or not volumes.names:
        return None
    kinds = (
        (volumes.unsnapshottable, "cannot be snapshotted"),
        (volumes.excluded, "excluded by the newest restorable snapshot"),
        (volumes.newer, "not in the newest restorable snapshot"),
    )
    listed = "; ".join(f"{', '.join(names) or '?'}: {why}" for names, why in kinds if names)
    quote = next(
        (
            each.reason
            for each in subject.row.vm.volumes or ()
            if each.reason and each.name in volumes.unsnapshottable
        ),
        "",
    )
    return Found(UNKNOWN, f"Unprotected volumes: {listed}.", quote, (), volumes.names)


def _no_restorable(subject: Subject, now: float) -> Found | None:
    row, vm = subject.row, subject.vm
    if vm is None or row.restorable:
        return None
    grace = NEW_VM if row.objective.max_age is None else min(NEW_VM, row.objective.max_age)
    since = UNKNOWN if vm.created_at is None else vm.created_at + grace
    if since > now:
        return None
    if not row.snapshots:
        return Found(since, "The VM has no snapshot.")
    return Found(since, f"0 of {count(row.snapshots, 'snapshot')} can be restored.")


def _last_failed(subject: Subject, now: float) -> Found | None:
    if subject.vm is None or not subject.row.last_failed:
        return None
    failed = [each for each in newest_requests(subject.counted) if each.failed]
    return _failures(failed, "The newest snapshot failed.")


def _older_failure(subject: Subject, now: float) -> Found | None:
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
    since = min(data_time(each) or UNKNOWN for each in failed)
    return Found(since, text, quote, tuple(each.name for each in failed))


def _schedule_stopped(subject: Subject, now: float) -> Found | None:
    if subject.vm is None or subject.row.objective.max_age is not None:
        return None
    until = scheduled_until(subject.counted)
    if until is None or until.due > now:
        return None
    if until.last is None:
        return Found(until.due, "The times of the scheduled snapshots are not known.")
    ago = span(now - until.last)
    return Found(until.due, f"The last scheduled snapshot was requested {ago} ago.")


def _too_few(subject: Subject, now: float) -> Found | None:
    row, objective = subject.row, subject.row.objective
    if row.restorable >= (objective.min_snapshots or 0):
        return None
    created = row.vm.created_at
    if created is not None and now - created < NEW_VM:
        return None
    text = (
        f"The VM has {count(row.restorable, 'restorable snapshot')}; the objective requires "
        f"{objective.min_snapshots}."
    )
    return Found(UNKNOWN, text)


def _not_quiesced(subject: Subject, now: float) -> Found | None:
    row = subject.row
    if not row.objective.quiesced or row.newest is None:
        return None
    if not crash_consistent(row.newest):
        return None
    text = "The newest restorable snapshot was not taken quiesced."
    return Found(row.recovery_point or UNKNOWN, text, "", (row.newest.name,))


def _without_disks(subject: Subject, now: float) -> Found | None:
    if subject.row.ready == subject.row.restorable:
        return None  # each of them holds data
    ready = [each for each in subject.counted if each.ready_to_use and not each.deleting]
    found = [each for each in newest_requests(ready) if without_disks(each, subject.vm)]
    if not found:
        return None
    since = min(data_time(each) or UNKNOWN for each in found)
    text = "The newest ready snapshot holds no data volume."
    return Found(since, text, "", tuple(each.name for each in found))


def _state_left_out(subject: Subject, now: float) -> Found | None:
    names = subject.row.unprotected_state
    if not names:
        return None
    return Found(
        UNKNOWN,
        f"The newest restorable snapshot lacks TPM or EFI state: {', '.join(names)}.",
        "",
        (),
        names,
    )


def _hanging(subject: Subject, now: float) -> Found | None:
    return _due(subject.unsettled, hangs_since, now, "{} did not finish in time.")


def _not_ready_yet(subject: Subject, now: float) -> Found | None:
    return _due(
        subject.unsettled,
        lambda each: None if lost_since(each, now) is not None else not_ready_since(each),
        now,
        "{} succeeded and did not become ready.",
    )


def _named_missing(subject: Subject, now: float) -> Found | None:
    names = tuple(each.name for each in subject.named if each.missing)
    if not names:
        return None
    return Found(
        UNKNOWN, f"Targets name snapshots that do not exist: {', '.join(names)}.", "", names
    )


def _deletion_hangs(subject: Subject, now: float) -> Found | None:
    return _due(subject.unsettled, deletion_hangs_since, now, "The deletion of {} hangs.")


def _volumes_unknown(subject: Subject, now: float) -> Found | None:
    vm = subject.vm
    if vm is None:
        return None
    if vm.volumes is None:
        return Found(UNKNOWN, "Palette does not say which volumes the VM has.")
    ignores = subject.row.objective.ignores
    names = tuple(each.name for each in vm.volumes if each.is_doubtful and not ignores(each.name))
    if names:
        text = f"These volumes have an unknown kind and might be host disks: {', '.join(names)}."
        return Found(UNKNOWN, text, "", (), names)
    if any(path.startswith(_OF_VOLUMES) or path in _AROUND_VOLUMES for path in vm.unreadable):
        return Found(UNKNOWN, "Some values of the VM's volumes cannot be read.")
    return None


def _crash_consistent(subject: Subject, now: float) -> Found | None:
    newest = subject.row.newest
    if newest is None or not crash_consistent(newest):
        return None
    found = [each for each in subject.counted if each.restorable_for(subject.vm)]
    if not all(map(crash_consistent, found)) or _not_quiesced(subject, now):
        return None
    return Found(UNKNOWN, "No restorable snapshot was taken quiesced or while the VM was off.")


def _predecessor(subject: Subject, now: float) -> Found | None:
    point, created = subject.row.recovery_point, subject.row.vm.created_at
    if point is None or created is None or point >= created:
        return None
    text = f"The newest restorable snapshot is {span(created - point)} older than the VM."
    return Found(created, text)


def _piling_up(subject: Subject, now: float) -> Found | None:
    number, most = subject.row.snapshots, subject.row.objective.max_snapshots or MOST_SNAPSHOTS
    text = f"The VM has {count(number, 'snapshot')}; the limit is {most}."
    return Found(UNKNOWN, text) if number > most else None


def _too_old(subject: Subject, now: float) -> Found | None:
    most = subject.row.objective.max_snapshot_age or OLDEST_SNAPSHOT
    # The newest restorable snapshot can be the only one.
    old = [
        each
        for each in subject.counted
        if min(each.requested_at or now, each.creation_time or now) + most <= now
        and not each.deleting
        and each is not subject.row.newest
    ]

    def since(each: Snapshot) -> float | None:
        taken = data_time(each)
        return None if taken is None else taken + most

    return _due(old, since, now, f"Older than {span(most)}: {{}}.")


def _orphaned(subject: Subject, now: float) -> Found | None:
    if not (subject.orphan and subject.snapshots):
        return None
    names = tuple(each.name for each in subject.snapshots)
    text = f"The VM was deleted and left {count(len(names), 'snapshot')}."
    return Found(UNKNOWN, text, "", names)


FINDERS: dict[str, Callable[[Subject, float], Found | None]] = {
    "data_lost": _data_lost,
    "objective_missed": _objective_missed,
    "unprotected_volumes": _unprotected_volumes,
    "no_restorable": _no_restorable,
    "last_failed": _last_failed,
    "schedule_stopped": _schedule_stopped,
    "too_few": _too_few,
    "not_quiesced": _not_quiesced,
    "without_disks": _without_disks,
    "state_left_out": _state_left_out,
    "hanging": _hanging,
    "not_ready_yet": _not_ready_yet,
    "named_missing": _named_missing,
    "deletion_hangs": _deletion_hangs,
    "volumes_unknown": _volumes_unknown,
    "crash_consistent": _crash_consistent,
    "predecessor": _predecessor,
    "piling_up": _piling_up,
    "too_old": _too_old,
    "orphaned": _orphaned,
    "older_failure": _older_failure,
}
"""The name of each problem of a VM -> its function."""

_UNSETTLED = ("data_lost", "hanging", "not_ready_yet", "deletion_hangs")

SETTLED_FINDERS = {name: find for name, find in FINDERS.items() if name not in _UNSETTLED}
"""Those of a VM whose snapshots are all ready: most VMs, of which a page shows many."""
