"""THE tables: every family about Palette. A new metric is one entry here.

Identity labels come from the table: a snapshot's, a virtual machine's, a cluster's.
"""

from collections.abc import Sequence, Sized
from operator import attrgetter
from typing import NamedTuple

from msgspec.structs import asdict

from exporter.metrics.family import (
    AgeFamily,
    AnyFamily,
    Family,
    LabelledFamily,
    Sample,
    prometheus_labels,
)
from exporter.rollup import VirtualMachineRow
from exporter.snapshot import PHASES, ClusterState, NamedSnapshot, Snapshot, VirtualMachine

STATUSES = ("true", "false", "unknown")


class SnapshotRow(NamedTuple):
    """A snapshot, and what the list of virtual machines says about it.

    orphan: whether its virtual machine is missing, as in ``Listing.lacks``.
    vm: its virtual machine; None where it is not listed.
    """

    snapshot: Snapshot
    orphan: bool | None
    vm: VirtualMachine | None


def _one(**labels: str) -> list[Sample]:
    return [(1, tuple(labels.items()))]


def _info(row: SnapshotRow) -> list[Sample]:
    snapshot = row.snapshot
    return _one(
        uid=snapshot.uid,
        source_uid=snapshot.source_uid,
        content=snapshot.content,
        deletion_policy=snapshot.deletion_policy,
        scheduled="true" if snapshot.scheduled else "false",
    )


def _phase(row: SnapshotRow) -> list[Sample]:
    phase = row.snapshot.counted_phase
    if phase is None:
        return []
    return [(each == phase, (("phase", each),)) for each in PHASES]


def _conditions(row: SnapshotRow) -> list[Sample]:
    return [
        (status == condition.status, (("condition", condition.type), ("status", status)))
        for condition in row.snapshot.conditions
        for status in STATUSES
    ]


def _condition_times(row: SnapshotRow) -> list[Sample]:
    return [
        (condition.last_transition, (("condition", condition.type),))
        for condition in row.snapshot.conditions
        if condition.last_transition is not None
    ]


def _number(found: Sized | None) -> int | None:
    return None if found is None else len(found)


def _unprotected(row: VirtualMachineRow) -> list[Sample]:
    volumes = asdict(row.unprotected).items() if row.unprotected else ()
    return [(len(names), (("reason", reason),)) for reason, names in volumes]


