"""The first screen's tables and curves: alerts, clusters, and the trend."""

from palette_dashboards.fleet.now import LAST_READ
from palette_dashboards.fleet.selection import (
    CLUSTER_UID,
    COMPLIANCE,
    KNOWN,
    PLACE,
    PROTECTED,
    RECORDED,
    RULES,
    RUNBOOK,
    TO_RUNBOOK,
    VMS,
    alerts,
    loaded,
    not_loaded,
    with_runbook,
)
from palette_dashboards.panels import (
    ALL_OR_NOT,
    BAD,
    COUNT,
    DURATION,
    GOOD,
    NEUTRAL,
    NONE_OR_WARN,
    NOTICE,
    OLD,
    QUIET_OR_BAD,
    RATIO,
    WARN,
    About,
    AnyPanel,
    Query,
    lines,
)
from palette_dashboards.promql import CLUSTER, IN_NAMESPACE, NAMESPACE, in_days, once
from palette_dashboards.tables import Column, rows

RANKS = {
    "7": ("not known", "text"),
    "6": ("critical", BAD),
    "5": ("warning", WARN),
    "4": ("info", NEUTRAL),
    "3": ("(critical)", NOTICE),
    "2": ("(warning)", NOTICE),
    "1": ("(info)", "text"),
}
"""The order of alerts: firing before pending, and then by severity."""


def firing(names: tuple[str, ...]) -> AnyPanel:
    """Return the table of alerts; names: all there can be."""
    by = "alertname, severity, alertstate"
    ranked = " or ".join(
        f"{rank} * group by ({by}) ({alerts(f'severity=`{severity}`, alertstate=`{state}`')})"
        for rank, (state, severity) in enumerate(
            (
                (state, severity)
                for state in ("pending", "firing")
                for severity in ("info", "warning", "critical")
            ),
            start=1,
        )
    )
    queries = (
        f"{with_runbook(f'({ranked})', names)} or 7 * {not_loaded(*RULES)}",
        with_runbook(f"count by ({by}) ({alerts()})", names),
    )
    return rows(
        About(
            title="Alerts",
            description="The alerts of deploy/prometheus/rules, the worst first; in parentheses: "
            "pending. Nothing is known of the alerts in a file that is not evaluated. Click on one "
            "for its runbook.",
            width=8,
            height=9,
        ),
        [Query(expr=expr) for expr in queries],
        [
            Column(field="Value #A", title="Severity", values=RANKS, width=88),
            Column(field="alertname", title="Alert", link=TO_RUNBOOK, least_width=150),
            Column(field="Value #B", title="Count", unit=COUNT, width=60, absent="?"),
            Column(field="severity", hidden=True),
            Column(field="alertstate", hidden=True),
            RUNBOOK,
        ],
        sort="Severity",
    )


def shares(labels: str) -> list[Query]:
    """Return how many machines there are, and the shares that are protected and meet their RPO."""

    def by(record: str) -> str:
        series = once(NAMESPACE, f"cluster_namespace:palette_{record}{{{IN_NAMESPACE}}}")
        return f"sum by ({labels}) ({series})"

    protected = f"{by('vms_protected:sum')} / {by('vms:count')}"
    within = f"{by('vms_within_objective:sum')} / {by('vms_with_objective:count')}"
    return [Query(expr=expr) for expr in (by("vms:count"), protected, within)]


SHARES = (
    Column(field="Value #A", title="VMs", unit=COUNT, width=56, absent="?"),
    Column(field="Value #B", title="Protected", unit=RATIO, steps=ALL_OR_NOT, width=90),
    Column(field="Value #C", title="RPO met", unit=RATIO, steps=ALL_OR_NOT, width=84),
)


def clusters() -> AnyPanel:
    """Return how each cluster does, those that are not read first."""
    critical = alerts('severity="critical", alertstate="firing"')
    read = once(CLUSTER, KNOWN)
    none = f"0 * ({read} == 1) and on () {loaded(*RULES)}"
    return rows(
        About(
            title="Clusters",
            description="Critical alerts that are firing, when each cluster was last read, and "
            f"what of it is protected. {RECORDED}",
            width=11,
            height=9,
            runbook="PaletteClusterStale",
        ),
        [
            *shares(CLUSTER),
            Query(expr=f"count by ({CLUSTER}) ({critical}) and {read} or {none}"),
            Query(expr=read),
            Query(expr=in_days(f"time() - {LAST_READ}")),
        ],
        [
            Column(field="cluster_name", title="Cluster", link=PLACE[0].link, least_width=100),
            Column(
                field="Value #E",
                title="Read",
                values={"0": ("no", BAD), "1": ("yes", GOOD)},
                width=64,
                absent="?",
            ),
            Column(field="Value #F", title="Data age", unit=DURATION, steps=OLD, width=90),
            Column(
                field="Value #D",
                title="Critical",
                unit=COUNT,
                steps=QUIET_OR_BAD,
                width=84,
                absent="?",
            ),
            *SHARES,
            CLUSTER_UID,
        ],
        sort="Read",
        descending=False,
        then="Critical",
        empty="not known",
    )


def trend() -> AnyPanel:
    """Return whether the fleet is getting better or worse."""
    return lines(
        About(
            title="Trend",
            description="Share of the virtual machines that are protected, and of those with an "
            f"objective that meet it. {RECORDED}",
            width=5,
            height=9,
        ),
        Query(expr=PROTECTED, legend="protected"),
        Query(expr=COMPLIANCE, legend="RPO met"),
        unit=RATIO,
        most=1,
        figures=("lastNotNull", "min"),
        colors={"protected": NEUTRAL, "RPO met": "purple"},
    )


def namespaces() -> AnyPanel:
    """Return how each namespace does."""
    failed = f"sum by ({NAMESPACE}) ({VMS('last_snapshot_failed')})"
    return rows(
        About(
            title="Namespaces",
            description=f"What of each namespace is protected. {RECORDED}",
            width=24,
            height=12,
        ),
        [*shares(NAMESPACE), Query(expr=failed)],
        [
            *PLACE[:2],
            *SHARES,
            Column(field="Value #D", title="Last failed", unit=COUNT, steps=NONE_OR_WARN, width=90),
            CLUSTER_UID,
        ],
        sort="Protected",
        descending=False,
        empty="not known",
    )
