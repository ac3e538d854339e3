"""What can be wrong with a virtual machine's snapshots: the worst first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from exporter.snapshot import Snapshot
from exporter.web.status.machine import (
    Machine,
    crash_consistent,
    deletion_hangs_from,
    hangs_from,
    lost_from,
    without_disks,
)
from exporter.web.status.words import ago, count, span

Severity = Literal["critical", "warning", "info"]

ALWAYS = float("-inf")
"""Since when a problem is there whose beginning nobody knows."""

MANY_SNAPSHOTS = 31


class Why(NamedTuple):
    """Why something is a problem: our sentence, and the words of others that go with it."""

    text: str
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """One thing that can be wrong.

    since: returns the instant from which on it is, which may be yet to come; None where it isn't.
    why: says it in words, of a moment at which it is.
    """

    key: str
    title: str
    severity: Severity
    since: Callable[[Machine], float | None]
    why: Callable[[Machine, float], Why]


class Onset(NamedTuple):
    """A problem of a virtual machine, and from when on it is one."""

    since: float
    problem: Problem


def onsets(machine: Machine) -> tuple[Onset, ...]:
    """Return all that is wrong with a machine now or will be, the worst first."""
    found = ((problem.since(machine), problem) for problem in PROBLEMS)
    return tuple(Onset(since, problem) for since, problem in found if since is not None)


def _first(instants: Iterable[float | None]) -> float | None:
    return min((each for each in instants if each is not None), default=None)


def _if(wrong: object) -> float | None:
    return ALWAYS if wrong else None


def _worst(
    machine: Machine, instant: Callable[[Snapshot], float | None], now: float
) -> tuple[list[Snapshot], Snapshot]:
    """Return the snapshots for which the instant has come, and the one for which it came first."""
    due = [(at, each) for each in machine.remarkable if (at := instant(each)) is not None]
    found = sorted((pair for pair in due if pair[0] <= now), key=lambda pair: pair[0])
    return [each for _, each in found], found[0][1]


def _no_restorable(machine: Machine) -> float | None:
    return _if(machine.vm and not machine.row.restorable)


def _why_no_restorable(machine: Machine, now: float) -> Why:
    created = machine.vm.created_at if machine.vm else None
    age = "" if created is None else f"; the VM was created {ago(created, now)}"
    if not machine.snapshots:
        return Why(f"There is no snapshot at all{age}.")
    number = len(machine.snapshots)
    none = "Its only snapshot cannot be" if number == 1 else f"None of its {number:,} snapshots can"
    return Why(f"{none} {'restored' if number == 1 else 'be restored'}.")


def _objective_missed(machine: Machine) -> float | None:
    row = machine.row
    if machine.vm is None or row.objective.max_age is None:
        return None
    covered = row.recovery_point if row.restorable else machine.vm.created_at
    return None if covered is None else covered + row.objective.max_age


def _why_objective_missed(machine: Machine, now: float) -> Why:
    row, due = machine.row, _objective_missed(machine)
    allowed, missed = span(row.objective.max_age or 0.0), span(now - (due or now))
    if row.recovery_point is None:
        return Why(f"The objective is {allowed}, and has been missed for {missed}.")
    age = span(now - row.recovery_point)
    return Why(
        f"The newest restorable snapshot is {age} old: {missed} more than the objective of "
        f"{allowed}."
    )


def _why_last_failed(machine: Machine, now: float) -> Why:
    failed = next(each for each in machine.newest_first if each.failed)
    when = "" if failed.requested_at is None else f", asked for {ago(failed.requested_at, now)},"
    said = failed.error.message if failed.error else ""
    return Why(f"The last snapshot{when} has failed" + (":" if said else "."), said)


def _why_lost(machine: Machine, now: float) -> Why:
    found, first = _worst(machine, lost_from, now)
    said = first.error.message if first.error else ""
    have = "has" if len(found) == 1 else "have"
    text = f"{count(len(found), 'snapshot')} succeeded and {have} lost the data since"
    return Why(text + (":" if said else "."), said)


def _missing(machine: Machine) -> float | None:
    return _if(any(each.missing for each in machine.named))


def _why_missing(machine: Machine, now: float) -> Why:
    del now
    names = [each.name for each in machine.named if each.missing]
    is_not = "is not there" if len(names) == 1 else "are not there"
    return Why(f"{count(len(names), 'snapshot')} that a target names {is_not}:", ", ".join(names))


def _why_hanging(machine: Machine, now: float) -> Why:
    found, first = _worst(machine, hangs_from, now)
    since = ago(first.requested_at or now, now)
    return Why(f"{count(len(found), 'snapshot')} past the deadline, asked for {since}.")


def _why_without_disks(machine: Machine, now: float) -> Why:
    del now
    number = sum(map(without_disks, machine.remarkable))
    words = "snapshot calls itself ready and holds" if number == 1 else ""
    return Why(
        f"{count(number, words, 'snapshots call themselves ready and hold')} no disk: only the "
        "VM's configuration."
    )


def _only_crash_consistent(machine: Machine) -> float | None:
    restorable = (each for each in machine.snapshots if each.restorable_for(machine.vm))
    return _if(machine.row.restorable and all(map(crash_consistent, restorable)))


def _incomplete(snapshot: Snapshot, machine: Machine) -> bool:
    """Tell whether a snapshot leaves out a disk that the storage could snapshot."""
    volumes = snapshot.volumes
    if snapshot.failed or snapshot.deleting or volumes is None or not volumes.included:
        return False
    unable = len(machine.vm.unsnapshottable_volumes) if machine.vm else 0
    return "PartialSnapshot" in snapshot.indications or len(volumes.excluded or ()) > unable


def _why_incomplete(machine: Machine, now: float) -> Why:
    del now
    found = [each for each in machine.newest_first if _incomplete(each, machine)]
    volumes = found[0].volumes
    left_out = ", ".join(volumes.excluded or ()) if volumes else ""
    text = f"{count(len(found), 'snapshot')} without some of the disks"
    return Why(text + (", in the newest" if left_out else "."), left_out)


def _why_deletion_hangs(machine: Machine, now: float) -> Why:
    found, first = _worst(machine, deletion_hangs_from, now)
    since = ago(first.deletion_timestamp or now, now)
    return Why(f"{count(len(found), 'snapshot')} not deleted yet, asked for {since}.")


PROBLEMS: tuple[Problem, ...] = (
    Problem(
        key="no_restorable",
        title="No restorable snapshot",
        severity="critical",
        since=_no_restorable,
        why=_why_no_restorable,
    ),
    Problem(
        key="objective_missed",
        title="Objective missed",
        severity="critical",
        since=_objective_missed,
        why=_why_objective_missed,
    ),
    Problem(
        key="last_failed",
        title="Last snapshot failed",
        severity="critical",
        since=lambda machine: _if(machine.row.last_failed),
        why=_why_last_failed,
    ),
    Problem(
        key="lost",
        title="Data lost",
        severity="critical",
        since=lambda machine: _first(map(lost_from, machine.remarkable)),
        why=_why_lost,
    ),
    Problem(
        key="missing",
        title="Named snapshot is not there",
        severity="warning",
        since=_missing,
        why=_why_missing,
    ),
    Problem(
        key="hanging",
        title="Snapshot hangs",
        severity="warning",
        since=lambda machine: _first(map(hangs_from, machine.remarkable)),
        why=_why_hanging,
    ),
    Problem(
        key="without_disks",
        title="Snapshot without disks",
        severity="warning",
        since=lambda machine: _if(any(map(without_disks, machine.remarkable))),
        why=_why_without_disks,
    ),
    Problem(
        key="crash_consistent",
        title="Only crash-consistent",
        severity="warning",
        since=_only_crash_consistent,
        why=lambda machine, now: Why(
            "No restorable snapshot was taken with the guest's file systems frozen."
        ),
    ),
    Problem(
        key="incomplete",
        title="Disks left out",
        severity="warning",
        since=lambda machine: _if(any(_incomplete(each, machine) for each in machine.remarkable)),
        why=_why_incomplete,
    ),
    Problem(
        key="deletion_hangs",
        title="Deletion hangs",
        severity="warning",
        since=lambda machine: _first(map(deletion_hangs_from, machine.remarkable)),
        why=_why_deletion_hangs,
    ),
    Problem(
        key="unsnapshottable",
        title="Disks that cannot be snapshotted",
        severity="info",
        since=lambda machine: _if(machine.vm and machine.vm.unsnapshottable_volumes),
        why=lambda machine, now: Why(
            "The storage cannot snapshot:",
            ", ".join(machine.vm.unsnapshottable_volumes) if machine.vm else "",
        ),
    ),
    Problem(
        key="piling_up",
        title="Very many snapshots",
        severity="info",
        since=lambda machine: _if(len(machine.snapshots) > MANY_SNAPSHOTS),
        why=lambda machine, now: Why(f"There are {len(machine.snapshots):,} of them."),
    ),
    Problem(
        key="orphaned",
        title="VM is gone",
        severity="info",
        since=lambda machine: _if(machine.gone and machine.snapshots),
        why=lambda machine, now: Why(
            f"{count(len(machine.snapshots), 'snapshot')} of a VM that is gone."
        ),
    ),
)
"""In the order in which machines are shown; what is wrong first is what a machine is ranked by."""

RANKS = {problem: rank for rank, problem in enumerate(PROBLEMS)}
