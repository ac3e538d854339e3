"""The oldest and the newest snapshots, and what changed."""

from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BigValueTextMode

from palette_dashboards.fleet.selection import (
    CLUSTER_UID,
    PLACE,
    SNAPSHOTS,
    VMS,
)
from palette_dashboards.panels import (
    BAD,
    GOOD,
    NEUTRAL,
    WARN,
    About,
    AnyPanel,
    Column,
    Query,
    rows,
    stats,
)
from palette_dashboards.promql import (
    IN_CLUSTER,
    count,
    once,
    tagged,
)


def ages() -> list[AnyPanel]:
    """Return the rankings of snapshots by age."""
    age = SNAPSHOTS("age_seconds")
    restorable = f"({age} and {SNAPSHOTS.good})"

    def ranking(title: str, description: str, expr: str, runbook: str = "") -> AnyPanel:
        return rows(
            About(title=title, description=description, width=10, runbook=runbook),
            [Query(expr=expr)],
            [
                *PLACE,
                Column(field="snapshot", title="Snapshot"),
                Column(field="Value", title="Age", unit="s"),
                CLUSTER_UID,
            ],
            sort="Age",
            descending=title == "Oldest snapshots",
        )

    return [
        stats(
            About(
                title="Ages",
                description="The oldest snapshot of all, the newest that could be restored, and "
                "the longest time that any machine has gone without a restorable one.",
                width=4,
            ),
            Query(expr=f"max({age})", legend="oldest snapshot"),
            Query(expr=f"min({restorable})", legend="newest restorable"),
            Query(expr=f"max({VMS.gap})", legend="longest without"),
            Query(
                expr=count(f"{SNAPSHOTS('orphan')} == 1"),
                legend="snapshots whose VM is gone",
            ),
            unit="s",
            show=BigValueTextMode.VALUE_AND_NAME,
        ).override_by_name(
            "snapshots whose VM is gone", [model.DynamicConfigValue(id_val="unit", value="short")]
        ),
        ranking(
            "Oldest snapshots",
            "Snapshots by the age of their data; old ones may only cost storage.",
            f"topk($rows, {age})",
            "PaletteSnapshotTooOld",
        ),
        ranking(
            "Newest restorable snapshots",
            "The snapshots that would bring back the most recent data.",
            f"bottomk($rows, {restorable})",
        ),
    ]


def changes() -> list[AnyPanel]:
    """Return what happened in the time shown."""
    since_begin = " > time() - $__range_s"
    read = once("cluster_uid", f"palette_cluster_up{{{IN_CLUSTER}}}")

    def since(metric: str) -> str:
        return SNAPSHOTS(metric, having=since_begin)

    def turned(condition: str) -> str:
        return SNAPSHOTS.turned(condition, having=since_begin)

    new = since("requested_timestamp_seconds")
    ready = f"({turned('Ready')} and {SNAPSHOTS('ready')} == 1)"
    failed = f"({turned('Failure')} and {SNAPSHOTS.in_phase('Failed')})"
    was_ready = f"{SNAPSHOTS.highest('ready', '$__range')} == 1"
    lost = f"({turned('Ready')} and {was_ready} and {SNAPSHOTS('ready')} == 0)"
    deleted = since("deletion_timestamp_seconds")
    here = SNAPSHOTS("ready")
    # Only of clusters that can be read: what was dropped as stale has not gone from Palette.
    gone = (
        f"({SNAPSHOTS('requested_timestamp_seconds', over=' offset $__range')} unless {here} "
        f"and on (cluster_uid) {read} == 1)"
    )
    vms = VMS("snapshots")
    vms_before = VMS("snapshots", offset=" offset $__range")
    events = (
        ("requested", new),
        ("ready", ready),
        ("failed", failed),
        ("not ready any more", lost),
        ("deletion requested", deleted),
    )
    changed = " or ".join(tagged(vector, change=name) for name, vector in events)
    return [
        stats(
            About(
                title="In the time shown",
                description="What happened between the beginning of the time range and now. "
                "What is gone was there at the beginning, and its cluster can be read.",
                width=4,
                height=10,
            ),
            *(Query(expr=count(vector), legend=f"snapshots {name}") for name, vector in events),
            Query(expr=count(gone), legend="snapshots gone"),
            Query(
                expr=count(f"{VMS('created_timestamp_seconds')}{since_begin}"), legend="VMs created"
            ),
            Query(
                expr=count(f"({vms_before} unless {vms} and on (cluster_uid) {read} == 1)"),
                legend="VMs gone",
            ),
            show=BigValueTextMode.VALUE_AND_NAME,
        ),
        rows(
            About(
                title="Latest changes",
                description="What happened to snapshots in the time shown, the latest first.",
                height=10,
            ),
            [Query(expr=f"topk($rows, {changed}) * 1000")],
            [
                Column(field="Value", title="When", unit="dateTimeFromNow"),
                Column(
                    field="change",
                    title="Change",
                    values={
                        "requested": ("requested", NEUTRAL),
                        "ready": ("ready", GOOD),
                        "failed": ("failed", WARN),
                        "not ready any more": ("not ready any more", BAD),
                        "deletion requested": ("deletion requested", "purple"),
                    },
                ),
                *PLACE,
                Column(field="snapshot", title="Snapshot"),
                CLUSTER_UID,
            ],
            sort="When",
        ),
        rows(
            About(
                title="Gone",
                description="Snapshots that were there at the beginning of the time shown and "
                "are no more, the most recently requested first.",
                width=8,
                height=10,
            ),
            [Query(expr=f"topk($rows, {gone}) * 1000")],
            [
                *PLACE,
                Column(field="snapshot", title="Snapshot"),
                Column(field="Value", title="Requested", unit="dateTimeAsIso"),
                CLUSTER_UID,
            ],
            sort="Requested",
        ),
    ]
