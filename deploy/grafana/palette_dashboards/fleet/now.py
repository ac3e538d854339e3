"""The first screen: the state of the data, alerts, clusters, and the trend."""

from exporter.verdict import STALE_AFTER, UNREAD_FOR
from palette_dashboards.fleet.selection import (
    COMPLIANCE,
    KNOWN,
    PROTECTED,
    RECORDED,
    SNAPSHOTS,
    UNREAD,
    VMS,
    WATCHED,
    WITHOUT,
    alerts,
)
from palette_dashboards.panels import (
    ALL_OR_BAD,
    ALL_OR_NOT,
    BAD,
    COUNT,
    GOOD,
    NEUTRAL,
    NONE_OR_BAD,
    RATIO,
    SECONDS,
    WARN,
    About,
    AnyPanel,
    Query,
    Steps,
    none_or,
    stats,
)
from palette_dashboards.promql import (
    CLUSTER,
    IN_CLUSTER,
    IN_NAMESPACE,
    NAMESPACE,
    count,
    exporters_up,
    once,
    recorded,
)

OLD: Steps = ((None, GOOD), (UNREAD_FOR, WARN), (STALE_AFTER, BAD))
"""Seconds since a cluster was last read."""

LAST_READ = once(CLUSTER, f"palette_cluster_last_success_timestamp_seconds{{{IN_CLUSTER}}}")


def _tile(
    title: str,
    description: str,
    expr: str,
    steps: Steps = ((None, NEUTRAL),),
    unit: str = COUNT,
    runbook: str = "",
    absent: str = "not known",
) -> AnyPanel:
    about = About(title=title, description=description, width=4, height=3, runbook=runbook)
    return stats(about, Query(expr=expr), steps=steps, unit=unit, absent=absent)


def believed() -> list[AnyPanel]:
    """Return the panels about critical alerts, and about the age and completeness of the data."""
    critical = alerts('alertstate="firing", severity="critical"')
    vms = once(NAMESPACE, f"cluster_namespace:palette_vms:count{{{IN_NAMESPACE}}}")
    read = f"on (cluster_uid) {KNOWN} == 1"
    return [
        _tile(
            "Critical",
            "Critical alerts that are firing. Never a green 0: no alert does not show that the "
            "rules of deploy/prometheus are evaluated.",
            f"count({critical})",
            NONE_OR_BAD,
            absent="none firing",
        ),
        _tile(
            "Exporters up",
            "Share of the exporters that Prometheus can scrape.",
            exporters_up("palette_exporter_build_info"),
            ALL_OR_BAD,
            RATIO,
            "PaletteExporterDown",
        ),
        _tile(
            "Not read",
            "Clusters that are not read now: their last refresh failed, they left the list in the "
            "last day, or the exporter is down. What is shown of them is their last known state, "
            "or nothing.",
            count(UNREAD, of=KNOWN),
            NONE_OR_BAD,
            runbook="PaletteClusterUnreadable",
        ),
        _tile(
            "Oldest data",
            "Time since the cluster that has waited longest was last read. Clusters that were "
            "never read have no such time, and count in Not read.",
            f"max(time() - {LAST_READ})",
            OLD,
            SECONDS,
            "PaletteClusterStale",
        ),
        _tile(
            "VMs",
            f"Virtual machines that need protection. {RECORDED}",
            recorded("cluster_namespace:palette_vms:count"),
        ),
        _tile(
            "VMs not read",
            "Virtual machines of the clusters that are not read: nobody knows how they are. "
            "Not known where no such cluster was ever read.",
            f"sum({vms} unless {read}) or 0 * sum({vms}) unless on () count({UNREAD})",
            NONE_OR_BAD,
        ),
    ]


def verdict() -> list[AnyPanel]:
    """Return how many virtual machines their snapshots would save."""
    deadline = "snapshot_objective_deadline_timestamp_seconds"
    return [
        _tile(
            "Protected",
            "Share of the virtual machines with a recovery point, within their objective where "
            f"they have one, and without an unprotected data volume. {RECORDED}",
            PROTECTED,
            ALL_OR_NOT,
            RATIO,
            "PaletteVMWithoutRestorableSnapshot",
        ),
        _tile(
            "RPO met",
            "Share of the virtual machines with an objective whose recovery point is as recent "
            f"as it requires. {RECORDED}",
            COMPLIANCE,
            ALL_OR_NOT,
            RATIO,
            "PaletteVMSnapshotObjectiveMissed",
        ),
        _tile(
            "RPO missed",
            "Virtual machines past the deadline of their objective, those without any restorable "
            "snapshot included. Nothing where no VM has an objective.",
            count(f"{VMS(deadline)} < time()", of=VMS.every(deadline)),
            none_or("objective_missed"),
            runbook="PaletteVMSnapshotObjectiveMissed",
        ),
        _tile(
            "No snapshot",
            "Virtual machines without any restorable snapshot, except exempt ones.",
            count(WITHOUT, of=VMS.every("restorable_snapshots")),
            NONE_OR_BAD,
            runbook="PaletteVMWithoutRestorableSnapshot",
        ),
        _tile(
            "Data lost",
            "Snapshots that succeeded more than half an hour ago and are not ready to use: their "
            "volume snapshots might be lost.",
            count(SNAPSHOTS.lost, of=SNAPSHOTS.every("ready")),
            none_or("data_lost"),
            runbook="PaletteSnapshotDataLost",
        ),
        _tile(
            "Last failed",
            "Virtual machines whose newest snapshot failed.",
            count(f"{VMS('last_snapshot_failed')} == 1", of=WATCHED),
            none_or("last_failed"),
            runbook="PaletteSnapshotFailed",
        ),
    ]
