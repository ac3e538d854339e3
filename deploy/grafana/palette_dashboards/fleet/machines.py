"""The virtual machines to act on."""

from palette_dashboards.fleet.selection import (
    CLUSTER_UID,
    OF_SELECTED,
    PLACE,
    RULES_OF_VMS,
    RUNBOOK,
    TO_RUNBOOK,
    VMS,
    WITHOUT,
    YES_NO,
    in_trouble,
    not_loaded,
    with_runbook,
)
from palette_dashboards.panels import (
    COUNT,
    DURATION,
    QUIET_OR_WARN,
    SEVERITY_COLORS,
    About,
    AnyPanel,
    Query,
    stats,
)
from palette_dashboards.promql import VM, in_days
from palette_dashboards.tables import Column, rows

SEVERITIES = {str(each): (str(each), color) for each, color in SEVERITY_COLORS.items()}


def worst() -> list[AnyPanel]:
    """Return the machines that miss their objective, and those without anything to restore."""
    return [_overdue(), _bare()]


def _overdue() -> AnyPanel:
    overdue = f"topk($rows, {VMS.overdue} and {VMS('restorable_snapshots')} > 0)"
    objective = in_days(VMS("snapshot_objective_seconds"))
    queries = (
        in_days(overdue),
        f"{objective} and {overdue}",
        f"{VMS('last_snapshot_failed')} and {overdue}",
    )
    return rows(
        About(
            title="Past objective",
            description="Virtual machines whose recovery point is older than their objective "
            "allows, the longest overdue first. Those without any are in No snapshot.",
            width=13,
            height=9,
            runbook="PaletteVMSnapshotObjectiveMissed",
        ),
        [Query(expr=expr) for expr in queries],
        [
            *PLACE,
            Column(field="Value #A", title="Overdue", unit=DURATION, width=100),
            Column(field="Value #B", title="Objective", unit=DURATION, width=90),
            Column(field="Value #C", title="Last failed", width=90, values=YES_NO),
            CLUSTER_UID,
        ],
        sort="Overdue",
    )


def _bare() -> AnyPanel:
    age = f"(time() - {VMS('created_timestamp_seconds')} or NaN * {VMS('snapshots')})"
    bare = f"topk($rows, {age} and {WITHOUT})"
    return rows(
        About(
            title="No snapshot",
            description="Virtual machines without any restorable snapshot, the oldest machines "
            "first. Exempt ones are left out.",
            width=11,
            height=9,
            runbook="PaletteVMWithoutRestorableSnapshot",
        ),
        [Query(expr=in_days(bare)), Query(expr=f"{VMS('snapshots')} and {bare}")],
        [
            *PLACE,
            Column(field="Value #A", title="VM age", unit=DURATION, width=95),
            Column(field="Value #B", title="Snapshots", unit=COUNT, width=95),
            CLUSTER_UID,
        ],
        sort="VM age",
    )


def troubles(names: tuple[str, ...]) -> list[AnyPanel]:
    """Return the table of machines and their alerts, the latest first; names: of the alerts."""
    since = f'max by ({VM}, alertname, severity) (ALERTS_FOR_STATE{{vm!="", {OF_SELECTED}}})'
    missing = not_loaded(*RULES_OF_VMS)
    latest = f"topk($rows, {since} and on ({VM}, alertname, severity) ALERTS)"
    return [
        stats(
            About(
                title="In trouble",
                description="Number of virtual machines with an alert, pending or firing.",
                width=3,
                height=9,
            ),
            Query(expr=in_trouble()),
            steps=QUIET_OR_WARN,
        ),
        rows(
            About(
                title="Troubles",
                description="Alerts of virtual machines, pending or firing, the latest first, as "
                "many as Rows says. Click on one for its runbook.",
                width=21,
                height=9,
            ),
            [Query(expr=f"{with_runbook(latest, names)} * 1000 or NaN * {missing}")],
            [
                Column(field="Value", title="Since", unit="dateTimeFromNow", width=150),
                Column(field="severity", title="Severity", values=SEVERITIES, width=80),
                Column(field="alertname", title="Alert", link=TO_RUNBOOK, least_width=250),
                *PLACE,
                RUNBOOK,
                CLUSTER_UID,
            ],
            sort="Since",
        ),
    ]
