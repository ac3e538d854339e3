"""What the snapshots of one virtual machine (VM) amount to: a row for each listed VM; pure."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from exporter.snapshot import Cluster, ClusterState, Snapshot, VirtualMachine
from exporter.volumes import Volumes

DAY = 86_400.0  # seconds; a time that is further off than this is a wrong clock, and not believed


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What the configuration promises of the VMs whose names and labels match.

    An expression matches a whole name; None matches every name, and a label must be there.

    exempt: the VMs need no snapshots.
    max_age: seconds; of the newest restorable snapshot.
    min_snapshots, max_snapshots: restorable ones at least; all at most.
    max_snapshot_age: seconds; of each snapshot.
    quiesced: the newest restorable snapshot was taken quiesced, or while the VM was off.
    ignore_volumes: names of volumes that need no snapshot.
    """

    cluster: re.Pattern[str] | None = None
    namespace: re.Pattern[str] | None = None
    vm: re.Pattern[str] | None = None
    labels: tuple[tuple[str, re.Pattern[str]], ...] = ()
    exempt: bool = False
    max_age: float | None = None
    min_snapshots: int | None = None
    max_snapshots: int | None = None
    max_snapshot_age: float | None = None
    quiesced: bool = False
    ignore_volumes: tuple[re.Pattern[str], ...] = ()

    def applies(self, cluster: Cluster, vm: VirtualMachine) -> bool:
        """Return True if the VM of a cluster matches."""
        names = ((self.cluster, cluster.name), (self.namespace, vm.namespace), (self.vm, vm.name))
        if not all(pattern is None or pattern.fullmatch(name) for pattern, name in names):
            return False
        labels = dict(vm.labels)
        return all(
            name in labels and pattern.fullmatch(labels[name]) for name, pattern in self.labels
        )

    def ignores(self, volume: str) -> bool:
        """Return True if a volume of this name needs no snapshot."""
        return any(pattern.fullmatch(volume) for pattern in self.ignore_volumes)


NO_OBJECTIVE = Objective()  # promises nothing


class UnprotectedVolumes(Struct, frozen=True, gc=False):
    """Names of data volumes that the newest restorable snapshot does not hold, by reason.

    unsnapshottable: KubeVirt cannot snapshot it; excluded: the snapshot lists it as excluded;
    newer: the snapshot lists it nowhere.
    """

    unsnapshottable: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.unsnapshottable, *self.excluded, *self.newer)


class VirtualMachineRow(Struct, frozen=True, gc=False, kw_only=True):
    """What the snapshots of one VM amount to; times in seconds since the epoch.

    Temporary snapshots of clones count in nothing.

    objective: the first that applies; NO_OBJECTIVE if none does.
    snapshots, ready, restorable, failed: counts.
    newest: the newest restorable snapshot, by the time of its data.
    recovery_point: when its data was taken; None if there is none or its time is not known.
    oldest: when the oldest was taken, or requested if it was not taken.
    last_failed: whether the newest request failed.
    unprotected: None while the VM's volumes are not known.
    unprotected_state: volumes of TPM and EFI state that ``newest`` does not hold; as above.
    deadline: the time after which the objective is missed; None without ``max_age``, 0 if neither
        a recovery point nor the VM's creation is known.
    """

    vm: VirtualMachine
    objective: Objective = NO_OBJECTIVE
    snapshots: int = 0
    ready: int = 0
    restorable: int = 0
    failed: int = 0
    newest: Snapshot | None = None
    recovery_point: float | None = None
    oldest: float | None = None
    last_failed: bool = False
    unprotected: UnprotectedVolumes | None = None
    unprotected_state: tuple[str, ...] | None = None
    deadline: float | None = None


def roll_up(state: ClusterState, objectives: Sequence[Objective]) -> Iterator[VirtualMachineRow]:
    """Yield a row for each listed VM of a cluster."""
    if state.listing is None:
        return
    by_vm: defaultdict[tuple[str, str], list[Snapshot]] = defaultdict(list)
    for snapshot in state.listing.snapshots:
        by_vm[snapshot.namespace, snapshot.vm].append(snapshot)
    for vm in state.listing.virtual_machines:
        objective = first_objective(objectives, state.cluster, vm)
        yield row_of(vm, by_vm.get((vm.namespace, vm.name), ()), objective, state.refreshed_at)


