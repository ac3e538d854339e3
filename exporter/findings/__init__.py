"""The problems of a VM at a moment, and the verdict on it; pure. Times: seconds since the epoch."""

from typing import NamedTuple

from msgspec import Struct

from exporter.findings.snapshots import LONG_PAST
from exporter.findings.subject import Moment, Subject
from exporter.findings.vm import FINDERS
from exporter.snapshot import ClusterState
from exporter.verdict import PROBLEMS, RANKS, STALE_AFTER, UNREAD_FOR, Problem, Severity, Verdict

_SEVERITIES = tuple(Severity)


class Finding(Struct, frozen=True, gc=False):
    """A problem that exists.

    since: seconds since the epoch; None if it is not known.
    text: one or two sentences about this VM.
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


def findings(subject: Subject, now: Moment) -> tuple[Finding, ...]:
    """Return the problems of a VM, the worst first; an exempt or deleted VM has none."""
    if subject.row.objective.exempt or subject.being_deleted:
        return ()
    objective, found = subject.row.objective, []
    promises_recovery = (
        objective.max_age is not None or objective.min_snapshots is not None or objective.quiesced
    )
    for name, find in FINDERS.items():
        if each := find(subject, now):
            severity = PROBLEMS[name].severity_for(objective=promises_recovery)
            since = None if each.since == LONG_PAST else each.since
            found.append(Finding(PROBLEMS[name], severity, since, *each[1:]))
    return tuple(sorted(found, key=rank))


def judge(subject: Subject, now: Moment, *, current: bool) -> Judgement:
    """Return whether the snapshots of a VM would save it, and why not.

    current: whether its cluster was read recently, as by ``is_current``.
    What is not known makes the verdict unknown, which counts as not protected.
    """
    row = subject.row
    if subject.orphan:
        return Judgement(Verdict.EXEMPT, ("orphaned",))
    if row.objective.exempt or subject.being_deleted:
        return Judgement(Verdict.EXEMPT, ("exempt" if row.objective.exempt else "being_deleted",))
    wrong = {
        "objective_missed": row.deadline is not None and now.passed(row.deadline),
        "unprotected_volumes": bool(row.unprotected and row.unprotected.names),
        "no_restorable": subject.vm is not None and not row.restorable,
    }
    if any(wrong.values()):
        return Judgement(Verdict.NOT_PROTECTED, tuple(name for name in wrong if wrong[name]))
    unknown = {
        "vm_unknown": subject.vm is None,
        "volumes_unknown": FINDERS["volumes_unknown"](subject, now) is not None,
        "recovery_time_unknown": row.recovery_point is None,
        "labels_unreadable": "metadata.labels" in row.vm.unreadable,
        "cluster_unread": not current,
    }
    reasons = tuple(name for name in unknown if unknown[name])
    return Judgement(Verdict.UNKNOWN if reasons else Verdict.PROTECTED, reasons)


def is_current(state: ClusterState, now: float) -> bool:
    """Return True if a cluster was read so recently that its data can be believed."""
    if state.last_success is None:
        return False
    return now - state.last_success <= (STALE_AFTER if state.up else UNREAD_FOR)


def rank(found: Finding) -> tuple[int, int]:
    """Return the place of a problem among all: by severity, then as in PROBLEMS."""
    return _SEVERITIES.index(found.severity), RANKS[found.problem.name]
