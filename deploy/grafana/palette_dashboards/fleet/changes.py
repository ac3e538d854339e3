"""The oldest snapshots, and the latest changes."""

from grafana_foundation_sdk.models.common import BigValueTextMode

from palette_dashboards.fleet.selection import (
    CLUSTER_UID,
    KNOWN,
    PLACE,
    SNAPSHOT,
    SNAPSHOTS,
    VMS,
    WATCHED,
)
from palette_dashboards.panels import (
    BAD,
    DURATION,
    GOOD,
    NEUTRAL,
    WARN,
    About,
    AnyPanel,
    Query,
    none_or,
    stats,
)
from palette_dashboards.promql import count, in_days, once, tagged
from palette_dashboards.tables import Column, rows

SINCE_BEGIN = " > time() - $__range_s"
READ = f"and on (cluster_uid) {once('cluster_uid', KNOWN)} == 1"
"""Only of clusters that are read: expired series do not mean that the objects were deleted."""

GONE = (
    f"({SNAPSHOTS('requested_timestamp_seconds', over=' offset $__range')} "
    f"unless {SNAPSHOTS('ready')} {READ})"
)
CHANGES = {
    "requested": NEUTRAL,
    "ready": GOOD,
    "failed": WARN,
    "not ready any more": BAD,
    "deletion requested": "purple",
}


def ages() -> list[AnyPanel]:
    """Return the oldest snapshots."""
    age = SNAPSHOTS("age_seconds")
    return [
        stats(
            About(
                title="Ages",
                description="The age of the oldest snapshot, and the longest time since the "
                "recovery point of a machine, or since its creation if it has none.",
                width=3,
                height=10,
            ),
            Query(expr=in_days(f"max({age})"), legend="oldest"),
            Query(expr=in_days(f"max({VMS.gap})"), legend="without"),
            unit=DURATION,
            show=BigValueTextMode.VALUE_AND_NAME,
        ),
        stats(
            About(
                title="VM deleted",
                description="Snapshots whose virtual machine no longer exists.",
                width=3,
                height=10,
                runbook="PaletteSnapshotOrphaned",
            ),
            Query(expr=count(f"{SNAPSHOTS('orphan')} == 1", of=SNAPSHOTS.every("orphan"))),
            steps=none_or("orphaned"),
        ),
        rows(
            About(
                title="Oldest",
                description="Snapshots by the age of their data. Old ones use storage.",
                width=18,
                height=10,
                runbook="PaletteSnapshotTooOld",
            ),
            [Query(expr=in_days(f"topk($rows, {age})"))],
            [
                *PLACE,
                SNAPSHOT,
                Column(field="Value", title="Age", unit=DURATION, width=100),
                CLUSTER_UID,
            ],
            sort="Age",
        ),
    ]


def changes() -> list[AnyPanel]:
    """Return the tables of changes in the time range."""
    return [_counts(), _latest(), _gone()]


def _events() -> tuple[tuple[str, str], ...]:
    """Return each kind of change, and the snapshots that have it."""

    def since(metric: str) -> str:
        return SNAPSHOTS(metric, having=SINCE_BEGIN)

    turned = SNAPSHOTS.turned("Ready", having=SINCE_BEGIN)
    failure = SNAPSHOTS.turned("Failure", having=SINCE_BEGIN)
    was_ready = f"{SNAPSHOTS.highest('ready', '$__range')} == 1"
    vectors = (
        since("requested_timestamp_seconds"),
        f"({turned} and {SNAPSHOTS('ready')} == 1)",
        f"({failure} and {SNAPSHOTS.in_phase('Failed')})",
        f"({turned} and {was_ready} and {SNAPSHOTS('ready')} == 0)",
        since("deletion_timestamp_seconds"),
    )
    return tuple(zip(CHANGES, vectors, strict=True))


def _counts() -> AnyPanel:
    vms, before = VMS("snapshots"), VMS("snapshots", offset=" offset $__range")
    created = f"{VMS('created_timestamp_seconds')}{SINCE_BEGIN}"
    counted = (
        *((f"snapshots {name}", vector) for name, vector in _events()),
        ("snapshots deleted", GONE),
        ("VMs created", created),
        ("VMs deleted", f"({before} unless {vms} {READ})"),
    )
    return stats(
        About(
            title="In this time",
            description="Changes between the start of the time range and now. A deleted object "
            "existed at the start, and its cluster is read now.",
            width=5,
            height=12,
        ),
        *(Query(expr=count(vector, of=WATCHED), legend=name) for name, vector in counted),
        show=BigValueTextMode.VALUE_AND_NAME,
    )


def _latest() -> AnyPanel:
    changed = " or ".join(tagged(vector, change=name) for name, vector in _events())
    return rows(
        About(
            title="Latest changes",
            description="Changes of snapshots in the time range, the latest first.",
            width=19,
            height=12,
        ),
        [Query(expr=f"topk($rows, {changed}) * 1000")],
        [
            Column(field="Value", title="When", unit="dateTimeFromNow", width=135),
            Column(
                field="change",
                title="Change",
                values={name: (name, color) for name, color in CHANGES.items()},
                width=140,
            ),
            *PLACE,
            SNAPSHOT,
            CLUSTER_UID,
        ],
        sort="When",
    )


def _gone() -> AnyPanel:
    return rows(
        About(
            title="Deleted",
            description="Snapshots that existed at the start of the time range and do not "
            "exist any more, the most recently requested first.",
            width=24,
            height=9,
        ),
        [Query(expr=f"topk($rows, {GONE}) * 1000")],
        [
            *PLACE,
            SNAPSHOT,
            Column(field="Value", title="Requested", unit="dateTimeAsIso", width=170),
            CLUSTER_UID,
        ],
        sort="Requested",
    )