def first_objective(
    objectives: Iterable[Objective], cluster: Cluster, vm: VirtualMachine
) -> Objective:
    """Return the first objective that applies to a VM; NO_OBJECTIVE if none does."""
    return next((each for each in objectives if each.applies(cluster, vm)), NO_OBJECTIVE)


def row_of(
    vm: VirtualMachine,
    snapshots: Iterable[Snapshot],
    objective: Objective,
    read_at: float | None = None,
) -> VirtualMachineRow:
    """Return what the snapshots of one VM amount to.

    read_at: when they were read, in seconds since the epoch; later times are not believed.
    """
    counted = [believed_snapshot(each, read_at) for each in snapshots if not each.temporary]
    restorable = [each for each in counted if each.restorable_for(vm)]
    newest = max(restorable, key=_order, default=None)
    failed = sum(each.failed for each in counted)
    since = [
        each.requested_at if each.creation_time is None else each.creation_time for each in counted
    ]
    recovery_point = None if newest is None else data_time(newest)
    created = believed(vm.created_at, read_at)
    unprotected, unprotected_state = _unprotected(vm, newest, objective)
    return VirtualMachineRow(
        vm=vm,
        objective=objective,
        snapshots=len(counted),
        ready=sum(each.ready_to_use for each in counted),
        restorable=len(restorable),
        failed=failed,
        newest=newest,
        recovery_point=recovery_point,
        oldest=min((at for at in since if at is not None), default=None),
        last_failed=failed > 0 and any(each.failed for each in newest_requests(counted)),
        unprotected=unprotected,
        unprotected_state=unprotected_state,
        deadline=_deadline(objective, created if recovery_point is None else recovery_point),
    )


def data_time(snapshot: Snapshot) -> float | None:
    """Return when a snapshot's data was taken; None if that is not known.

    The time of the request counts if the other is unknown or more than a day later: then it comes
    from a wrong clock.
    """
    taken, requested = snapshot.creation_time, snapshot.requested_at
    if requested is not None and (taken is None or taken > requested + DAY):
        taken = requested
    return taken


def believed(time: float | None, read_at: float | None) -> float | None:
    """Return a time, or None if it is more than a day later than it was read."""
    return None if time is None or (read_at is not None and time > read_at + DAY) else time


def believed_snapshot(snapshot: Snapshot, read_at: float | None) -> Snapshot:
    """Return a snapshot without the times that are more than a day later than it was read."""
    latest = math.inf if read_at is None else read_at + DAY
    requested, taken = snapshot.requested_at, snapshot.creation_time
    deleted = snapshot.deletion_timestamp
    if (requested or 0.0) <= latest and (taken or 0.0) <= latest and (deleted or 0.0) <= latest:
        return snapshot
    return replace(
        snapshot,
        requested_at=believed(requested, read_at),
        creation_time=believed(taken, read_at),
        deletion_timestamp=believed(deleted, read_at),
    )


def _deadline(objective: Objective, start: float | None) -> float | None:
    if objective.max_age is None:
        return None
    return 0.0 if start is None else start + objective.max_age


def newest_requests(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Return the snapshots that were requested last: of the same second, or of unknown time."""
    found = list(snapshots)
    last = max((each.requested_at for each in found if each.requested_at is not None), default=None)
    return [each for each in found if each.requested_at in (None, last)]


def _unprotected(
    vm: VirtualMachine, newest: Snapshot | None, objective: Objective
) -> tuple[UnprotectedVolumes | None, tuple[str, ...] | None]:
    """Return the volumes of data and those of state that a snapshot does not hold.

    Without a snapshot, only what none could hold counts.
    """
    if vm.volumes is None:
        return None, None
    held = (newest.volumes if newest else None) or Volumes()
    included, excluded = held.included or (), held.excluded or ()
    missing = [
        each
        for each in vm.volumes
        if each.name not in included and not objective.ignores(each.name)
    ]
    state = [each.name for each in missing if each.is_state and (newest or each.enabled is False)]
    data = [each for each in missing if each.holds_data]
    others = [each.name for each in data if newest and not each.unsnapshottable]
    unprotected = UnprotectedVolumes(
        unsnapshottable=tuple(each.name for each in data if each.unsnapshottable),
        excluded=tuple(name for name in others if name in excluded),
        newer=tuple(name for name in others if name not in excluded),
    )
    return unprotected, tuple(state)


def _order(snapshot: Snapshot) -> tuple[float, float, str]:
    return data_time(snapshot) or 0.0, snapshot.requested_at or 0.0, snapshot.name
