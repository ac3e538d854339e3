"""THE tables: every family about Palette. A new metric is one entry here.

Identity labels come from the table: a snapshot's, a virtual machine's, a cluster's.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from exporter.metrics.family import (
    AgeFamily,
    AnyFamily,
    Family,
    LabelledFamily,
    MeasuredFamily,
    RecurringFamily,
    Sample,
)
from exporter.metrics.rollup import VirtualMachineRow
from exporter.snapshot import ClusterState, NamedSnapshot, Snapshot

PHASES = ("InProgress", "Succeeded", "Failed", "Deleting", "Unknown")
STATUSES = ("true", "false", "unknown")


def _info(snapshot: Snapshot) -> tuple[Sample]:
    scheduled = "true" if snapshot.scheduled else "false"
    labels = (
        snapshot.uid,
        snapshot.source_uid,
        snapshot.content,
        snapshot.deletion_policy,
        scheduled,
    )
    return (Sample(1, labels),)


def _one_of(names: Sequence[str], name: str, *before: str) -> tuple[Sample, ...]:
    """Return a row for each name, 1 for the one that it is."""
    return tuple(Sample(each == name, (*before, each)) for each in names)


def _phase_rows(phase: str | None) -> tuple[Sample, ...]:
    if phase is None:
        return ()
    return _one_of(PHASES, phase if phase in PHASES else "Unknown")


def _condition_statuses(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    return tuple([(each.type, each.status) for each in snapshot.conditions])


def _condition_rows(conditions: Sequence[tuple[str, str]]) -> tuple[Sample, ...]:
    return tuple(
        sample for name, status in conditions for sample in _one_of(STATUSES, status, name)
    )


def _dated_conditions(snapshot: Snapshot) -> tuple[tuple[str], ...]:
    return tuple([(each.type,) for each in snapshot.conditions if each.last_transition is not None])


def _condition_times(snapshot: Snapshot) -> list[float]:
    return [
        each.last_transition for each in snapshot.conditions if each.last_transition is not None
    ]


def _ones(names: Sequence[str]) -> tuple[Sample, ...]:
    return tuple(Sample(1, (name,)) for name in names)


def _error_time(snapshot: Snapshot) -> float | None:
    return snapshot.error.time if snapshot.error else None


def _included(snapshot: Snapshot) -> int | None:
    names = snapshot.volumes.included if snapshot.volumes else None
    return None if names is None else len(names)


def _excluded(snapshot: Snapshot) -> int | None:
    names = snapshot.volumes.excluded if snapshot.volumes else None
    return None if names is None else len(names)


SNAPSHOT_FAMILIES: tuple[AnyFamily[Snapshot], ...] = (
    LabelledFamily(
        name="palette_vm_snapshot_info",
        help="What a snapshot is: metadata.uid, status.sourceUID, "
        "status.virtualMachineSnapshotContentName, spec.deletionPolicy, and whether the label "
        "vmo-manager.spectrocloud.com/scheduled is true. Always 1.",
        labels=("uid", "source_uid", "content", "deletion_policy", "scheduled"),
        samples=_info,
    ),
    Family(
        name="palette_vm_snapshot_ready",
        help="Whether the snapshot is ready to use, from status.readyToUse (1) or not (0); "
        "missing counts as not.",
        value=attrgetter("ready_to_use"),
    ),
    Family(
        name="palette_vm_snapshot_restorable",
        help="Whether restoring the snapshot would bring back data (1) or not (0): "
        "status.readyToUse, no metadata.deletionTimestamp, status.phase not Failed, and a volume "
        "in status.snapshotVolumes.includedVolumes where status.snapshotVolumes is known.",
        value=attrgetter("restorable"),
    ),
    AgeFamily(
        name="palette_vm_snapshot_age_seconds",
        help="Seconds since the snapshot's data was taken, from status.creationTime; never "
        "below 0.",
        since=attrgetter("creation_time"),
    ),
    Family(
        name="palette_vm_snapshot_creation_timestamp_seconds",
        help="When the snapshot's data was taken, from status.creationTime, in seconds since "
        "the epoch.",
        value=attrgetter("creation_time"),
    ),
    Family(
        name="palette_vm_snapshot_requested_timestamp_seconds",
        help="When the snapshot was asked for, from metadata.creationTimestamp, in seconds "
        "since the epoch.",
        value=attrgetter("requested_at"),
    ),
    Family(
        name="palette_vm_snapshot_deletion_timestamp_seconds",
        help="When the snapshot's deletion was asked for, from metadata.deletionTimestamp, in "
        "seconds since the epoch; absent unless it is being deleted.",
        value=attrgetter("deletion_timestamp"),
    ),
    Family(
        name="palette_vm_snapshot_failure_deadline_seconds",
        help="How long after its request the snapshot may take before KubeVirt gives up on it, "
        "from spec.failureDeadline; 300 where missing, 0 means no deadline.",
        value=attrgetter("failure_deadline"),
    ),
    RecurringFamily(
        name="palette_vm_snapshot_phase",
        help="The snapshot's phase, from status.phase: 1 for the one it is in, 0 for the "
        "others; one that is missing or not known counts as Unknown.",
        labels=("phase",),
        state=attrgetter("phase"),
        samples_of=_phase_rows,
    ),
    RecurringFamily(
        name="palette_vm_snapshot_condition",
        help="The snapshot's conditions, from status.conditions: 1 for the status each is in, "
        "0 for the others.",
        labels=("condition", "status"),
        state=_condition_statuses,
        samples_of=_condition_rows,
    ),
    MeasuredFamily(
        name="palette_vm_snapshot_condition_last_transition_timestamp_seconds",
        help="When the condition last changed, from status.conditions[].lastTransitionTime, in "
        "seconds since the epoch.",
        labels=("condition",),
        labels_of=_dated_conditions,
        values=_condition_times,
    ),
    Family(
        name="palette_vm_snapshot_error",
        help="Whether the snapshot carries an error (1) or not (0), from status.error; it is "
        "the last one, and may be old.",
        value=lambda snapshot: snapshot.error is not None,
    ),
    Family(
        name="palette_vm_snapshot_error_timestamp_seconds",
        help="When the snapshot's last error occurred, from status.error.time, in seconds since "
        "the epoch.",
        value=_error_time,
    ),
    RecurringFamily(
        name="palette_vm_snapshot_indication",
        help="How the snapshot was taken, from status.indications: 1 for each that is reported.",
        labels=("indication",),
        state=attrgetter("indications"),
        samples_of=_ones,
    ),
    Family(
        name="palette_vm_snapshot_included_volumes",
        help="How many volumes the snapshot holds, from "
        "status.snapshotVolumes.includedVolumes; absent while not known.",
        value=_included,
    ),
    Family(
        name="palette_vm_snapshot_excluded_volumes",
        help="How many of the VM's volumes the snapshot leaves out, from "
        "status.snapshotVolumes.excludedVolumes; absent while not known.",
        value=_excluded,
    ),
)


class ListedSnapshot(NamedTuple):
    """A snapshot beside the list of virtual machines; orphan as ``Listing.is_orphan`` tells."""

    snapshot: Snapshot
    orphan: bool | None


ORPHAN_FAMILIES: tuple[AnyFamily[ListedSnapshot], ...] = (
    Family(
        name="palette_vm_snapshot_orphan",
        help="Whether the snapshot's virtual machine, spec.source.name, is gone (1) or in the "
        "list of virtual machines (0); absent where that list is not read.",
        value=attrgetter("orphan"),
    ),
)

VM_FAMILIES: tuple[AnyFamily[VirtualMachineRow], ...] = (
    LabelledFamily(
        name="palette_vm_info",
        help="What a virtual machine is: metadata.uid. Always 1.",
        labels=("uid",),
        samples=lambda row: (Sample(1, (row.vm.uid,)),),
    ),
    RecurringFamily(
        name="palette_vm_status",
        help="The virtual machine's status, from status.printableStatus: 1 for the one it is in.",
        labels=("status",),
        state=attrgetter("vm.status"),
        samples_of=lambda status: _ones((status,)) if status else (),
    ),
    Family(
        name="palette_vm_created_timestamp_seconds",
        help="When the virtual machine was created, from metadata.creationTimestamp, in seconds "
        "since the epoch.",
        value=attrgetter("vm.created_at"),
    ),
    Family(
        name="palette_vm_snapshots",
        help="How many snapshots there are of the virtual machine, by spec.source.name.",
        value=attrgetter("snapshots"),
    ),
    Family(
        name="palette_vm_ready_snapshots",
        help="How many snapshots of the virtual machine are ready to use, by status.readyToUse.",
        value=attrgetter("ready"),
    ),
    Family(
        name="palette_vm_restorable_snapshots",
        help="How many snapshots of the virtual machine would bring back data, as "
        "palette_vm_snapshot_restorable tells.",
        value=attrgetter("restorable"),
    ),
    Family(
        name="palette_vm_failed_snapshots",
        help="How many snapshots of the virtual machine have failed, by status.phase.",
        value=attrgetter("failed"),
    ),
    Family(
        name="palette_vm_last_restorable_snapshot_timestamp_seconds",
        help="When the newest restorable snapshot was taken, from status.creationTime, in "
        "seconds since the epoch; absent without one.",
        value=attrgetter("last_restorable"),
    ),
    Family(
        name="palette_vm_oldest_snapshot_timestamp_seconds",
        help="When the oldest snapshot was taken, from status.creationTime, else asked for, from "
        "metadata.creationTimestamp, in seconds since the epoch; absent without one.",
        value=attrgetter("oldest"),
    ),
    Family(
        name="palette_vm_last_snapshot_failed",
        help="Whether the snapshot that was asked for last, by metadata.creationTimestamp, has "
        "failed (1) or not (0).",
        value=attrgetter("last_failed"),
    ),
    Family(
        name="palette_vm_unsnapshottable_volumes",
        help="How many of the virtual machine's volumes cannot be snapshotted, from "
        "status.volumeSnapshotStatuses[].enabled; 0 where none is reported.",
        value=lambda row: len(row.vm.unsnapshottable_volumes),
    ),
    Family(
        name="palette_vm_snapshot_objective_seconds",
        help="How old the newest restorable snapshot may be, from the first of the configured "
        "objectives that applies to the virtual machine (its metadata.labels among others); "
        "absent where none does.",
        value=attrgetter("objective"),
    ),
)

NAMED_FAMILIES: tuple[AnyFamily[NamedSnapshot], ...] = (
    Family(
        name="palette_vm_snapshot_up",
        help="Whether the last refresh read the snapshot that a target names (1) or not (0): it "
        "is not there (metadata.name), or no good answer came.",
        value=attrgetter("up"),
    ),
)

CLUSTER_FAMILIES: tuple[AnyFamily[ClusterState], ...] = (
    LabelledFamily(
        name="palette_cluster_info",
        help="What a cluster is: metadata.projectUid and spec.cloudType of Palette's dashboard, "
        "or the project that the target gives. Always 1.",
        labels=("project_uid", "cloud_type"),
        samples=lambda state: (Sample(1, (state.cluster.project_uid, state.cluster.cloud_type)),),
    ),
    Family(
        name="palette_cluster_up",
        help="Whether the cluster's last refresh succeeded (1) or not (0).",
        value=attrgetter("up"),
    ),
    Family(
        name="palette_cluster_last_success_timestamp_seconds",
        help="When the cluster was last refreshed with success, in seconds since the epoch.",
        value=attrgetter("last_success"),
    ),
    Family(
        name="palette_cluster_refresh_duration_seconds",
        help="How long the cluster's last refresh took, waiting for the rate limit included.",
        value=attrgetter("refresh_duration"),
    ),
)
