"""Which problems of the verdict table a VM, a cluster or the fleet has at a moment; pure.

Times are seconds since the epoch. A time that is not known never makes a problem disappear.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from exporter.rollup import (
    NO_OBJECTIVE,
    Objective,
    VirtualMachineRow,
    data_time,
    first_objective,
    newest_requests,
    row_of,
)
from exporter.snapshot import Cluster, ClusterState, NamedSnapshot, Snapshot, VirtualMachine
from exporter.snapshot_problems import (
    crash_consistent,
    deletion_hangs_since,
    hangs_since,
    lost_since,
    not_ready_since,
    scheduled_until,
    without_disks,
)
from exporter.verdict import (
    MOST_SNAPSHOTS,
    NEW_VM,
    OLDEST_SNAPSHOT,
    PROBLEMS,
    RANKS,
    STALE_AFTER,
    UNREAD_FOR,
    Problem,
    Severity,
    Verdict,
)

UNKNOWN = float("-inf")
"""Since when a problem exists if its start is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A VM with its snapshots, or the snapshots of a VM that is not listed.

    vm: None if it is not listed; orphan: whether the VMs were listed and it is not among them.
    snapshots: each once; named: those of them that targets name, and what became of them.
    row: what the snapshots amount to.
    up: whether the last refresh of the cluster succeeded; read_at: when one did.
    """

    cluster: Cluster
    namespace: str
    name: str
    vm: VirtualMachine | None
    orphan: bool
    snapshots: tuple[Snapshot, ...]
    named: tuple[NamedSnapshot, ...]
    row: VirtualMachineRow
    up: bool
    read_at: float | None

    @property
    def being_deleted(self) -> bool:
        """Whether the deletion of the VM was requested."""
        return self.vm is not None and self.vm.deletion_timestamp is not None

    @property
    def counted(self) -> tuple[Snapshot, ...]:
        """The snapshots without the temporary ones of clones."""
        return tuple(each for each in self.snapshots if not each.temporary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem that exists.

    since: seconds since the epoch; None if it is not known.
    text: one or two sentences about this VM or cluster.
    quote: what Palette or KubeVirt says about it.
    snapshots, volumes: the names of those affected.
    """

    problem: Problem
    severity: Severity
    since: float | None
    text: str
    quote: str = ""
    snapshots: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