SNAPSHOT_FAMILIES: tuple[AnyFamily[SnapshotRow], ...] = (
    LabelledFamily(
        name="palette_vm_snapshot_info",
        help="The snapshot's identifiers, deletion policy, and whether a schedule made it. "
        "Always 1.",
        source="metadata.uid; status.sourceUID, status.virtualMachineSnapshotContentName, "
        "spec.deletionPolicy, the label vmo-manager.spectrocloud.com/scheduled",
        labels=("uid", "source_uid", "content", "deletion_policy", "scheduled"),
        samples=_info,
    ),
    Family(
        name="palette_vm_snapshot_ready",
        help="1 if the snapshot is ready to use, 0 otherwise.",
        source="status.readyToUse; missing or unreadable is 0",
        value=attrgetter("snapshot.ready_to_use"),
    ),
    Family(
        name="palette_vm_snapshot_restorable",
        help="1 if a restore of the snapshot would bring back data, 0 otherwise.",
        source="status.readyToUse, status.snapshotVolumes; ready, no metadata.deletionTimestamp, "
        "status.phase not Failed, and one of the VM's data volumes in "
        "status.snapshotVolumes.includedVolumes, unless status.snapshotVolumes is missing; TPM "
        "and EFI state and memory dumps are no data",
        value=lambda row: row.snapshot.restorable_for(row.vm),
    ),
    AgeFamily(
        name="palette_vm_snapshot_age_seconds",
        help="Seconds between the snapshot's data and this scrape, never below 0.",
        source="status.creationTime; subtracted from the time of the scrape",
        value=attrgetter("snapshot.creation_time"),
    ),
    Family(
        name="palette_vm_snapshot_creation_timestamp_seconds",
        help="Time at which the snapshot's data was taken, in seconds since the epoch.",
        source="status.creationTime",
        value=attrgetter("snapshot.creation_time"),
    ),
    Family(
        name="palette_vm_snapshot_requested_timestamp_seconds",
        help="Time at which the snapshot was requested, in seconds since the epoch.",
        source="metadata.creationTimestamp",
        value=attrgetter("snapshot.requested_at"),
    ),
    Family(
        name="palette_vm_snapshot_deletion_timestamp_seconds",
        help="Time at which the snapshot's deletion was requested, in seconds since the epoch. "
        "Absent unless it is being deleted.",
        source="metadata.deletionTimestamp",
        value=attrgetter("snapshot.deletion_timestamp"),
    ),
    Family(
        name="palette_vm_snapshot_failure_deadline_seconds",
        help="Seconds after its request at which KubeVirt gives up on the snapshot. 0 means no "
        "deadline.",
        source="spec.failureDeadline; 300 where it is missing, absent where it is unreadable",
        value=attrgetter("snapshot.failure_deadline"),
    ),
    LabelledFamily(
        name="palette_vm_snapshot_phase",
        help="1 for the snapshot's phase, 0 for the other phases.",
        source="status.phase; a missing or unknown phase is Unknown",
        labels=("phase",),
        samples=_phase,
    ),
    LabelledFamily(
        name="palette_vm_snapshot_condition",
        help="1 for the status of each of the snapshot's conditions, 0 for the other statuses.",
        source="status.conditions",
        labels=("condition", "status"),
        samples=_conditions,
    ),
    LabelledFamily(
        name="palette_vm_snapshot_condition_last_transition_timestamp_seconds",
        help="Time at which the condition last changed, in seconds since the epoch.",
        source="status.conditions[].lastTransitionTime",
        labels=("condition",),
        samples=_condition_times,
    ),
    Family(
        name="palette_vm_snapshot_error",
        help="1 if the snapshot carries an error, 0 otherwise. The error might be old.",
        source="status.error",
        value=lambda row: row.snapshot.error is not None,
    ),
    Family(
        name="palette_vm_snapshot_error_timestamp_seconds",
        help="Time of the snapshot's last error, in seconds since the epoch.",
        source="status.error.time",
        value=lambda row: row.snapshot.error.time if row.snapshot.error else None,
    ),
    LabelledFamily(
        name="palette_vm_snapshot_indication",
        help="1 for each indication of how the snapshot was taken.",
        source="status.indications, status.sourceIndications",
        labels=("indication",),
        samples=lambda row: ((1, (("indication", each),)) for each in row.snapshot.indications),
    ),
    Family(
        name="palette_vm_snapshot_included_volumes",
        help="Number of volumes that the snapshot holds. Absent while it is not known.",
        source="status.snapshotVolumes.includedVolumes",
        value=lambda row: _number(row.snapshot.volumes.included) if row.snapshot.volumes else None,
    ),
    Family(
        name="palette_vm_snapshot_excluded_volumes",
        help="Number of the VM's volumes that the snapshot leaves out. Absent while it is not "
        "known.",
        source="status.snapshotVolumes.excludedVolumes",
        value=lambda row: _number(row.snapshot.volumes.excluded) if row.snapshot.volumes else None,
    ),
    Family(
        name="palette_vm_snapshot_orphan",
        help="1 if the snapshot's VM is missing from the list of VMs, 0 otherwise. Absent where "
        "that list is not read.",
        source="spec.source.name; compared with the list of virtual machines",
        value=attrgetter("orphan"),
    ),
)

NAMED_FAMILIES: tuple[AnyFamily[NamedSnapshot], ...] = (
    Family(
        name="palette_vm_snapshot_up",
        help="1 if the last refresh read the snapshot that a target names, 0 otherwise.",
        source="metadata.name; 0 where the snapshot does not exist or the request failed",
        value=attrgetter("up"),
    ),
)

