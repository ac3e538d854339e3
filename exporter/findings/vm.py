"""Which problems of the verdict table a VM has at a moment, one function for each; pure.

Times are seconds since the epoch. A time that is not known never makes a problem disappear.
"""

from exporter.findings import snapshots
from exporter.findings.snapshots import LONG_PAST, Finder, Found, crash_consistent, without_disks
from exporter.findings.subject import Moment, Subject
from exporter.rollup import data_time, newest_requests
from exporter.verdict import NEW_VM
from exporter.wording import count, span

_OF_VOLUMES = ("spec.template.spec.volumes", "status.volumeSnapshotStatuses")
_AROUND_VOLUMES = frozenset({"spec", "spec.template", "spec.template.spec", "status"})


def _objective_missed(subject: Subject, now: Moment) -> Found | None:
    row = subject.row
    if row.deadline is None or row.objective.max_age is None or not now.passed(row.deadline):
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
    return Found(row.deadline or LONG_PAST, text)


def _unprotected_volumes(subject: Subject, now: Moment) -> Found | None:
    volumes = subject.row.unprotected
    if volumes is None or not volumes.names:
        return None
    kinds = (
        (volumes.unsnapshottable, "cannot be snapshotted"),
        (volumes.excluded, "excluded by the newest restorable snapshot"),
        (volumes.newer, "not in the newest restorable snapshot"),
    )
    listed = "; ".join(f"{', '.join(names) or '?'}: {why}" for names, why in kinds if names)
    refused = volumes.unsnapshottable
    reasons = (each.reason for each in subject.row.vm.volumes or () if each.name in refused)
    quote = next(filter(None, reasons), "")
    return Found(LONG_PAST, f"Unprotected volumes: {listed}.", quote, volumes=volumes.names)


def _no_restorable(subject: Subject, now: Moment) -> Found | None:
    row, vm = subject.row, subject.vm
    if vm is None or row.restorable:
        return None
    grace = NEW_VM if row.objective.max_age is None else min(NEW_VM, row.objective.max_age)
    since = LONG_PAST if vm.created_at is None else vm.created_at + grace
    if not now.reached(since):
        return None
    if not row.snapshots:
        return Found(since, "The VM has no snapshot.")
    return Found(since, f"0 of {count(row.snapshots, 'snapshot')} can be restored.")


def _too_few(subject: Subject, now: Moment) -> Found | None:
    row, objective = subject.row, subject.row.objective
    if row.restorable >= (objective.min_snapshots or 0):
        return None
    created = row.vm.created_at
    if created is not None and not now.reached(created + NEW_VM):
        return None
    text = (
        f"The VM has {count(row.restorable, 'restorable snapshot')}; the objective requires "
        f"{objective.min_snapshots}."
    )
    return Found(LONG_PAST, text)


def _not_quiesced(subject: Subject, now: Moment) -> Found | None:
    row = subject.row
    if not row.objective.quiesced or row.newest is None or not crash_consistent(row.newest):
        return None
    text = "The newest restorable snapshot was not taken quiesced."
    return Found(row.recovery_point or LONG_PAST, text, snapshots=(row.newest.name,))


def _without_disks(subject: Subject, now: Moment) -> Found | None:
    if subject.row.ready == subject.row.restorable:
        return None  # each of them holds data
    ready = [each for each in subject.counted if each.ready_to_use and not each.deleting]
    found = [each for each in newest_requests(ready) if without_disks(each, subject.vm)]
    if not found:
        return None
    since = min(data_time(each) or LONG_PAST for each in found)
    text = "The newest ready snapshot holds no data volume."
    return Found(since, text, snapshots=tuple(each.name for each in found))


def _state_left_out(subject: Subject, now: Moment) -> Found | None:
    names = subject.row.unprotected_state
    if not names:
        return None
    text = f"The newest restorable snapshot lacks TPM or EFI state: {', '.join(names)}."
    return Found(LONG_PAST, text, volumes=names)


def _named_missing(subject: Subject, now: Moment) -> Found | None:
    names = tuple(each.name for each in subject.named if each.missing)
    if not names:
        return None
    text = f"Targets name snapshots that do not exist: {', '.join(names)}."
    return Found(LONG_PAST, text, snapshots=names)


def _volumes_unknown(subject: Subject, now: Moment) -> Found | None:
    vm = subject.vm
    if vm is None:
        return None
    if vm.volumes is None:
        return Found(LONG_PAST, "Palette does not say which volumes the VM has.")
    ignores = subject.row.objective.ignores
    names = tuple(each.name for each in vm.volumes if each.is_doubtful and not ignores(each.name))
    if names:
        text = f"These volumes have an unknown kind and might be host disks: {', '.join(names)}."
        return Found(LONG_PAST, text, volumes=names)
    if any(path.startswith(_OF_VOLUMES) or path in _AROUND_VOLUMES for path in vm.unreadable):
        return Found(LONG_PAST, "Some values of the VM's volumes cannot be read.")
    return None


def _crash_consistent(subject: Subject, now: Moment) -> Found | None:
    newest = subject.row.newest
    if newest is None or not crash_consistent(newest):
        return None
    found = [each for each in subject.counted if each.restorable_for(subject.vm)]
    if not all(map(crash_consistent, found)) or _not_quiesced(subject, now):
        return None
    return Found(LONG_PAST, "No restorable snapshot was taken quiesced or while the VM was off.")


def _predecessor(subject: Subject, now: Moment) -> Found | None:
    point, created = subject.row.recovery_point, subject.row.vm.created_at
    if point is None or created is None or point >= created:
        return None
    text = f"The newest restorable snapshot is {span(created - point)} older than the VM."
    return Found(created, text)


def _orphaned(subject: Subject, now: Moment) -> Found | None:
    if not (subject.orphan and subject.snapshots):
        return None
    names = tuple(each.name for each in subject.snapshots)
    text = f"The VM was deleted and left {count(len(names), 'snapshot')}."
    return Found(LONG_PAST, text, snapshots=names)


FINDERS: dict[str, Finder] = snapshots.FINDERS | {
    "objective_missed": _objective_missed,
    "unprotected_volumes": _unprotected_volumes,
    "no_restorable": _no_restorable,
    "too_few": _too_few,
    "not_quiesced": _not_quiesced,
    "without_disks": _without_disks,
    "state_left_out": _state_left_out,
    "named_missing": _named_missing,
    "volumes_unknown": _volumes_unknown,
    "crash_consistent": _crash_consistent,
    "predecessor": _predecessor,
    "orphaned": _orphaned,
}
"""The name of each problem of a VM -> its function."""
