"""The panels about refreshes of clusters."""

from palette_dashboards import frame
from palette_dashboards.exporter_itself.now import YES
from palette_dashboards.exporter_itself.selection import (
    BOTH,
    DURATION_OF_REFRESH,
    LAST_READ,
    OWN,
    UP,
)
from palette_dashboards.panels import (
    BAD,
    COUNT,
    DURATION,
    GOOD,
    NONE_OR_WARN,
    OLD,
    SECONDS,
    About,
    AnyPanel,
    Query,
    lines,
    states,
)
from palette_dashboards.promql import CLUSTER, grown, in_days, once
from palette_dashboards.tables import Column, rows

FAILURES = f"palette_exporter_refresh_failures_total{{{BOTH}}}"
PAIR = "Each exporter of a pair counts its own."
CLUSTER_COLUMN = Column(
    field="cluster_name",
    title="Cluster",
    least_width=120,
    link=(
        "Open in Fleet",
        f"/d/{frame.FLEET}?${{datasource:queryparam}}&${{__url_time_range}}"
        "&var-cluster=${__data.fields.cluster_name:percentencode}",
    ),
)
CLUSTER_UID = Column(field="cluster_uid", hidden=True)


def refreshes() -> list[AnyPanel]:
    """Return the panels about clusters, failures and reasons."""
    return [*_courses(), _clusters(), _failed(), _unreadable(), _discovered()]


def _courses() -> list[AnyPanel]:
    worst = once(CLUSTER, f"avg_over_time(palette_cluster_up{{{BOTH}}}[$__range] @ end())")
    return [
        states(
            About(
                title="Clusters read",
                description="Whether each cluster was read. Clusters that failed most often come "
                "first; Rows sets how many are shown.",
                width=10,
                height=9,
                runbook="PaletteClusterUnreadable",
            ),
            Query(expr=f"{UP} and bottomk($rows, {worst})", legend="{{cluster_name}}"),
            values={"0": ("not read", BAD), "1": ("read", GOOD)},
        ),
        lines(
            About(
                title="Refresh time",
                description="Duration of the last refresh, including waits for the rate limit: of "
                "the slowest cluster, and the median of all.",
                width=7,
                height=9,
            ),
            Query(expr=f"max({DURATION_OF_REFRESH})", legend="slowest"),
            Query(expr=f"quantile(0.5, {DURATION_OF_REFRESH})", legend="median"),
            unit=SECONDS,
        ),
        lines(
            About(
                title="Failures",
                description=f"Refreshes of clusters that failed, by reason. {PAIR}",
                width=7,
                height=9,
                runbook="PaletteClusterUnreadable",
            ),
            Query(
                expr=f"sum by (reason) (increase({FAILURES}[$__interval])) > 0",
                legend="{{reason}}",
            ),
            stacked=True,
            bars_of="5m",
        ),
    ]


def _clusters() -> AnyPanel:
    failures = f"sum by ({CLUSTER}) ({grown(FAILURES)})"
    state = f"max by ({CLUSTER}, state) (palette_cluster_state{{{BOTH}}})"
    return rows(
        About(
            title="Clusters",
            description="All clusters. Those that are not read come first, then those read longest "
            "ago. State is the state in Palette. Failures are counted in the time range. "
            f"{PAIR}",
            width=14,
            height=12,
            runbook="PaletteClusterStale",
        ),
        [
            Query(expr=UP),
            Query(expr=in_days(f"time() - {LAST_READ}")),
            Query(expr=DURATION_OF_REFRESH),
            # No failure is known of only while the cluster is known.
            Query(expr=f"{failures} > 0 or {failures} and {UP} or NaN * {failures}"),
            Query(expr=state),
        ],
        [
            CLUSTER_COLUMN,
            Column(field="Value #A", title="Read", values=YES, width=70, absent="?"),
            Column(field="Value #B", title="Data age", unit=DURATION, steps=OLD, width=90),
            Column(field="Value #C", title="Duration", unit=SECONDS, width=90),
            Column(field="Value #D", title="Failures", unit=COUNT, steps=NONE_OR_WARN, width=95),
            Column(field="state", title="State", width=110),
            Column(field="Value #E", hidden=True),
            CLUSTER_UID,
        ],
        sort="Read",
        descending=False,
        empty="not known",
    )


def _failed() -> AnyPanel:
    return rows(
        About(
            title="Reasons",
            description=f"Failed refreshes in the time range, by cluster and reason. {PAIR}",
            width=10,
            height=12,
        ),
        [Query(expr=f"topk($rows, sum by ({CLUSTER}, reason) ({grown(FAILURES)}) > 0)")],
        [
            CLUSTER_COLUMN,
            Column(field="reason", title="Reason", width=160),
            Column(field="Value", title="Failures", unit=COUNT, width=95),
            CLUSTER_UID,
        ],
        sort="Failures",
    )


def _unreadable() -> AnyPanel:
    errors = grown(f"palette_exporter_decode_errors_total{{{OWN}}}")
    return rows(
        About(
            title="Not decoded",
            description="Values in Palette's answers that could not be read in the time range, by "
            f"the path of the field. Only these values are unknown. {PAIR}",
            width=14,
            height=5,
            runbook="PaletteValuesUnreadable",
        ),
        [Query(expr=f"topk($rows, sum by (field) ({errors}) > 0)")],
        [
            Column(field="field", title="Field", least_width=250),
            Column(field="Value", title="Values", unit=COUNT, width=80),
        ],
        sort="Values",
    )


def _discovered() -> AnyPanel:
    clusters = f"max by (selected) (palette_discovery_clusters{{{OWN}}})"
    return lines(
        About(
            title="Discovered",
            description="Clusters that discovery finds in Palette, by whether the settings select "
            "them. Empty if discovery is off.",
            width=10,
            height=5,
            runbook="PaletteClusterGone",
        ),
        Query(expr=clusters, legend="selected: {{selected}}"),
    )