VM_FAMILIES: tuple[AnyFamily[VirtualMachineRow], ...] = (
    LabelledFamily(
        name="palette_vm_info",
        help="The VM's identifier. Always 1.",
        source="metadata.uid",
        labels=("uid",),
        samples=lambda row: _one(uid=row.vm.uid),
    ),
    LabelledFamily(
        name="palette_vm_status",
        help="1 for the VM's status.",
        source="status.printableStatus",
        labels=("status",),
        samples=lambda row: _one(status=row.vm.status) if row.vm.status else (),
    ),
    Family(
        name="palette_vm_created_timestamp_seconds",
        help="Time at which the VM was created, in seconds since the epoch.",
        source="metadata.creationTimestamp",
        value=attrgetter("vm.created_at"),
    ),
    Family(
        name="palette_vm_deletion_timestamp_seconds",
        help="Time at which the VM's deletion was requested, in seconds since the epoch. Absent "
        "unless it is being deleted.",
        source="metadata.deletionTimestamp",
        value=attrgetter("vm.deletion_timestamp"),
    ),
    Family(
        name="palette_vm_restore_in_progress",
        help="1 while a restore of the VM runs, 0 otherwise.",
        source="status.restoreInProgress",
        value=attrgetter("vm.restoring"),
    ),
    Family(
        name="palette_vm_snapshots",
        help="Number of the VM's snapshots.",
        source="spec.source.name; of the snapshots",
        value=attrgetter("snapshots"),
    ),
    Family(
        name="palette_vm_ready_snapshots",
        help="Number of the VM's snapshots that are ready to use.",
        source="status.readyToUse",
        value=attrgetter("ready"),
    ),
    Family(
        name="palette_vm_restorable_snapshots",
        help="Number of the VM's snapshots whose restore would bring back data.",
        source="status.readyToUse, status.snapshotVolumes; as palette_vm_snapshot_restorable",
        value=attrgetter("restorable"),
    ),
    Family(
        name="palette_vm_failed_snapshots",
        help="Number of the VM's snapshots that have failed.",
        source="status.phase",
        value=attrgetter("failed"),
    ),
    Family(
        name="palette_vm_last_restorable_snapshot_timestamp_seconds",
        help="Time at which the data of the newest restorable snapshot was taken, in seconds "
        "since the epoch. Absent without one.",
        source="status.creationTime; metadata.creationTimestamp if the former is unknown or more "
        "than a day later",
        value=attrgetter("recovery_point"),
    ),
    Family(
        name="palette_vm_oldest_snapshot_timestamp_seconds",
        help="Time at which the oldest snapshot was taken, or requested where it was not taken, "
        "in seconds since the epoch. Absent without one.",
        source="status.creationTime; otherwise metadata.creationTimestamp",
        value=attrgetter("oldest"),
    ),
    Family(
        name="palette_vm_last_snapshot_failed",
        help="1 if the most recently requested snapshot has failed, 0 otherwise.",
        source="status.phase; of the newest by metadata.creationTimestamp",
        value=attrgetter("last_failed"),
    ),
    LabelledFamily(
        name="palette_vm_unprotected_volumes",
        help="Number of the VM's data volumes that the newest restorable snapshot does not hold, "
        "by reason. Absent while the VM's volumes are not known.",
        source="spec.template.spec.volumes, status.volumeSnapshotStatuses; compared with "
        "status.snapshotVolumes of the newest restorable snapshot, without the volumes in "
        "objectives[].ignore_volumes. unsnapshottable: the VM reports it as not enabled; excluded: "
        "the snapshot lists it as excluded; newer: the snapshot does not list it. Without a "
        "restorable snapshot only unsnapshottable counts",
        labels=("reason",),
        samples=_unprotected,
    ),
    Family(
        name="palette_vm_unprotected_state_volumes",
        help="Number of the VM's volumes of TPM and EFI state that the newest restorable snapshot "
        "does not hold. Absent while the VM's volumes are not known.",
        source="status.volumeSnapshotStatuses, status.snapshotVolumes; names that begin with "
        "persistent-state-for-",
        value=lambda row: _number(row.unprotected_state),
    ),
    Family(
        name="palette_vm_unsnapshottable_volumes",
        help="Number of the VM's data volumes that cannot be snapshotted. 0 if none is reported.",
        source="spec.template.spec.volumes, status.volumeSnapshotStatuses",
        value=lambda row: len(row.vm.unsnapshottable_volumes),
    ),
    Family(
        name="palette_vm_exempt",
        help="1 if an objective exempts the VM from snapshots. Absent otherwise.",
        source="objectives[].exempt",
        value=lambda row: row.objective.exempt or None,
    ),
    Family(
        name="palette_vm_snapshot_objective_seconds",
        help="Maximum age of the newest restorable snapshot, from the first objective that "
        "applies to the VM. Absent where none applies.",
        source="objectives[].max_age",
        value=attrgetter("objective.max_age"),
    ),
    Family(
        name="palette_vm_snapshot_objective_min_snapshots",
        help="Minimum number of restorable snapshots, from the same objective.",
        source="objectives[].min_snapshots",
        value=attrgetter("objective.min_snapshots"),
    ),
    Family(
        name="palette_vm_snapshot_objective_max_snapshots",
        help="Maximum number of snapshots, from the same objective.",
        source="objectives[].max_snapshots",
        value=attrgetter("objective.max_snapshots"),
    ),
    Family(
        name="palette_vm_snapshot_objective_max_age_seconds",
        help="Maximum age of every snapshot, from the same objective.",
        source="objectives[].max_snapshot_age",
        value=attrgetter("objective.max_snapshot_age"),
    ),
    Family(
        name="palette_vm_snapshot_objective_quiesced",
        help="1 if the newest restorable snapshot has to be quiesced or taken while the VM was "
        "off, from the same objective. Absent otherwise.",
        source="objectives[].quiesced",
        value=lambda row: row.objective.quiesced or None,
    ),
    Family(
        name="palette_vm_snapshot_objective_deadline_timestamp_seconds",
        help="Time at which the objective's maximum age is exceeded, in seconds since the epoch. "
        "0 where neither a recovery point nor the VM's creation is known.",
        source="objectives[].max_age; added to the recovery point, or to "
        "metadata.creationTimestamp of a VM without a recovery point",
        value=attrgetter("deadline"),
    ),
)


