"""THE table of problems: what can be wrong, how bad it is, and what to do first; pure.

The status page, the JSON, the report, the alert rules and the dashboards are made from it. A new
problem is one entry in PROBLEMS and, if a VM has it, one function in ``findings.vm``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

# Seconds, unless the name says otherwise.
READY_WITHIN = 30 * MINUTE  # from the time of the data until a snapshot that succeeded is ready
CLOCK_SLACK = MINUTE  # by which a Ready transition or an error must follow the data
PAST_DEADLINE = 5 * MINUTE  # past spec.failureDeadline until an unfinished snapshot hangs
WITHOUT_DEADLINE = HOUR  # from the request until a snapshot without a deadline hangs
DELETED_WITHIN = 30 * MINUTE  # from the deletion timestamp until a snapshot is gone
NEW_VM = DAY  # from its creation, a VM without an objective needs no snapshot
MOST_SNAPSHOTS = 31  # of one VM, if no objective sets max_snapshots
OLDEST_SNAPSHOT = 30 * DAY  # if no objective sets max_snapshot_age
MISSED_INTERVALS = 3  # of scheduled snapshots that can pass without a new one
SCHEDULE_STOPPED = 2 * DAY  # without a scheduled snapshot, however short the interval is
UNREAD_FOR = 5 * MINUTE  # for which refreshes of a cluster can fail
STALE_AFTER = HOUR  # since the last success, until nothing of a cluster is believed
NOTHING_READ_FOR = 15 * MINUTE  # for which an exporter can know no cluster, or have read none


class Severity(StrEnum):
    """How bad a problem is."""

    CRITICAL = "critical"
    """Somebody is woken."""
    WARNING = "warning"
    """Somebody looks during working hours."""
    INFO = "info"
    """For a digest or a dashboard."""


class Verdict(StrEnum):
    """Whether the snapshots of a VM would save it."""

    PROTECTED = "protected"
    NOT_PROTECTED = "not_protected"
    UNKNOWN = "unknown"
    """Something that decides is not known; it counts as not protected."""
    EXEMPT = "exempt"
    """An objective exempts the VM, or the VM is being deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that can be wrong.

    severity_with_objective: where an objective promises recovery of the VM; None: the same.
    threshold: in ``unit``; None if the problem has none.
    meaning: what it means for the person; look_at: what to look at first.
    alert: the name of its alert, whose runbook it is.
    """

    name: str
    scope: Literal["vm", "cluster", "exporter"] = "vm"
    severity: Severity = Severity.WARNING
    severity_with_objective: Severity | None = None
    threshold: float | None = None
    unit: Literal["seconds", "snapshots"] = "seconds"
    title: str
    meaning: str
    look_at: str
    alert: str

    def severity_for(self, *, objective: bool) -> Severity:
        """Return the severity with or without an objective that promises recovery."""
        return (self.severity_with_objective or self.severity) if objective else self.severity

    @property
    def runbook(self) -> str:
        """The anchor of its section in docs/runbooks.md."""
        return self.alert.lower()


_TABLE = (
    Problem(
        name="nothing_read",
        scope="exporter",
        severity=Severity.CRITICAL,
        threshold=NOTHING_READ_FOR,
        title="Nothing is read",
        meaning="The exporter has not read a single cluster: no snapshot is watched.",
        look_at="The API key, the URL of Palette, and the error of discovery.",
        alert="PaletteNothingWatched",
    ),
    Problem(
        name="cluster_stale",
        scope="cluster",
        severity=Severity.CRITICAL,
        threshold=STALE_AFTER,
        title="Cluster is stale",
        meaning="The cluster was not read for an hour. New problems in it go unnoticed.",
        look_at="The cluster's last error, and the cluster's state in Palette.",
        alert="PaletteClusterStale",
    ),
    Problem(
        name="data_lost",
        severity=Severity.CRITICAL,
        threshold=READY_WITHIN,
        title="Data lost",
        meaning="A snapshot that succeeded can no longer be restored: its data is lost. Other "
        "snapshots on the same storage might be lost too.",
        look_at="The error of the snapshot, and its VolumeSnapshots in the cluster.",
        alert="PaletteSnapshotDataLost",
    ),
    Problem(
        name="objective_missed",
        severity=Severity.CRITICAL,
        title="Objective missed",
        meaning="The newest restorable snapshot is older than the objective allows, or none "
        "exists. Data written since then cannot be recovered.",
        look_at="Why the last snapshots failed, or why none was requested.",
        alert="PaletteVMSnapshotObjectiveMissed",
    ),
    Problem(
        name="unprotected_volumes",
        severity_with_objective=Severity.CRITICAL,
        title="Unprotected volumes",
        meaning="Data volumes of the VM are not in its newest restorable snapshot. A restore "
        "does not bring back their data.",
        look_at="The StorageClass of the volume and its VolumeSnapshotClass; for a volume that "
        "was attached later, the next snapshot.",
        alert="PaletteSnapshotIncomplete",
    ),
    Problem(
        name="no_restorable",
        threshold=NEW_VM,
        title="No restorable snapshot",
        meaning="The VM has no snapshot that can be restored.",
        look_at="The VM's snapshots and their errors; if there are none, its schedule.",
        alert="PaletteVMWithoutRestorableSnapshot",
    ),
    Problem(
        name="last_failed",
        title="Last snapshot failed",
        meaning="The newest snapshot failed. KubeVirt does not retry it.",
        look_at="The error of the snapshot.",
        alert="PaletteSnapshotFailed",
    ),
    Problem(
        name="schedule_stopped",
        threshold=SCHEDULE_STOPPED,
        title="Schedule stopped",
        meaning="The VM had scheduled snapshots and gets no new ones.",
        look_at="The snapshot schedule of the VM in Palette.",
        alert="PaletteVMScheduleStopped",
    ),
    Problem(
        name="too_few",
        title="Too few snapshots",
        meaning="The VM has fewer restorable snapshots than its objective requires.",
        look_at="The schedule and the retention of the VM's snapshots.",
        alert="PaletteVMTooFewSnapshots",
    ),
    Problem(
        name="not_quiesced",
        title="Not quiesced",
        meaning="The newest restorable snapshot was taken without frozen file systems, and the "
        "objective requires them. A restored VM starts as after a power cut.",
        look_at="The guest agent in the VM.",
        alert="PaletteVMNotQuiesced",
    ),
    Problem(
        name="without_disks",
        title="Without disks",
        meaning="The newest ready snapshot holds no data volume. A restore brings back the VM's "
        "configuration and no data.",
        look_at="The VolumeSnapshotClass of the VM's StorageClass.",
        alert="PaletteSnapshotWithoutDisks",
    ),
    Problem(
        name="state_left_out",
        title="TPM state left out",
        meaning="The newest restorable snapshot does not hold the TPM or EFI state of the VM. "
        "A restored VM starts with an empty state: encrypted disks can stay locked.",
        look_at="The StorageClass of the VM's persistent state.",
        alert="PaletteSnapshotIncomplete",
    ),
    Problem(
        name="hanging",
        threshold=WITHOUT_DEADLINE,
        title="Snapshot hangs",
        meaning="A snapshot is neither complete nor failed after its deadline.",
        look_at="The conditions of the snapshot, and its VolumeSnapshots in the cluster.",
        alert="PaletteSnapshotStuckInProgress",
    ),
    Problem(
        name="not_ready_yet",
        threshold=READY_WITHIN,
        title="Not ready yet",
        meaning="A snapshot succeeded and is still not ready. The storage might be uploading it.",
        look_at="The VolumeSnapshots of the snapshot in the cluster.",
        alert="PaletteSnapshotDataLost",
    ),
    Problem(
        name="named_missing",
        title="Snapshot missing",
        meaning="The configuration names a snapshot that does not exist.",
        look_at="The name in the targets; otherwise, who deleted the snapshot.",
        alert="PaletteNamedSnapshotMissing",
    ),
    Problem(
        name="cluster_unread",
        scope="cluster",
        threshold=UNREAD_FOR,
        title="Cluster not read",
        meaning="The cluster cannot be read. What is shown of it is its last known state.",
        look_at="The cluster's last error.",
        alert="PaletteClusterUnreadable",
    ),
    Problem(
        name="deletion_hangs",
        threshold=DELETED_WITHIN,
        title="Deletion hangs",
        meaning="The deletion of a snapshot does not complete. Its storage is still in use.",
        look_at="The finalizers of the snapshot and of its VolumeSnapshots.",
        alert="PaletteSnapshotStuckDeleting",
    ),
    Problem(
        name="volumes_unknown",
        severity=Severity.INFO,
        title="Volumes unknown",
        meaning="Palette does not say which volumes the VM has, so it is not known whether its "
        "snapshots hold all of them.",
        look_at="The VM's spec, and the exporter's log for values that it could not read.",
        alert="PaletteVMVolumesUnknown",
    ),
    Problem(
        name="crash_consistent",
        severity=Severity.INFO,
        title="Crash-consistent",
        meaning="All restorable snapshots were taken of the running VM without frozen file "
        "systems. A restored VM starts as after a power cut.",
        look_at="The guest agent in the VM.",
        alert="PaletteVMOnlyCrashConsistent",
    ),
    Problem(
        name="predecessor",
        severity=Severity.INFO,
        title="Older than its VM",
        meaning="The newest restorable snapshot is older than the VM: it can hold the data of "
        "an earlier VM of the same name.",
        look_at="Whether the VM was created again, or restored from a backup.",
        alert="PaletteVMOnlyPredecessorSnapshots",
    ),
    Problem(
        name="piling_up",
        severity=Severity.INFO,
        threshold=MOST_SNAPSHOTS,
        unit="snapshots",
        title="Many snapshots",
        meaning="The VM has very many snapshots. They cost storage, and the storage can refuse "
        "the next one.",
        look_at="The retention of the VM's snapshots.",
        alert="PaletteVMSnapshotsPilingUp",
    ),
    Problem(
        name="too_old",
        severity=Severity.INFO,
        threshold=OLDEST_SNAPSHOT,
        title="Old snapshots",
        meaning="Snapshots are older than they need to be. They cost storage.",
        look_at="Whether somebody still needs them.",
        alert="PaletteSnapshotTooOld",
    ),
    Problem(
        name="orphaned",
        severity=Severity.INFO,
        title="VM deleted",
        meaning="The VM of these snapshots no longer exists. A snapshot with TPM or EFI state "
        "cannot be restored without its VM.",
        look_at="Whether somebody still needs them.",
        alert="PaletteSnapshotOrphaned",
    ),
    Problem(
        name="older_failure",
        severity=Severity.INFO,
        title="Older failure",
        meaning="An older snapshot failed, and a newer one did not. The failed one stays until "
        "somebody deletes it.",
        look_at="The error of the snapshot, and then delete it.",
        alert="PaletteSnapshotFailed",
    ),
)

PROBLEMS: dict[str, Problem] = {problem.name: problem for problem in _TABLE}
"""By name, the worst first: the order in which VMs and problems are ranked."""

RANKS = {name: rank for rank, name in enumerate(PROBLEMS)}
