"""Alerts about snapshots: one for each VM and cause, and one for each snapshot that is named."""

from exporter.verdict import CLOCK_SLACK
from palette_rules.cause import NEWEST, NOT_DELETING, VM_TEXT, Cause, looked_up, phase
from palette_rules.options import Options
from palette_rules.promql import SAME_SNAPSHOT, SAME_VM, SNAPSHOT, indented, last
from palette_rules.rule import Group

COMMENT = """\
Alerts about snapshots. A VM has one alert for each cause, not one for each snapshot.
"""

READY = last("palette_vm_snapshot_ready")
CREATED = last("palette_vm_snapshot_creation_timestamp_seconds")
REQUESTED = last("palette_vm_snapshot_requested_timestamp_seconds")
DEADLINE = last("palette_vm_snapshot_failure_deadline_seconds")
READY_CHANGED = last(
    "palette_vm_snapshot_condition_last_transition_timestamp_seconds", "condition=`Ready`"
)
SLACK = f"{CLOCK_SLACK:g}"
ERROR_TIME = last("palette_vm_snapshot_error_timestamp_seconds")
MISSING_VM_ROW = f"unless on ({SAME_VM}) {last('palette_vm_last_snapshot_failed')}"

TAKEN_ONCE = f"({phase('Unknown')} and on ({SAME_SNAPSHOT}) {CREATED})"
"""Up to KubeVirt 1.2, Unknown with data means: was Succeeded, and is not ready any more."""

NOT_READY = f"""\
(
  {READY} == 0
  and on ({SAME_SNAPSHOT}) ({phase("Succeeded")} or {TAKEN_ONCE})
  {NOT_DELETING}
)"""

HAD_BEEN_READY = f"""\
(
  {READY_CHANGED}
    unless on ({SAME_SNAPSHOT}) {READY_CHANGED} <= on ({SAME_SNAPSHOT}) {CREATED} + {SLACK}
    unless on ({SAME_SNAPSHOT}) {READY_CHANGED} <= on ({SAME_SNAPSHOT}) {REQUESTED} + {SLACK}
    and on ({SAME_SNAPSHOT}) ({CREATED} or {REQUESTED})
  or
  {last("palette_vm_snapshot_error")} == 1
    unless on ({SAME_SNAPSHOT}) ({ERROR_TIME} <= {CREATED})
  or
  {TAKEN_ONCE}
)"""
"""The Ready condition changed after the data was taken, or an error is not older than the data."""


def _longer_than(threshold: str) -> str:
    """Return the snapshots whose data was taken, or else requested, longer ago than that.

    One without a readable time counts: what is not known is not safe.
    """
    return f"""\
unless on ({SAME_SNAPSHOT}) ({CREATED} or {REQUESTED}) >= time() - {threshold}"""


def _of_the_vm(condition: str) -> str:
    """Return a condition about snapshots as one about their VM."""
    return f"max without (snapshot, phase, condition) (\n{indented(condition)}\n)"


def _failed() -> tuple[Cause, ...]:
    failed = f"{phase('Failed')}\n{NOT_DELETING}"
    count = looked_up("count(palette_vm_snapshot_phase{%s,phase='Failed'} == 1)", "humanize", "0")
    name, text = "PaletteSnapshotFailed", f"Failed snapshots of {VM_TEXT}: {count}."
    return (
        Cause(
            key="last_failed",
            name=name,
            severity="warning",
            condition=f"{last('palette_vm_last_snapshot_failed')} == 1\nor\n"
            f"{_of_the_vm(failed)}\n{MISSING_VM_ROW}",
            summary="The newest snapshot of a VM failed.",
            description=f"{text} The newest one is among them. It is not retried.",
            metric="palette_vm_snapshot_ready",
        ),
        Cause(
            key="older_failure",
            name=name,
            severity="info",
            condition=f"{_of_the_vm(failed)}\n"
            f"and on ({SAME_VM}) {last('palette_vm_last_snapshot_failed')} == 0",
            summary="An older snapshot of a VM failed.",
            description=f"{text} A newer snapshot did not fail. A failed snapshot stays until it "
            "is deleted.",
            metric="palette_vm_snapshot_ready",
        ),
    )


def _hanging(options: Options) -> Cause:
    margin = options.threshold("hanging_after")
    without_deadline = options.threshold("hanging_without_deadline")
    condition = f"""\
{READY} == 0
unless on ({SAME_SNAPSHOT}) ({phase("Succeeded|Failed|Deleting")} or {TAKEN_ONCE})
unless on ({SAME_SNAPSHOT}) {REQUESTED} >= time() - {margin} - ({DEADLINE} > 0)
unless on ({SAME_SNAPSHOT}) (
  {REQUESTED} >= time() - {without_deadline}
    unless on ({SAME_SNAPSHOT}) {DEADLINE} > 0
)
{NOT_DELETING}"""
    return Cause(
        key="hanging",
        name="PaletteSnapshotStuckInProgress",
        severity="warning",
        condition=_of_the_vm(condition),
        summary="A VM snapshot does not finish.",
        description=f"A snapshot of {VM_TEXT} has neither succeeded nor failed, and its deadline "
        "has passed.",
        metric="palette_vm_snapshot_ready",
    )