def vm_labels_family(keys: Sequence[str] = ()) -> AnyFamily[VirtualMachineRow]:
    """Return the family of the VMs' Kubernetes labels with these keys."""
    wanted = frozenset(keys)

    def samples(row: VirtualMachineRow) -> list[Sample]:
        labels = [(key, value) for key, value in row.vm.labels if key in wanted]
        return [(1, prometheus_labels(labels))] if wanted else []

    return LabelledFamily(
        name="palette_vm_labels",
        help="The VM's Kubernetes labels that labels.vm lists. Always 1.",
        source="metadata.labels; with the names that kube-state-metrics gives them",
        labels=("label_*",),
        samples=samples,
    )


CLUSTER_FAMILIES: tuple[AnyFamily[ClusterState], ...] = (
    LabelledFamily(
        name="palette_cluster_info",
        help="The cluster's project and cloud type. Always 1.",
        source="metadata.projectUid, spec.cloudType; of Palette's dashboard, otherwise the project "
        "of the target",
        labels=("project_uid", "cloud_type"),
        samples=lambda state: _one(
            project_uid=state.cluster.project_uid, cloud_type=state.cluster.cloud_type
        ),
    ),
    LabelledFamily(
        name="palette_cluster_state",
        help="1 for the cluster's state in Palette.",
        source="status.clusterState; of Palette's dashboard",
        labels=("state",),
        samples=lambda state: _one(state=state.cluster.state) if state.cluster.state else (),
    ),
    Family(
        name="palette_cluster_up",
        help="1 if the cluster's last refresh succeeded, 0 otherwise.",
        value=attrgetter("up"),
    ),
    Family(
        name="palette_cluster_last_success_timestamp_seconds",
        help="Time of the cluster's last successful refresh, in seconds since the epoch.",
        value=attrgetter("last_success"),
    ),
    Family(
        name="palette_cluster_refresh_duration_seconds",
        help="Duration of the cluster's last refresh, including waits for the rate limit.",
        value=attrgetter("refresh_duration"),
    ),
)