class Judgement(NamedTuple):
    """A verdict with the names of its reasons, most of them problems."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()


class _Found(NamedTuple):
    since: float
    text: str
    quote: str = ""
    snapshots: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


def subjects(state: ClusterState, objectives: Sequence[Objective]) -> Iterator[Subject]:
    """Yield the VMs of a cluster by namespace and name, listed or known by a snapshot only."""
    snapshots: defaultdict[tuple[str, str], list[Snapshot]] = defaultdict(list)
    for snapshot in state.snapshots:
        snapshots[snapshot.namespace, snapshot.vm].append(snapshot)
    named: defaultdict[tuple[str, str], list[NamedSnapshot]] = defaultdict(list)
    for each in state.named:
        named[each.namespace, each.vm].append(each)
    listing = state.listing
    vms = {(vm.namespace, vm.name): vm for vm in listing.virtual_machines} if listing else {}
    for key in sorted({*vms, *snapshots, *named}):
        vm, found = vms.get(key), tuple(snapshots.get(key, ()))
        objective = first_objective(objectives, state.cluster, vm) if vm else NO_OBJECTIVE
        yield Subject(
            cluster=state.cluster,
            namespace=key[0],
            name=key[1],
            vm=vm,
            orphan=listing is not None and bool(listing.lacks(key)),
            snapshots=found,
            named=tuple(named.get(key, ())),
            row=row_of(
                vm or VirtualMachine(namespace=key[0], name=key[1]),
                found,
                objective,
                state.refreshed_at,
            ),
            up=state.up,
            read_at=state.last_success,
        )


def findings(subject: Subject, now: float) -> tuple[Finding, ...]:
    """Return the problems of a VM, the worst first; an exempt or deleted VM has none."""
    if subject.row.objective.exempt or subject.being_deleted:
        return ()
    found = ((PROBLEMS[name], find(subject, now)) for name, find in FINDERS.items())
    return _ranked(
        _finding(problem, each, objective=promises_recovery(subject.row.objective))
        for problem, each in found
        if each is not None
    )


def cluster_findings(state: ClusterState, now: float) -> tuple[Finding, ...]:
    """Return the problems of reading a cluster, the worst first."""
    why = state.last_failure[0].message if state.last_failure else ""
    read = state.last_success
    found = []
    if read is not None and now - read > STALE_AFTER and state.cluster.state in _RUNNING:
        text = f"The cluster was last read {_span(now - read)} ago."
        found.append(_finding(PROBLEMS["cluster_stale"], _Found(read + STALE_AFTER, text, why)))
    if not state.up:
        text = "The cluster has never been read."
        if read is not None:
            text = f"The cluster cannot be read; its state is {_span(now - read)} old."
        since = UNKNOWN if read is None else read
        found.append(_finding(PROBLEMS["cluster_unread"], _Found(since, text, why)))
    return _ranked(found)


def fleet_findings(states: Iterable[ClusterState]) -> tuple[Finding, ...]:
    """Return the problems of the fleet as a whole: nothing was read."""
    known = list(states)
    if any(state.last_success is not None for state in known):
        return ()
    text = "No cluster is known." if not known else "None of the clusters has ever been read."
    return (_finding(PROBLEMS["nothing_read"], _Found(UNKNOWN, text)),)


def judge(subject: Subject, now: float) -> Judgement:
    """Return whether the snapshots of a VM would save it, and why not.

    What is not known makes the verdict unknown, which counts as not protected.
    """
    row = subject.row
    if subject.orphan:
        return Judgement(Verdict.EXEMPT, ("orphaned",))
    if row.objective.exempt or subject.being_deleted:
        return Judgement(Verdict.EXEMPT, ("exempt" if row.objective.exempt else "being_deleted",))
    wrong = {
        "objective_missed": row.deadline is not None and row.deadline < now,
        "unprotected_volumes": bool(row.unprotected and row.unprotected.names),
        "no_restorable": subject.vm is not None and not row.restorable,
    }
    if any(wrong.values()):
        return Judgement(Verdict.NOT_PROTECTED, tuple(name for name in wrong if wrong[name]))
    unknown = {
        "vm_unknown": subject.vm is None,
        "volumes_unknown": _volumes_unknown(subject, now) is not None,
        "recovery_time_unknown": row.recovery_point is None,
        "labels_unreadable": "metadata.labels" in row.vm.unreadable,
        "cluster_unread": _not_believed(subject, now),
    }
    reasons = tuple(name for name in unknown if unknown[name])
    return Judgement(Verdict.UNKNOWN if reasons else Verdict.PROTECTED, reasons)


def promises_recovery(objective: Objective) -> bool:
    """Return True if an objective sets an age, a number or a kind of restorable snapshots."""
    age_or_number = objective.max_age is not None or objective.min_snapshots is not None
    return age_or_number or objective.quiesced


_RUNNING = frozenset({"", "Running", "Unknown"})
"""Cluster states in which Palette should be able to read the cluster."""


def _not_believed(subject: Subject, now: float) -> bool:
    if subject.read_at is None:
        return True
    return now - subject.read_at > (STALE_AFTER if subject.up else UNREAD_FOR)


def _finding(problem: Problem, found: _Found, *, objective: bool = False) -> Finding:
    return Finding(
        problem=problem,
        severity=problem.severity_for(objective=objective),
        since=None if found.since == UNKNOWN else found.since,
        text=found.text,
        quote=found.quote,
        snapshots=found.snapshots,
        volumes=found.volumes,
    )


def _ranked(found: Iterable[Finding]) -> tuple[Finding, ...]:
    order = list(Severity)
    return tuple(
        sorted(found, key=lambda each: (order.index(each.severity), RANKS[each.problem.name]))
    )


Since = Callable[[Snapshot], float | None]


def _snapshots(
    subject: Subject, since: Since, now: float, text: Callable[[int], str]
) -> _Found | None:
    """Return what is found of the snapshots for which a time is known and has passed."""
    due = [(at, each) for each in subject.counted if (at := since(each)) is not None and at <= now]
    if not due:
        return None
    due.sort(key=lambda pair: pair[0])
    first = due[0][1]
    quote = next((each.error.message for _, each in due if each.error and each.error.message), "")
    names = tuple(each.name for _, each in due)
    return _Found(due[0][0], text(len(due)), quote if first.error else "", names)


def _data_lost(subject: Subject, now: float) -> _Found | None:
    return _snapshots(
        subject,
        lambda each: lost_since(each, now),
        now,
        lambda n: f"{_count(n, 'snapshot')} succeeded and can no longer be restored.",
    )


def _objective_missed(subject: Subject, now: float) -> _Found | None:
    row = subject.row
    if row.deadline is None or row.objective.max_age is None or row.deadline >= now:
        return None
    allowed = _span(row.objective.max_age)
    if row.recovery_point is not None:
        age = _span(now - row.recovery_point)
        text = f"The newest restorable snapshot is {age} old; the objective is {allowed}."
    elif row.restorable:
        text = f"The times of the restorable snapshots are not known; the objective is {allowed}."
    else:
        text = f"The VM has no restorable snapshot; the objective is {allowed}."
    return _Found(row.deadline or UNKNOWN, text)


def _unprotected_volumes(subject: Subject, now: float) -> _Found | None:
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
    return _Found(UNKNOWN, f"Unprotected volumes: {listed}.", quote, (), volumes.names)


def _no_restorable(subject: Subject, now: float) -> _Found | None:
    row, vm = subject.row, subject.vm
    if vm is None or row.restorable:
        return None
    grace = NEW_VM if row.objective.max_age is None else min(NEW_VM, row.objective.max_age)
    since = UNKNOWN if vm.created_at is None else vm.created_at + grace
    if since > now:
        return None
    if not row.snapshots:
        return _Found(since, "The VM has no snapshot.")
    return _Found(since, f"None of the {_count(row.snapshots, 'snapshot')} can be restored.")


def _last_failed(subject: Subject, now: float) -> _Found | None:
    if subject.vm is None or not subject.row.last_failed:
        return None
    failed = [each for each in newest_requests(subject.counted) if each.failed]
    return _failures(failed, "The newest snapshot failed.")


def _older_failure(subject: Subject, now: float) -> _Found | None:
    newest = newest_requests(subject.counted) if subject.vm else []
    failed = [
        each for each in subject.counted if each.failed and each not in newest and not each.deleting
    ]
    return _failures(failed, f"{_count(len(failed), 'older snapshot')} failed.")


def _failures(failed: Sequence[Snapshot], text: str) -> _Found | None:
    if not failed:
        return None
    quote = next((each.error.message for each in failed if each.error), "")
    since = min(data_time(each) or UNKNOWN for each in failed)
    return _Found(since, text, quote, tuple(each.name for each in failed))


def _schedule_stopped(subject: Subject, now: float) -> _Found | None:
    if subject.vm is None or subject.row.objective.max_age is not None:
        return None
    until = scheduled_until(subject.counted)
    if until is None or until.due > now:
        return None
    last = "not known" if until.last is None else f"{_span(now - until.last)} ago"
    return _Found(until.due, f"The last scheduled snapshot: {last}.")


def _too_few(subject: Subject, now: float) -> _Found | None:
    row, objective = subject.row, subject.row.objective
    if row.restorable >= (objective.min_snapshots or 0):
        return None
    created = row.vm.created_at
    if created is not None and now - created < NEW_VM:
        return None
    text = f"{row.restorable} restorable, at least {objective.min_snapshots} required."
    return _Found(UNKNOWN, text)


def _not_quiesced(subject: Subject, now: float) -> _Found | None:
    row = subject.row
    if not row.objective.quiesced or row.newest is None:
        return None
    if not crash_consistent(row.newest):
        return None
    text = "The newest restorable snapshot was not taken quiesced."
    return _Found(row.recovery_point or UNKNOWN, text, "", (row.newest.name,))


def _without_disks(subject: Subject, now: float) -> _Found | None:
    ready = [each for each in subject.counted if each.ready_to_use and not each.deleting]
    found = [each for each in newest_requests(ready) if without_disks(each, subject.vm)]
    if not found:
        return None
    since = min(data_time(each) or UNKNOWN for each in found)
    text = "The newest ready snapshot holds no data volume."
    return _Found(since, text, "", tuple(each.name for each in found))


def _state_left_out(subject: Subject, now: float) -> _Found | None:
    names = subject.row.unprotected_state
    if not names:
        return None
    return _Found(UNKNOWN, f"TPM or EFI state in no snapshot: {', '.join(names)}.", "", (), names)


def _hanging(subject: Subject, now: float) -> _Found | None:
    def text(number: int) -> str:
        return f"{_count(number, 'snapshot')} unfinished past the deadline."

    return _snapshots(subject, hangs_since, now, text)


def _not_ready_yet(subject: Subject, now: float) -> _Found | None:
    return _snapshots(
        subject,
        lambda each: None if lost_since(each, now) is not None else not_ready_since(each),
        now,
        lambda n: f"{_count(n, 'snapshot')} succeeded and not ready yet.",
    )


def _named_missing(subject: Subject, now: float) -> _Found | None:
    names = tuple(each.name for each in subject.named if each.missing)
    if not names:
        return None
    return _Found(UNKNOWN, f"Named by targets and not there: {', '.join(names)}.", "", names)


def _deletion_hangs(subject: Subject, now: float) -> _Found | None:
    return _snapshots(
        subject, deletion_hangs_since, now, lambda n: f"{_count(n, 'snapshot')} not deleted yet."
    )


def _volumes_unknown(subject: Subject, now: float) -> _Found | None:
    vm = subject.vm
    if vm is None:
        return None
    if vm.volumes is None:
        return _Found(UNKNOWN, "Palette does not say which volumes the VM has.")
    names = tuple(each.name for each in vm.volumes if each.is_doubtful)
    if names:
        text = f"Of an unknown kind, and perhaps host disks: {', '.join(names)}."
        return _Found(UNKNOWN, text, "", (), names)
    if any("volume" in path.lower() for path in vm.unreadable):
        return _Found(UNKNOWN, "Some values of the VM's volumes cannot be read.")
    return None


def _crash_consistent(subject: Subject, now: float) -> _Found | None:
    found = [each for each in subject.counted if each.restorable_for(subject.vm)]
    if not found or not all(map(crash_consistent, found)) or _not_quiesced(subject, now):
        return None
    return _Found(UNKNOWN, "No restorable snapshot was taken quiesced or while the VM was off.")


def _predecessor(subject: Subject, now: float) -> _Found | None:
    point, created = subject.row.recovery_point, subject.row.vm.created_at
    if point is None or created is None or point >= created:
        return None
    text = f"The newest restorable snapshot is {_span(created - point)} older than the VM."
    return _Found(created, text)


def _piling_up(subject: Subject, now: float) -> _Found | None:
    objective = subject.row.objective
    most = objective.max_snapshots or MOST_SNAPSHOTS
    if subject.row.snapshots <= most:
        return None
    return _Found(UNKNOWN, f"{_count(subject.row.snapshots, 'snapshot')}, at most {most} wanted.")


def _too_old(subject: Subject, now: float) -> _Found | None:
    objective = subject.row.objective
    most = objective.max_snapshot_age or OLDEST_SNAPSHOT

    def since(each: Snapshot) -> float | None:
        if each.deleting or each == subject.row.newest:
            return None  # the newest restorable snapshot may be the only one
        taken = data_time(each)
        return None if taken is None else taken + most

    return _snapshots(
        subject, since, now, lambda n: f"{_count(n, 'snapshot')} older than {_span(most)}."
    )


def _orphaned(subject: Subject, now: float) -> _Found | None:
    if not (subject.orphan and subject.snapshots):
        return None
    number = len(subject.snapshots)
    names = tuple(each.name for each in subject.snapshots)
    return _Found(UNKNOWN, f"{_count(number, 'snapshot')} of a VM that is deleted.", "", names)


FINDERS: dict[str, Callable[[Subject, float], _Found | None]] = {
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


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}" + ("" if number == 1 else "s")


def _span(seconds: float) -> str:
    """Return a duration in the unit that people say: ``45 min``, ``26 h``, ``8 d``."""
    if seconds < 3_600:
        return f"{max(0, round(seconds / 60))} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 3 * 86_400 else f"{seconds / 86_400:.0f} d"
