"""What a cluster's state amounts to for the page, worked out when somebody looks.

A machine whose snapshots are the same as before is used again as it is, so that a change costs
what changed. Nothing in a board depends on the time: problems have the instant they begin at.
"""

import math
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from exporter.rollup import NO_OBJECTIVE, Objective, first_objective, row_of
from exporter.snapshot import (
    ClusterState,
    Listing,
    NamedSnapshot,
    Snapshot,
    VirtualMachine,
)
from exporter.web.status.machine import Machine, in_progress, remarkable, without_disks
from exporter.web.status.problems import Onset, onsets

STEP = 64
"""Machines looked at between turns; 16 times as many snapshots are only sorted by machine."""


class Row(NamedTuple):
    """A line of the page.

    onsets: what is or will be wrong, the worst first; soonest: when the first of it begins.
    """

    machine: Machine
    onsets: tuple[Onset, ...]
    soonest: float


class Counts(NamedTuple):
    """How many of a cluster's snapshots, and of its listed machines, there are of each kind."""

    vms: int = 0
    snapshots: int = 0
    ready: int = 0
    restorable: int = 0
    failed: int = 0
    in_progress: int = 0
    without_disks: int = 0
    orphaned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Board:
    """The machines of one cluster, by namespace and name, in that order.

    objectives: by which their rows were made; the first that applies counts.
    troubled: those with an onset; fine: those without.
    """

    state: ClusterState
    objectives: tuple[Objective, ...]
    rows: dict[tuple[str, str], Row]
    troubled: tuple[Row, ...]
    fine: tuple[Row, ...]
    counts: Counts
    namespaces: frozenset[str]


class Boards:
    """The boards of clusters as they were last looked at."""

    def __init__(self) -> None:
        self._known: dict[str, Board] = {}

    def of(
        self, state: ClusterState, objectives: tuple[Objective, ...]
    ) -> Generator[None, None, Board]:
        """Return the board of a state, in steps of some milliseconds between turns."""
        known = self._known.get(state.cluster.uid)
        if known is None or known.state is not state or known.objectives != objectives:
            known = yield from board(state, objectives, known)
            self._known[state.cluster.uid] = known
        return known

    def of_all(
        self, states: Iterable[tuple[ClusterState, tuple[Objective, ...]]]
    ) -> Generator[None, None, list[Board]]:
        """Return the boards of all clusters that there are, and forget those of others."""
        found: dict[str, Board] = {}
        for state, objectives in states:
            found[state.cluster.uid] = yield from self.of(state, objectives)
        self._known = found
        return list(found.values())


def board(
    state: ClusterState, objectives: tuple[Objective, ...], previous: Board | None
) -> Generator[None, None, Board]:
    """Return the board of a state, using again what did not change since previous.

    It is worked out in steps of some milliseconds, between which others may have their turn.
    """
    if previous and (previous.state.cluster, previous.objectives) != (state.cluster, objectives):
        previous = None
    if previous and _same(previous.state, state):
        return replace(previous, state=state)
    known = previous.rows if previous else {}
    rows: dict[tuple[str, str], Row] = {}
    subjects = yield from _subjects(state)
    for index, subject in enumerate(subjects):
        last = known.get(subject.key)
        unchanged = last is not None and subject.is_of(last.machine)
        rows[subject.key] = last if last and unchanged else _row(state, objectives, subject)
        if index % STEP == 0:
            yield
    return Board(
        state=state,
        objectives=objectives,
        rows=rows,
        troubled=tuple(row for row in rows.values() if row.onsets),
        fine=tuple(row for row in rows.values() if not row.onsets),
        counts=(yield from _count(rows.values())),
        namespaces=frozenset(namespace for namespace, _ in rows),
    )


def _row(state: ClusterState, objectives: Sequence[Objective], subject: "_Subject") -> Row:
    namespace, name = subject.key
    vm = subject.vm
    objective = first_objective(objectives, state.cluster, vm) if vm else NO_OBJECTIVE
    machine = Machine(
        cluster=state.cluster,
        namespace=namespace,
        name=name,
        vm=vm,
        gone=subject.gone,
        snapshots=subject.snapshots,
        remarkable=tuple(filter(remarkable, subject.snapshots)),
        named=subject.named,
        row=row_of(
            vm or VirtualMachine(namespace=namespace, name=name), subject.snapshots, objective
        ),
    )
    found = onsets(machine)
    return Row(machine, found, min((onset.since for onset in found), default=math.inf))


class _Subject(NamedTuple):
    """What a row is made of."""

    key: tuple[str, str]
    vm: VirtualMachine | None
    gone: bool
    snapshots: tuple[Snapshot, ...]
    named: tuple[NamedSnapshot, ...]

    def is_of(self, machine: Machine) -> bool:
        """Tell whether a machine was made of the very same."""
        return (self.snapshots, self.vm, self.gone, self.named) == (
            machine.snapshots,
            machine.vm,
            machine.gone,
            machine.named,
        )


def _subjects(state: ClusterState) -> Generator[None, None, Iterator[_Subject]]:
    """Return what there is of each machine, in the order of their names; made when asked for."""
    by_vm: defaultdict[tuple[str, str], list[Snapshot]] = defaultdict(list)
    for index, snapshot in enumerate(state.snapshots):
        by_vm[snapshot.namespace, snapshot.vm].append(snapshot)
        if index % (16 * STEP) == 0:
            yield
    named: defaultdict[tuple[str, str], list[NamedSnapshot]] = defaultdict(list)
    for each in state.named:
        named[each.namespace, each.vm].append(each)
    listing = state.listing
    vms = {(vm.namespace, vm.name): vm for vm in listing.virtual_machines} if listing else {}
    yield
    return (
        _Subject(
            key,
            vms.get(key),
            _is_gone(key, listing),
            tuple(by_vm.get(key, ())),
            tuple(named.get(key, ())),
        )
        for key in sorted({*vms, *by_vm, *named})
    )


def _is_gone(vm: tuple[str, str], listing: Listing | None) -> bool:
    return listing is not None and bool(listing.lacks(vm))


def _same(one: ClusterState, other: ClusterState) -> bool:
    """Tell whether both hold the very same values, as they do while nothing changes."""
    if one.named or other.named:
        return False  # these note when they were read
    if one.listing is None or other.listing is None:
        return one.listing is other.listing
    return one.listing.tells_the_same_as(other.listing)


def _count(rows: Iterable[Row]) -> Generator[None, None, Counts]:
    totals = [0] * len(Counts._fields)
    for index, row in enumerate(rows):
        for kind, number in enumerate(_counts(row.machine)):
            totals[kind] += number
        if index % (4 * STEP) == 0:
            yield
    return Counts(*totals)


def _counts(machine: Machine) -> Counts:
    row, others = machine.row, machine.remarkable
    return Counts(
        vms=machine.vm is not None,
        snapshots=row.snapshots,
        ready=row.ready,
        restorable=row.restorable,
        failed=row.failed,
        in_progress=sum(map(in_progress, others)) if others else 0,
        without_disks=sum(map(without_disks, others)) if others else 0,
        orphaned=row.snapshots if machine.gone else 0,
    )
