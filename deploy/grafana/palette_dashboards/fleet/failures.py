"""Snapshots in trouble, and alerts."""

from collections.abc import Sequence

from palette_dashboards.fleet.selection import (
    CLUSTER_UID,
    PLACE,
    SNAPSHOTS,
    TO_CLUSTER,
    TO_RUNBOOK,
)
from palette_dashboards.panels import (
    BAD,
    NEUTRAL,
    NOTICE,
    RUNBOOKS,
    WARN,
    About,
    AnyPanel,
    Column,
    Query,
    prose,
    rows,
)
from palette_dashboards.promql import (
    SNAPSHOT,
    STUCK_DELETING_AFTER,
    tagged,
)


def failures() -> list[AnyPanel]:
    """Return what is wrong with snapshots, and the alerts of it."""
    # The exporter's own alerts carry no cluster; where it runs in Kubernetes, its namespace.
    alerts = (
        'ALERTS{alertname=~"Palette.+", cluster_name=~"$cluster", namespace=~"$namespace|"} '
        'or ALERTS{alertname=~"Palette.+", cluster_name=""}'
    )
    firing = f"count by (alertname, severity, alertstate, cluster_name) ({alerts})"
    return [
        rows(
            About(
                title="Snapshots in trouble",
                description="Snapshots that would not bring back what they should, the oldest "
                "first. Click on the problem for its runbook. The times past which something "
                "is a problem are those of the alerts.",
                width=14,
                height=10,
            ),
            [Query(expr=f"topk($rows, {_troubles()})")],
            [
                Column(
                    field="problem",
                    title="Problem",
                    link=TO_RUNBOOK,
                    values={
                        "failed": ("failed", WARN),
                        "data lost": ("data lost", BAD),
                        "no disks": ("no disks", BAD),
                        "incomplete": ("incomplete", WARN),
                        "stuck in progress": ("stuck in progress", WARN),
                        "stuck deleting": ("stuck deleting", WARN),
                        "missing": ("missing", BAD),
                    },
                ),
                *PLACE,
                Column(field="snapshot", title="Snapshot"),
                Column(field="Value", title="Since the request", unit="s"),
                Column(field="runbook", hidden=True),
                CLUSTER_UID,
            ],
            sort="Since the request",
        ),
        rows(
            About(
                title="Alerts",
                description="How many alerts of the rules in deploy/prometheus/rules are pending "
                "or firing.",
                width=10,
                height=10,
            ),
            [Query(expr=firing)],
            [
                Column(field="alertname", title="Alert", link=("Runbooks", RUNBOOKS), width=300),
                Column(
                    field="severity",
                    title="Severity",
                    values={
                        "critical": ("critical", BAD),
                        "warning": ("warning", WARN),
                        "info": ("info", NEUTRAL),
                    },
                ),
                Column(
                    field="alertstate",
                    title="State",
                    values={"firing": ("firing", BAD), "pending": ("pending", NOTICE)},
                ),
                Column(field="cluster_name", title="Cluster", link=TO_CLUSTER),
                Column(field="Value", title="Alerts", width=80),
            ],
            sort="Alerts",
        ),
    ]


def _troubles() -> str:
    """Seconds since the request of each snapshot in trouble; not a number where not known."""
    since = f"(time() - {SNAPSHOTS('requested_timestamp_seconds')} or NaN * {SNAPSHOTS('ready')})"
    going = f"unless {SNAPSHOTS.deleting}"
    ready = f"{SNAPSHOTS('ready')} == 1"
    deleting = f"time() - {SNAPSHOTS.deleting} > {STUCK_DELETING_AFTER}"
    troubles = (
        ("failed", "PaletteSnapshotFailed", f"({SNAPSHOTS.in_phase('Failed')} {going})"),
        ("data lost", "PaletteSnapshotDataLost", SNAPSHOTS.lost),
        (
            "no disks",
            "PaletteSnapshotWithoutDisks",
            f"({SNAPSHOTS('included_volumes')} == 0 and {ready} {going})",
        ),
        (
            "incomplete",
            "PaletteSnapshotIncomplete",
            f"({SNAPSHOTS.indicated('PartialSnapshot')} {going})",
        ),
        ("stuck in progress", "PaletteSnapshotStuckInProgress", SNAPSHOTS.stuck),
        ("stuck deleting", "PaletteSnapshotStuckDeleting", f"({deleting})"),
    )
    found = " or ".join(
        tagged(trouble, problem=name, runbook=alert.lower()) for name, alert, trouble in troubles
    )
    missing = tagged(
        f"NaN * ({SNAPSHOTS('up')} == 0) unless {SNAPSHOTS('ready')}",
        problem="missing",
        runbook="PaletteNamedSnapshotMissing".lower(),
    )
    return f"0 * ({found}) + on ({SNAPSHOT}) group_left () {since} or {missing}"


def runbooks(alerts: Sequence[str]) -> AnyPanel:
    """Return links to the runbook of every alert."""
    listed = "\n".join(f"- [{alert}]({RUNBOOKS}#{alert.lower()})" for alert in alerts)
    return prose(
        About(
            title="Runbooks",
            description="What each alert means and what to do about it.",
            width=24,
            height=12,
        ),
        listed,
    )
