"""The panels about the machine's snapshots: states over time, volumes, conditions."""

from palette_dashboards.machine.selection import IDENTITY_LABELS, SNAPSHOTS
from palette_dashboards.panels import (
    BAD,
    COUNT,
    DURATION,
    GOOD,
    NEUTRAL,
    NOTICE,
    SECONDS,
    WARN,
    About,
    AnyPanel,
    Query,
    Texts,
    states,
)
from palette_dashboards.promql import OF_VM, in_days
from palette_dashboards.tables import Column, rows

TAKEN: Texts = {
    "1": ("quiesced", GOOD),
    "2": ("as after a power cut", WARN),
    "3": ("VM was off", NEUTRAL),
}
STATES: Texts = {
    "1": ("requested", "super-light-blue"),
    "2": ("in progress", NEUTRAL),
    "3": ("taken, not ready yet", NOTICE),
    "4": ("restorable", GOOD),
    "5": ("ready, but without disks", WARN),
    "6": ("data lost", "dark-red"),
    "7": ("failed", BAD),
    "8": ("being deleted", "purple"),
    "9": ("unknown", "text"),
}
SNAPSHOT = Column(field="snapshot", title="Snapshot", least_width=290)
IDENTITY = tuple(Column(field=name, hidden=True) for name in IDENTITY_LABELS.split(", "))


def _state() -> str:
    """The number of the state of each snapshot; the first that applies is taken."""
    ready, lost = SNAPSHOTS("ready"), SNAPSHOTS.lost
    by_number = (
        (8, f"({SNAPSHOTS.deleting} or {SNAPSHOTS.in_phase('Deleting')})"),
        (7, SNAPSHOTS.in_phase("Failed")),
        (4, SNAPSHOTS.good),
        (5, f"({ready} == 1)"),
        (6, lost),
        (3, SNAPSHOTS.in_phase("Succeeded")),
        (2, SNAPSHOTS.in_phase("InProgress")),
        (9, SNAPSHOTS.in_phase("Unknown")),
        (1, ready),
    )
    return " or ".join(f"0 * {vector} + {number}" for number, vector in by_number)


def timeline() -> AnyPanel:
    """Return the state of each snapshot over time."""
    latest = SNAPSHOTS("requested_timestamp_seconds", over=" @ end()")
    return states(
        About(
            title="States",
            description="The state of each snapshot over time. Only restorable snapshots protect: "
            "a snapshot can be Succeeded before its data is usable, and ready without a disk. "
            "The latest are shown; Rows sets how many.",
            width=24,
            height=12,
        ),
        Query(expr=f"({_state()}) and topk($rows, {latest})", legend="{{snapshot}}"),
        values=STATES,
    )


def _taken() -> str:
    """Return how each snapshot was taken: quiesced, of a running machine, of one that was off."""
    failed = SNAPSHOTS.indicated("NoGuestAgent|QuiesceTimeout|QuiesceFailed|Paused")
    online, agent = SNAPSHOTS.indicated("Online"), SNAPSHOTS.indicated("GuestAgent")
    kinds = (f"({agent} unless {failed})", f"({online} or {failed})", SNAPSHOTS.good)
    return " or ".join(f"0 * {kind} + {number}" for number, kind in enumerate(kinds, start=1))


def snapshots() -> AnyPanel:
    """Return the table of snapshots."""
    requested, taken = "requested_timestamp_seconds", "creation_timestamp_seconds"
    labels = f"{IDENTITY_LABELS}, snapshot, scheduled, deletion_policy, content"
    queries = (
        f"max by ({labels}) (palette_vm_snapshot_info{{{OF_VM}}})",
        _state(),
        in_days(SNAPSHOTS("age_seconds")),
        f"{SNAPSHOTS(requested)} * 1000",
        f"{SNAPSHOTS(taken)} - {SNAPSHOTS(requested)}",
        _taken(),
        SNAPSHOTS("included_volumes"),
        SNAPSHOTS("excluded_volumes"),
        SNAPSHOTS("error"),
    )
    return rows(
        About(
            title="Snapshots",
            description="All snapshots of the machine. Error is the last error, which can be old: "
            "the snapshot can be restorable.",
            width=24,
            height=11,
        ),
        [Query(expr=expr) for expr in queries],
        [
            SNAPSHOT,
            Column(field="Value #B", title="State", values=STATES, width=165),
            Column(field="Value #C", title="Age", unit=DURATION, width=85),
            Column(field="Value #D", title="Requested", unit="dateTimeAsIso", width=152),
            Column(field="Value #E", title="Taken after", unit=SECONDS, width=100),
            Column(field="Value #F", title="Taken", values=TAKEN, width=150),
            Column(field="Value #G", title="Held", unit=COUNT, width=60),
            Column(field="Value #H", title="Left out", unit=COUNT, width=70),
            Column(
                field="Value #I",
                title="Error",
                values={"0": ("", "text"), "1": ("yes", NOTICE)},
                width=60,
            ),
            Column(field="scheduled", title="Scheduled", width=90),
            Column(field="deletion_policy", title="On deletion", width=95),
            Column(field="content", hidden=True),
            Column(field="Value #A", hidden=True),
            *IDENTITY,
        ],
        sort="Requested",
    )


def conditions() -> AnyPanel:
    """Return the table of their conditions."""
    by = f"{IDENTITY_LABELS}, snapshot, condition"
    latest = f"topk($rows, {SNAPSHOTS('requested_timestamp_seconds')})"
    conditions = f"max by ({by}, status) (palette_vm_snapshot_condition{{{OF_VM}}} == 1)"
    changed = "palette_vm_snapshot_condition_last_transition_timestamp_seconds"
    turned = f"max by ({by}) ({changed}{{{OF_VM}}})"
    on = "on (cluster_uid, namespace, vm, snapshot, condition)"
    return rows(
        About(
            title="Conditions",
            description="The conditions of the latest snapshots, each with its last change.",
            width=24,
            height=12,
        ),
        [
            Query(
                expr=f"({turned} * {on} group_right () {conditions} or NaN * {conditions}) "
                f"* 1000 and on (cluster_uid, namespace, vm, snapshot) {latest}"
            )
        ],
        [
            SNAPSHOT,
            Column(field="condition", title="Condition", width=160),
            Column(field="status", title="Status", width=100),
            Column(field="Value", title="Since", unit="dateTimeFromNow", width=160),
            *IDENTITY,
        ],
        sort="Snapshot",
    )
