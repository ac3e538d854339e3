"""What is judged: a virtual machine (VM) with its snapshots, at a moment; pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from exporter.rollup import (
    NO_OBJECTIVE,
    Objective,
    VirtualMachineRow,
    believed,
    believed_snapshot,
    first_objective,
    row_of,
)
from exporter.snapshot import Cluster, ClusterState, NamedSnapshot, Snapshot, VirtualMachine


class Moment(float):
    """Seconds since the epoch. Problems compare times with it by its methods only.

    changes_at: until this time the same comparisons give the same results.
    """

    __slots__ = ("changes_at",)

    def __init__(self, _: float) -> None:
        self.changes_at = float("inf")

    def reached(self, time: float) -> bool:
        """Return True at a time and after it."""
        return time == self or self.passed(time)

    def passed(self, time: float) -> bool:
        """Return True after a time."""
        if time < self:
            return True
        self.changes_at = min(self.changes_at, time)
        return False


class Subject(Struct, frozen=True, gc=False, kw_only=True):
    """A VM with its snapshots, or the snapshots of a VM that is not listed.

    vm: None if it is not listed; orphan: whether the VMs were listed and it is not among them.
    snapshots: each once; named: those of them that targets name, and what became of them.
    counted: the snapshots without the temporary ones of clones.
    unsettled: those of the counted ones that are not ready, or are being deleted.
    row: what the snapshots amount to.
    """

    cluster: Cluster
    namespace: str
    name: str
    vm: VirtualMachine | None
    orphan: bool
    snapshots: tuple[Snapshot, ...]
    counted: tuple[Snapshot, ...]
    unsettled: tuple[Snapshot, ...]
    named: tuple[NamedSnapshot, ...]
    row: VirtualMachineRow

    @property
    def being_deleted(self) -> bool:
        """Whether the deletion of the VM was requested."""
        return self.vm is not None and self.vm.deletion_timestamp is not None


def subjects(state: ClusterState, objectives: Sequence[Objective]) -> Iterator[Subject]:
    """Yield the VMs of a cluster by namespace and name, listed or known by a snapshot only.

    Times of the future are left out of them, because a wrong clock must not hide a problem.
    """
    read_at = state.refreshed_at
    snapshots: defaultdict[tuple[str, str], list[Snapshot]] = defaultdict(list)
    for snapshot in state.snapshots:
        snapshots[snapshot.namespace, snapshot.vm].append(believed_snapshot(snapshot, read_at))
    named: defaultdict[tuple[str, str], list[NamedSnapshot]] = defaultdict(list)
    for each in state.named:
        named[each.namespace, each.vm].append(each)
    listing = state.listing
    vms = {(vm.namespace, vm.name): vm for vm in listing.virtual_machines} if listing else {}
    for key in sorted({*vms, *snapshots, *named}):
        vm, found = _believed_vm(vms.get(key), read_at), tuple(snapshots.get(key, ()))
        counted = tuple([each for each in found if not each.temporary])
        objective = first_objective(objectives, state.cluster, vm) if vm else NO_OBJECTIVE
        yield Subject(
            cluster=state.cluster,
            namespace=key[0],
            name=key[1],
            vm=vm,
            orphan=listing is not None and bool(listing.lacks(key)),
            snapshots=found,
            counted=counted,
            unsettled=tuple([each for each in counted if not each.ready_to_use or each.deleting]),
            named=tuple(named.get(key, ())),
            row=row_of(vm or VirtualMachine(namespace=key[0], name=key[1]), found, objective),
        )


def _believed_vm(vm: VirtualMachine | None, read_at: float | None) -> VirtualMachine | None:
    if vm is None or believed(vm.created_at, read_at) == vm.created_at:
        return vm
    return replace(vm, created_at=None)
