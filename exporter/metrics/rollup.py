"""Snapshots rolled up into a row for each virtual machine, with those that have none."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.snapshot import Cluster, ClusterState, Snapshot, VirtualMachine


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """How old the newest restorable snapshot of a virtual machine may be, in seconds.

    It applies to the machines all of whose names match from end to end; None matches all, and a
    label must be there to match.
    """

    max_age: float
    cluster: re.Pattern[str] | None = None
    namespace: re.Pattern[str] | None = None
    vm: re.Pattern[str] | None = None
    labels: tuple[tuple[str, re.Pattern[str]], ...] = ()

    def applies(self, cluster: Cluster, vm: VirtualMachine) -> bool:
        """Tell whether a machine of a cluster is meant."""
        names = ((self.cluster, cluster.name), (self.namespace, vm.namespace), (self.vm, vm.name))
        if not all(pattern is None or pattern.fullmatch(name) for pattern, name in names):
            return False
        labels = dict(vm.labels)
        return all(
            name in labels and pattern.fullmatch(labels[name]) for name, pattern in self.labels
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualMachineRow:
    """What the snapshots of one virtual machine amount to; times in seconds since the epoch.

    snapshots, ready, restorable, failed: counts.
    last_restorable: when the data of the newest restorable one was taken.
    oldest: when the oldest was taken, or asked for where it was not taken.
    last_failed: whether the one that was asked for last has failed.
    objective: in seconds; None where none applies.
    """

    vm: VirtualMachine
    snapshots: int
    ready: int
    restorable: int
    failed: int
    last_restorable: float | None
    oldest: float | None
    last_failed: bool
    objective: float | None


def roll_up(state: ClusterState, objectives: Sequence[Objective]) -> Iterator[VirtualMachineRow]:
    """Yield a row for each virtual machine of a cluster all of whose snapshots are known."""
    if state.listing is None:
        return
    by_vm: defaultdict[tuple[str, str], list[Snapshot]] = defaultdict(list)
    for snapshot in state.listing.snapshots:
        by_vm[snapshot.namespace, snapshot.vm].append(snapshot)
    for vm in state.listing.virtual_machines:
        objective = first_objective(objectives, state.cluster, vm)
        yield row_of(vm, by_vm.get((vm.namespace, vm.name), ()), objective)


def first_objective(
    objectives: Sequence[Objective], cluster: Cluster, vm: VirtualMachine
) -> float | None:
    """Return the age in seconds that the first objective that applies allows."""
    return next((each.max_age for each in objectives if each.applies(cluster, vm)), None)


def row_of(
    vm: VirtualMachine, snapshots: Sequence[Snapshot], objective: float | None
) -> VirtualMachineRow:
    """Return what the snapshots of one machine amount to. objective: in seconds."""
    # In one pass: over a fleet, this goes over all snapshots.
    ready = restorable = failed = 0
    last_restorable = oldest = None
    for snapshot in snapshots:
        taken = snapshot.creation_time
        known_since = snapshot.requested_at if taken is None else taken
        ready += snapshot.ready_to_use
        failed += snapshot.failed
        if known_since is not None and (oldest is None or known_since < oldest):
            oldest = known_since
        if snapshot.restorable:
            restorable += 1
            if taken is not None and (last_restorable is None or taken > last_restorable):
                last_restorable = taken
    return VirtualMachineRow(
        vm=vm,
        snapshots=len(snapshots),
        ready=ready,
        restorable=restorable,
        failed=failed,
        last_restorable=last_restorable,
        oldest=oldest,
        last_failed=failed > 0 and _last_failed(snapshots),
        objective=objective,
    )


def _last_failed(snapshots: Sequence[Snapshot]) -> bool:
    """Tell whether the newest request failed; of several in the same second, any of them."""
    last = max((snapshot.requested_at or 0.0 for snapshot in snapshots), default=0.0)
    return any(snapshot.failed for snapshot in snapshots if (snapshot.requested_at or 0.0) == last)
