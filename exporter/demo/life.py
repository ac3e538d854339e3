"""Changes of the demo's snapshots and machines as time passes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from exporter.demo import history, stages
from exporter.demo.documents import Document, with_printable_status
from exporter.demo.machines import Machine
from exporter.demo.retention import surplus
from exporter.demo.schedule import Schedule
from exporter.demo.storage import Cluster, Key

DOOMED_DEADLINE = 45
"""Seconds: the deadline of a snapshot that will miss it, short enough to watch."""

# The changes of a machine's state: probability, transitional state, final state.
_TURNS: Mapping[str, Sequence[tuple[float, str, str]]] = {
    "Running": (
        (0.6, "Migrating", "Running"),
        (0.25, "Stopping", "Stopped"),
        (0.15, "Paused", "Running"),
    ),
    "Stopped": ((1.0, "Starting", "Running"),),
    "Paused": ((1.0, "Paused", "Running"),),
}


@dataclass(frozen=True, slots=True)
class Ref:
    """A snapshot of a machine; `asked_at` is in epoch seconds."""

    machine: Machine
    name: str
    asked_at: float = 0.0

    @property
    def key(self) -> Key:
        """Return the key of its document."""
        return self.machine.namespace, self.name


class Life:
    """Applies events to the clusters' documents; `pace`: 2 makes everything happen twice as fast.

    All random values come from `rng`, in the order of events, so that the fleet at an instant
    depends on the seed and not on the number of requests.
    """

    def __init__(
        self,
        clusters: Mapping[str, Cluster],
        machines: Sequence[Machine],
        *,
        rng: Random,
        pace: float,
        now: float,
    ) -> None:
        self._clusters = clusters
        self._rng = rng
        self._schedule = Schedule(rng=rng, pace=pace, now=now)
        self._latest: dict[Machine, Ref] = {}
        self._machines = machines
        self._watched = [machine for machine in machines if machine.habit in {"busy", "quiet"}]
        self._weights = [12 if machine.habit == "busy" else 1 for machine in self._watched]
        if self._watched:
            self._begin()

    def advance(self, now: float) -> None:
        """Apply all events up to `now` (epoch seconds); an earlier instant changes nothing."""
        self._schedule.advance(now)

    def _begin(self) -> None:
        """Put a snapshot into each transitional stage, then plan the first events."""
        smoothly = partial(self._take, stumbles=0.0)
        openings: tuple[Callable[[Machine], None], ...] = (
            lambda machine: self._retain(machine, keep=machine.keep - 1),
            lambda machine: self._so_far(machine, 1),
            lambda machine: self._so_far(machine, 4, self._look),
            lambda machine: self._so_far(machine, 15, self._look, smoothly),
            lambda machine: self._so_far(machine, 9, self._look, self._delete),
        )
        chosen = self._rng.sample(self._watched, min(len(openings), len(self._watched)))
        for machine, opening in zip(chosen, openings, strict=False):
            opening(machine)
        self._schedule.within(2, 6, self._request)
        self._schedule.within(4, 12, self._stir)

    def _so_far(self, machine: Machine, seconds: float, *steps: Callable[[Ref], None]) -> None:
        ref = self._ask(machine, self._schedule.now - seconds)
        for step in steps:
            step(ref)

    # The stages. Each changes its document, if it is still as expected, and plans the next.

    def _request(self) -> None:
        self._schedule.within(4, 9, self._request)
        machine = self._rng.choices(self._watched, self._weights)[0]
        if self._status(machine) is not None and not self._is_busy(machine):
            self._ask(machine, self._schedule.now)

    def _is_busy(self, machine: Machine) -> bool:
        """Return whether the machine's latest snapshot is neither finished nor being deleted."""
        ref = self._latest.get(machine)
        document = self._alive(ref) if ref else None
        return document is not None and _phase(document) in {None, "InProgress"}

    def _ask(self, machine: Machine, at: float) -> Ref:
        doomed = self._rng.random() < 0.08
        deadline = f"{DOOMED_DEADLINE}s" if doomed else "5m0s"
        document = history.ask(machine, self._rng, at, deadline=deadline)
        ref = Ref(machine, document["metadata"]["name"], at)
        self._put(ref, document)
        self._latest[machine] = ref
        self._schedule.within(1, 3, partial(self._look, ref))
        return ref

    def _look(self, ref: Ref) -> None:
        document = self._open(ref, phase=None)
        if document is None:
            return
        doomed = document["spec"].get("failureDeadline") == f"{DOOMED_DEADLINE}s"
        reason = stages.SOURCE_NOT_LOCKED if doomed else stages.SOURCE_LOCKED
        self._put(ref, stages.started(document, self._schedule.now, ref.machine.uid, reason))
        if self._rng.random() < 0.04:
            self._schedule.within(3, 8, partial(self._delete, ref))
        if doomed:
            deadline = max(self._schedule.now, ref.asked_at + DOOMED_DEADLINE)
            self._schedule.at(deadline, partial(self._fail, ref))
        else:
            self._schedule.within(5, 12, partial(self._take, ref))

    def _take(self, ref: Ref, stumbles: float = 0.1) -> None:
        document = self._open(ref, phase="InProgress")
        if document is None:
            return
        if self._rng.random() < stumbles:
            stages.with_error(document, self._schedule.now - 1, history.OLD_ERROR)
        status = self._status(ref.machine) or "Stopped"
        self._put(ref, history.take(document, ref.machine, self._schedule.now, status, self._rng))
        # A slow storage system keeps some unready for minutes.
        low, high = (60, 150) if self._rng.random() < 0.08 else (8, 20)
        self._schedule.within(low, high, partial(self._finish, ref))

    def _finish(self, ref: Ref) -> None:
        document = self._open(ref, phase="Succeeded")
        if document is None:
            return
        self._put(ref, stages.ready(document, self._schedule.now))
        self._retain(ref.machine, keep=ref.machine.keep)
        if document["status"]["snapshotVolumes"]["includedVolumes"] and self._rng.random() < 0.06:
            self._schedule.within(20, 60, partial(self._lose, ref))

    def _fail(self, ref: Ref) -> None:
        document = self._open(ref, phase="InProgress")
        if document is None:
            return
        error = history.DEADLINE_ERROR if self._rng.random() < 0.5 else None
        self._put(ref, stages.failed(document, self._schedule.now, error))
        self._retain(ref.machine, keep=ref.machine.keep)

    def _lose(self, ref: Ref) -> None:
        document = self._open(ref, phase="Succeeded")
        if document is not None:
            self._put(ref, stages.lost(document, self._schedule.now))

    def _delete(self, ref: Ref) -> None:
        document = self._alive(ref)
        if document is not None:
            self._put(ref, stages.deleting(document, self._schedule.now))
            self._schedule.within(8, 25, partial(self._vanish, ref))

    def _vanish(self, ref: Ref) -> None:
        cluster = self._clusters.get(ref.machine.cluster_uid)
        if cluster is not None:
            cluster.snapshots.remove(ref.key)

    def _retain(self, machine: Machine, keep: int) -> None:
        cluster = self._clusters[machine.cluster_uid]
        own = [
            item.document
            for item in cluster.snapshots
            if item.source == machine.name and item.key[0] == machine.namespace
        ]
        for document in surplus(own, keep, self._schedule.now):
            self._delete(Ref(machine, document["metadata"]["name"]))

    # The states of the machines.

    def _stir(self) -> None:
        self._schedule.within(6, 16, self._stir)
        machine = self._rng.choice(self._machines)
        turns = _TURNS.get(self._status(machine) or "", ())
        if turns:
            _, passing, end = self._rng.choices(turns, [chance for chance, _, _ in turns])[0]
            self._turn(machine, passing)
            self._schedule.within(6, 20, partial(self._turn, machine, end))

    def _turn(self, machine: Machine, printable_status: str) -> None:
        cluster = self._clusters.get(machine.cluster_uid)
        item = cluster.vms.get(machine.key) if cluster else None
        if cluster and item:
            cluster.vms.put(with_printable_status(item.document, printable_status))

    def _status(self, machine: Machine) -> str | None:
        """Return the state of the machine; None if it was deleted."""
        cluster = self._clusters.get(machine.cluster_uid)
        item = cluster.vms.get(machine.key) if cluster else None
        return None if item is None else str(item.document["status"]["printableStatus"])

    # The documents, which a test can have deleted.

    def _open(self, ref: Ref, phase: str | None) -> Document | None:
        """Return the snapshot's document if it is in this phase and not being deleted."""
        document = self._alive(ref)
        return document if document is not None and _phase(document) == phase else None

    def _alive(self, ref: Ref) -> Document | None:
        """Return the snapshot's document if it exists and is not being deleted."""
        cluster = self._clusters.get(ref.machine.cluster_uid)
        item = cluster.snapshots.get(ref.key) if cluster else None
        document = item.document if item else None
        dying = document is not None and "deletionTimestamp" in document["metadata"]
        return None if dying else document

    def _put(self, ref: Ref, document: Document) -> None:
        self._clusters[ref.machine.cluster_uid].snapshots.put(document)


def _phase(document: Document) -> str | None:
    phase: str | None = document.get("status", {}).get("phase")
    return phase