def _not_ready(options: Options) -> tuple[Cause, ...]:
    late = f"{NOT_READY}\n{_longer_than(options.threshold('ready_within'))}"
    name, metric = "PaletteSnapshotDataLost", "palette_vm_snapshot_ready"
    return (
        Cause(
            key="data_lost",
            name=name,
            severity="critical",
            condition=_of_the_vm(f"{late}\nand on ({SAME_SNAPSHOT}) {HAD_BEEN_READY}"),
            summary="The data of a VM snapshot is lost.",
            description=f"A snapshot of {VM_TEXT} succeeded and can no longer be restored: its "
            "volume snapshots are missing. Other snapshots on the same storage can be affected.",
            wait="10m",
            metric=metric,
        ),
        Cause(
            key="not_ready_yet",
            name=name,
            severity="warning",
            condition=_of_the_vm(f"{late}\nunless on ({SAME_SNAPSHOT}) {HAD_BEEN_READY}"),
            summary="A VM snapshot succeeded and is not ready to use.",
            description=f"A snapshot of {VM_TEXT} succeeded more than "
            f"{options.threshold('ready_within')} seconds ago and is still not ready to use. "
            "Either the storage needs longer, or the data is lost.",
            metric=metric,
        ),
    )


def _without_disks() -> Cause:
    return Cause(
        key="without_disks",
        name="PaletteSnapshotWithoutDisks",
        severity="warning",
        condition=_of_the_vm(
            f"""\
(
  {READY} == 1 and on ({SAME_SNAPSHOT}) {last("palette_vm_snapshot_included_volumes")} == 0
  or
  {READY} == 1 and on ({SAME_SNAPSHOT}) {last("palette_vm_snapshot_restorable")} == 0
)
unless on ({SAME_SNAPSHOT}) {phase("Failed|Deleting")}
{NOT_DELETING}
{NEWEST}"""
        ),
        summary="The newest snapshot of a VM is ready but holds no data.",
        description=f"The newest snapshot of {VM_TEXT} is ready to use and holds none of the VM's "
        "data volumes. A restore brings back the configuration only.",
        metric="palette_vm_snapshot_ready",
    )


def _deletion(options: Options) -> Cause:
    deleted = last("palette_vm_snapshot_deletion_timestamp_seconds")
    return Cause(
        key="deletion_hangs",
        name="PaletteSnapshotStuckDeleting",
        severity="warning",
        condition=_of_the_vm(f"{deleted} < time() - {options.threshold('deletion_within')}"),
        summary="The deletion of a VM snapshot does not finish.",
        description=f"The deletion of a snapshot of {VM_TEXT} was requested and has not finished. "
        "Its storage is still in use.",
        metric="palette_vm_snapshot_ready",
    )


def _orphaned() -> Cause:
    count = looked_up("count(palette_vm_snapshot_orphan{%s} == 1)", "humanize", "0")
    return Cause(
        key="orphaned",
        name="PaletteSnapshotOrphaned",
        severity="info",
        condition=_of_the_vm(f"{last('palette_vm_snapshot_orphan')} == 1"),
        summary="Snapshots remain of a VM that no longer exists.",
        description=f"{VM_TEXT} is not in the list of VMs. Snapshots that remain: {count}.",
        metric="palette_vm_snapshot_ready",
    )


def _named_missing() -> Cause:
    up = last("palette_vm_snapshot_up")
    return Cause(
        key="named_missing",
        name="PaletteNamedSnapshotMissing",
        severity="warning",
        condition=f"""\
{up} == 0
unless on (cluster_uid, namespace, exported_namespace, vm, snapshot) {READY}""",
        summary="A snapshot that a target names does not exist.",
        description=f"Snapshot {{{{ $labels.snapshot }}}} of {VM_TEXT} is a target of the exporter "
        "and Palette does not have it.",
        metric="palette_vm_snapshot_up",
        labels=SNAPSHOT,
    )


def group(options: Options) -> Group:
    """Return the alerts about snapshots."""
    causes = (
        *_failed(),
        _hanging(options),
        *_not_ready(options),
        _without_disks(),
        _deletion(options),
        _orphaned(),
        _named_missing(),
    )
    return Group(
        name="palette-snapshots",
        comment=COMMENT,
        rules=tuple(cause.alert(options) for cause in causes),
    )
