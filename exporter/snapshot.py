"""The values of the exporter; times are seconds since the epoch (UTC).

They mirror KubeVirt's ``VirtualMachineSnapshot`` and ``VirtualMachine`` as Palette serves them,
decoded: what is missing or unreadable in a document is None or empty here.

``gc=False``: they are in no cycle, and a collector's pass over all would hold the event loop.
"""

import math
from dataclasses import dataclass

from msgspec import Struct

from exporter.volumes import Volume, Volumes

DEFAULT_FAILURE_DEADLINE = 300.0  # seconds; KubeVirt's default for ``spec.failureDeadline``
PHASES = ("InProgress", "Succeeded", "Failed", "Deleting", "Unknown")

NamespacedName = tuple[str, str]  # of a snapshot or a VM in its cluster: uids repeat, names do not


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One Palette cluster.

    name: the uid if no better name is known.
    state: ``status.clusterState`` of the dashboard; "" if it is not known.
    """

    uid: str
    name: str
    project_uid: str = ""
    cloud_type: str = ""
    state: str = ""


class Condition(Struct, frozen=True, gc=False):
    """One of ``status.conditions``; ``status`` is ``true``, ``false`` or ``unknown``."""

    type: str
    status: str
    last_transition: float | None = None
    reason: str = ""


class SnapshotError(Struct, frozen=True, gc=False, kw_only=True):
    """The last error of a snapshot. It might be old, and the snapshot ready."""

    message: str = ""
    time: float | None = None


class Snapshot(Struct, frozen=True, gc=False, kw_only=True):
    """One VirtualMachineSnapshot.

    vm: ``spec.source.name``, whatever the source's kind.
    requested_at: ``metadata.creationTimestamp``, the time of the request.
    creation_time: ``status.creationTime``, when the data was taken; None until then.
    deletion_timestamp: ``metadata.deletionTimestamp``; also None if it is unreadable.
    deleting: whether it is being deleted, even if the time of that is not known.
    failure_deadline: seconds, negative and 0 as written; None if it is unreadable.
    phase: None while there is no status; "" if a status names none.
    indications: of ``status.indications`` and ``status.sourceIndications`` together.
    volumes: None while unknown: ``snapshotVolumes`` is missing or null.
    temporary: whether a VirtualMachineClone owns it: it is deleted when the clone is complete.
    unreadable: paths of the fields that are there and cannot be read.
    """

    namespace: str
    vm: str
    name: str
    uid: str = ""
    source_uid: str = ""
    content: str = ""
    deletion_policy: str = ""
    scheduled: bool = False
    requested_at: float | None = None
    creation_time: float | None = None
    deletion_timestamp: float | None = None
    deleting: bool = False
    failure_deadline: float | None = DEFAULT_FAILURE_DEADLINE
    phase: str | None = None
    ready_to_use: bool = False
    conditions: tuple[Condition, ...] = ()
    error: SnapshotError | None = None
    indications: tuple[str, ...] = ()
    volumes: Volumes | None = None
    temporary: bool = False
    unreadable: tuple[str, ...] = ()

    @property
    def key(self) -> NamespacedName:
        """Its identity in its cluster."""
        return self.namespace, self.name

    @property
    def vm_key(self) -> NamespacedName:
        """The identity of its VM."""
        return self.namespace, self.vm

    @property
    def counted_phase(self) -> str | None:
        """One of PHASES, Unknown for all others; None while there is no status."""
        return self.phase if self.phase is None or self.phase in PHASES else "Unknown"

    @property
    def failed(self) -> bool:
        """Whether KubeVirt gave up on it, for good."""
        return self.phase == "Failed"

    def restorable_for(self, vm: "VirtualMachine | None") -> bool:
        """Return True if a restore would bring back data; vm: None if it is not known.

        KubeVirt also reports a snapshot as Succeeded and ready that holds only the configuration
        of the VM, its TPM and EFI state or a memory dump.
        """
        might_have_failed = self.failed or "status.phase" in self.unreadable
        if not self.ready_to_use or self.deleting or might_have_failed:
            return False
        return self.volumes is None or self.volumes.hold_data_of(vm.volumes if vm else None)


class VirtualMachine(Struct, frozen=True, gc=False, kw_only=True):
    """One VirtualMachine.

    status: ``status.printableStatus``, or ""; deletion_timestamp: ``metadata.deletionTimestamp``.
    restoring: whether ``status.restoreInProgress`` names a restore.
    volumes: from ``spec`` and ``status.volumeSnapshotStatuses``; None if neither names any.
    unreadable: paths of the fields that are there and cannot be read.
    """

    namespace: str
    name: str
    uid: str = ""
    status: str = ""
    created_at: float | None = None
    deletion_timestamp: float | None = None
    restoring: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    volumes: tuple[Volume, ...] | None = None
    unreadable: tuple[str, ...] = ()

    def owner(self, label: str | None) -> str | None:
        """Return the owner that a label of the VM names; None without one."""
        return dict(self.labels).get(label) if label else None

    @property
    def unsnapshottable_volumes(self) -> tuple[str, ...]:
        """The names of the data volumes that cannot be snapshotted."""
        return tuple(volume.name for volume in self.volumes or () if volume.unsnapshottable)

    @property
    def key(self) -> NamespacedName:
        """Its identity in its cluster."""
        return self.namespace, self.name


@dataclass(frozen=True, slots=True)
class Unread:
    """Why something could not be read.

    reason: as in the metrics; message: in words; kind: the error's class, finer than the reason.
    """

    reason: str
    message: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSnapshot:
    """A snapshot that a target names.

    up: whether the last refresh read it; unread: why it could not.
    snapshot: its last good state; None if there is none, or if it expired.
    read_at: seconds on the monotonic clock of that state.
    missing: whether Palette says that it does not exist.
    """

    namespace: str
    vm: str
    name: str
    up: bool
    snapshot: Snapshot | None = None
    read_at: float = 0.0
    missing: bool = False
    unread: Unread | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The lists of a cluster. It exists only if all pages of all lists arrived.

    snapshots: those of the watched VMs.
    virtual_machines: the watched VMs, with or without snapshots.
    known_machines: all VMs of ``namespaces``; no namespaces are all of them.
    read_at: seconds on the monotonic clock; current: whether the last refresh read it.
    """

    snapshots: tuple[Snapshot, ...]
    virtual_machines: tuple[VirtualMachine, ...]
    known_machines: frozenset[NamespacedName]
    namespaces: frozenset[str]
    read_at: float
    current: bool = True

    def lacks(self, vm: tuple[str, str]) -> bool | None:
        """Return True if a VM does not exist; None if its namespace was not listed."""
        if self.namespaces and vm[0] not in self.namespaces:
            return None
        return vm not in self.known_machines


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """All that is published of one cluster; replaced whole by every refresh.

    up: whether the last refresh succeeded.
    last_success, refreshed_at: when the last good refresh, and the last of all, ended; None before.
    refresh_duration: seconds; requests: how many a refresh takes.
    last_failure: why a refresh failed last, however long ago, and the seconds since the epoch.
    listing: the result of the last lists; None where targets only name snapshots.
    named: what became of the snapshots that targets name.
    due_within: seconds within which the next refresh should have replaced this one's data.
    expires_at: seconds on the monotonic clock at which a part of it is too old.
    """

    cluster: Cluster
    up: bool
    last_success: float | None = None
    refreshed_at: float | None = None
    refresh_duration: float = 0.0
    requests: int = 0
    last_failure: tuple[Unread, float] | None = None
    listing: Listing | None = None
    named: tuple[NamedSnapshot, ...] = ()
    due_within: float = math.inf
    expires_at: float = math.inf

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """Every snapshot of which there is a state, each once."""
        listed = self.listing.snapshots if self.listing else ()
        if not self.named:
            return listed
        found = {snapshot.key: snapshot for snapshot in listed}
        for named in self.named:
            if named.snapshot:
                found.setdefault(named.snapshot.key, named.snapshot)
        return tuple(found.values())
