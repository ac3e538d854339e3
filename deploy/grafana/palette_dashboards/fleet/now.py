"""The first screen: the state of the data, alerts, clusters, and the trend."""

from palette_dashboards.fleet.selection import (
    COMPLIANCE,
    KNOWN,
    PROTECTED,
    RECORDED,
    RULES,
    SNAPSHOTS,
    UNREAD,
    VMS,
    WATCHED,
    WITHOUT,
    alerts,
    loaded,
)
from palette_dashboards.panels import (
    ALL_OR_BAD,
    ALL_OR_NOT,
    DURATION,
    NONE_OR_BAD,
    OLD,
    QUIET_OR_BAD,
    RATIO,
    AnyPanel,
    none_or,
    tile,
)
from palette_dashboards.promql import (
    CLUSTER,
    IN_CLUSTER,
    IN_NAMESPACE,
    NAMESPACE,
    count,
    exporters_up,
    in_days,
    once,
    recorded,
)

LAST_READ = once(CLUSTER, f"palette_cluster_last_success_timestamp_seconds{{{IN_CLUSTER}}}")


def believed() -> list[AnyPanel]:
    """Return the panels about critical alerts, and about the age and completeness of the data."""
    critical = alerts('alertstate="firing", severity="critical"')
    vms = once(NAMESPACE, f"cluster_namespace:palette_vms:count{{{IN_NAMESPACE}}}")
    read = f"on (cluster_uid) {KNOWN} == 1"
    return [
        tile(
            "Critical",
            "Critical alerts that are firing. None are known to be only where Prometheus evaluates "
            "all rules of deploy/prometheus and scrapes an exporter.",
            f"count({critical}) or 0 * {loaded(*RULES)} and on () count({KNOWN})",
            QUIET_OR_BAD,
            runbook="Watchdog",
        ),
        tile(
            "Exporters up",
            "Share of the exporters that Prometheus can scrape.",
            exporters_up("palette_exporter_build_info"),
            ALL_OR_BAD,
            RATIO,
            "PaletteExporterDown",
        ),
        tile(
            "Not read",
            "Clusters that are not read now: their last refresh failed, they left the list in the "
            "last day, or the exporter is down. What is shown of them is their last known state, "
            "or nothing.",
            count(UNREAD, of=KNOWN),
            NONE_OR_BAD,
            runbook="PaletteClusterUnreadable",
        ),
        tile(
            "Oldest data",
            "Time since the cluster that has waited longest was last read. Clusters that were "
            "never read have no such time, and count in Not read.",
            in_days(f"max(time() - {LAST_READ})"),
            OLD,
            DURATION,
            "PaletteClusterStale",
        ),
        tile(
            "VMs",
            f"Virtual machines that need protection. {RECORDED}",
            recorded("cluster_namespace:palette_vms:count"),
        ),
        tile(
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
        tile(
            "Protected",
            "Share of the virtual machines with a recovery point, within their objective where "
            f"they have one, and without an unprotected data volume. {RECORDED}",
            PROTECTED,
            ALL_OR_NOT,
            RATIO,
            "PaletteVMWithoutRestorableSnapshot",
        ),
        tile(
            "RPO met",
            "Share of the virtual machines with an objective whose recovery point is as recent "
            f"as it requires. {RECORDED}",
            COMPLIANCE,
            ALL_OR_NOT,
            RATIO,
            "PaletteVMSnapshotObjectiveMissed",
        ),
        tile(
            "RPO missed",
            "Virtual machines past the deadline of their objective, those without any restorable "
            "snapshot included. Nothing where no VM has an objective.",
            count(f"{VMS(deadline)} < time()", of=VMS.every(deadline)),
            none_or("objective_missed"),
            runbook="PaletteVMSnapshotObjectiveMissed",
        ),
        tile(
            "No snapshot",
            "Virtual machines without any restorable snapshot, except exempt ones.",
            count(WITHOUT, of=VMS.every("restorable_snapshots")),
            NONE_OR_BAD,
            runbook="PaletteVMWithoutRestorableSnapshot",
        ),
        tile(
            "Data lost",
            "Snapshots that succeeded more than half an hour ago and are not ready to use: their "
            "volume snapshots might be lost.",
            count(SNAPSHOTS.lost, of=SNAPSHOTS.every("ready")),
            none_or("data_lost"),
            runbook="PaletteSnapshotDataLost",
        ),
        tile(
            "Last failed",
            "Virtual machines whose newest snapshot failed.",
            count(f"{VMS('last_snapshot_failed')} == 1", of=WATCHED),
            none_or("last_failed"),
            runbook="PaletteSnapshotFailed",
        ),
    ]
