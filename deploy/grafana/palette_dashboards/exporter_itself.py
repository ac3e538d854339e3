"""The dashboard of the exporter itself: does it read the clusters, and what does that take."""

from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BigValueTextMode

from palette_dashboards import frame
from palette_dashboards.panels import (
    BAD,
    GOOD,
    NEUTRAL,
    WARN,
    About,
    AnyPanel,
    Column,
    Query,
    lines,
    rows,
    stats,
)
from palette_dashboards.promql import CLUSTER, IN_CLUSTER, once

OWN = 'job=~"$job", instance=~"$instance"'
BOTH = f"{IN_CLUSTER}, {OWN}"

PALETTE_LIMIT = 50
"""Requests per second that Palette allows a source address below /v1/spectroclusters."""
CLUSTER_CALLS = 'endpoint=~"/v1/spectroclusters.*"'

UNREAD = ((None, GOOD), (300, WARN), (3600, BAD))
"""Seconds: by default old data is dropped after the first, and PaletteClusterStale fires at the
last."""

ALL_OR_NOT = ((None, WARN), (1, GOOD))
NONE_OR_WARN = ((None, GOOD), (1, WARN))
UP = {"0": ("no", BAD), "1": ("yes", GOOD)}


def build() -> model.Dashboard:
    """Return the dashboard."""
    return frame.build(
        uid=frame.EXPORTER,
        title="Palette snapshots / Exporter",
        description="Whether the exporter reads the clusters, and what it asks of Palette.",
        variables=[
            frame.choice(
                "job",
                "Job",
                "label_values(palette_exporter_build_info, job)",
                "Prometheus's job that scrapes the exporter.",
            ),
            frame.choice(
                "instance",
                "Instance",
                'label_values(palette_exporter_build_info{job=~"$job"}, instance)',
                "One of several exporters: a shard, or one of a pair.",
            ),
            frame.cluster(),
            frame.most(),
        ],
        since="now-3h",
        sections=[
            frame.Section(title="Now", panels=_now()),
            frame.Section(title="Refreshes", panels=_refreshes()),
            frame.Section(title="Requests to Palette", panels=_requests()),
            frame.Section(title="The process", panels=_process()),
        ],
    )


def _rate(metric: str, where: str = OWN) -> str:
    return f"rate({metric}{{{where}}}[$__rate_interval])"


def _now() -> list[AnyPanel]:
    shards = f"max(palette_exporter_total_shards{{{OWN}}})"
    running = (
        'count(count_values("ordinal", palette_exporter_shard_ordinal'
        f"{{{OWN}}} < palette_exporter_total_shards{{{OWN}}}))"
    )
    clusters = once(CLUSTER, f"palette_cluster_up{{{BOTH}}}")
    return [
        stats(
            About(
                title="Exporters up",
                description="Share of the exporters that Prometheus can scrape.",
                width=3,
                height=4,
                runbook="PaletteExporterDown",
            ),
            Query(expr=f"avg(up{{{OWN}}})"),
            unit="percentunit",
            steps=ALL_OR_NOT,
        ),
        stats(
            About(
                title="Shards missing",
                description="How many of the exporters that share the clusters are not there; "
                "their clusters are not watched.",
                width=3,
                height=4,
                runbook="PaletteExporterShardMissing",
            ),
            Query(expr=f"{shards} - {running}"),
            steps=((None, GOOD), (1, BAD)),
        ),
        stats(
            About(
                title="Clusters read",
                description="Share of the clusters whose last refresh succeeded.",
                width=3,
                height=4,
                runbook="PaletteClusterUnreadable",
            ),
            Query(expr=f"avg({clusters})"),
            unit="percentunit",
            steps=ALL_OR_NOT,
        ),
        stats(
            About(
                title="Longest unread",
                description="The longest time since any cluster was last refreshed with success. "
                "Old data is dropped after refresh.stale_after.",
                width=3,
                height=4,
                runbook="PaletteClusterStale",
            ),
            Query(expr=f"max(time() - {_last_success()})"),
            unit="s",
            steps=UNREAD,
        ),
        stats(
            About(
                title="One round",
                description="How long one round over all clusters takes at the configured request "
                "rate, by plan. Above refresh.interval the rounds are stretched.",
                width=3,
                height=4,
            ),
            Query(expr=f"max(palette_exporter_round_seconds{{{OWN}}})"),
            unit="s",
        ),
        stats(
            About(
                title="Discovery",
                description="Whether the last discovery succeeded; nothing where discovery is off.",
                width=3,
                height=4,
                runbook="PaletteClusterUnreadable",
            ),
            Query(expr=f"min(palette_discovery_up{{{OWN}}})"),
            values=UP,
        ),
        stats(
            About(
                title="Configuration good",
                description="Whether the configuration was accepted when it was last read. After "
                "a refusal the old one stays active.",
                width=3,
                height=4,
                runbook="PaletteExporterConfigReloadFailed",
            ),
            Query(expr=f"min(palette_exporter_config_last_reload_successful{{{OWN}}})"),
            values=UP,
        ),
        stats(
            About(
                title="Version",
                description="Which versions run, and on which Python.",
                width=3,
                height=4,
            ),
            Query(
                expr=f"count by (version, python_version) (palette_exporter_build_info{{{OWN}}})",
                legend="{{version}}, Python {{python_version}}",
            ),
            show=BigValueTextMode.NAME,
        ),
    ]


def _last_success() -> str:
    return once(CLUSTER, f"palette_cluster_last_success_timestamp_seconds{{{BOTH}}}")


def _refreshes() -> list[AnyPanel]:
    up = once(CLUSTER, f"palette_cluster_up{{{BOTH}}}")
    duration = once(CLUSTER, f"palette_cluster_refresh_duration_seconds{{{BOTH}}}")
    failures = f"increase(palette_exporter_refresh_failures_total{{{BOTH}}}[$__range])"
    return [
        lines(
            About(
                title="Time since the last good refresh",
                description="Of the clusters that have waited longest, as many as Rows says.",
                width=8,
                runbook="PaletteClusterStale",
            ),
            Query(expr=f"topk($rows, time() - {_last_success()})", legend="{{cluster_name}}"),
            unit="s",
            bounds=(0, None),
        ),
        lines(
            About(
                title="Duration of refreshes",
                description="How long the last refresh took, waiting for the rate limit included, "
                "of the slowest clusters, as many as Rows says.",
                width=8,
            ),
            Query(expr=f"topk($rows, {duration})", legend="{{cluster_name}}"),
            unit="s",
            bounds=(0, None),
        ),
        lines(
            About(
                title="Failed refreshes",
                description="Refreshes of clusters that failed, per second, by reason.",
                width=8,
                runbook="PaletteClusterUnreadable",
            ),
            Query(
                expr=f"sum by (reason) ({_rate('palette_exporter_refresh_failures_total', BOTH)})",
                legend="{{reason}}",
            ),
            unit="ops",
            stacked=True,
            bounds=(0, None),
        ),
        rows(
            About(
                title="Clusters",
                description="The clusters, those first that were read longest ago.",
            ),
            [
                Query(expr=f"time() - {_last_success()}"),
                Query(expr=up),
                Query(expr=duration),
                Query(expr=f"sum by ({CLUSTER}) (round({failures}))"),
            ],
            [
                Column(field="cluster_name", title="Cluster"),
                Column(field="cluster_uid", title="UID"),
                Column(field="Value #A", title="Since last read", unit="s"),
                Column(field="Value #B", title="Read", values=UP),
                Column(field="Value #C", title="Duration", unit="s"),
                Column(field="Value #D", title="Failures", steps=NONE_OR_WARN),
            ],
            sort="Since last read",
        ),
        rows(
            About(
                title="Failed refreshes by cluster",
                description="What failed in the time shown, and why.",
            ),
            [
                Query(
                    expr=f"topk($rows, sum by ({CLUSTER}, reason) (round({failures})) > 0)",
                )
            ],
            [
                Column(field="cluster_name", title="Cluster"),
                Column(field="cluster_uid", title="UID"),
                Column(field="reason", title="Reason"),
                Column(field="Value", title="Failures"),
            ],
            sort="Failures",
        ),
    ]


def _requests() -> list[AnyPanel]:
    requests = "palette_exporter_api_requests_total"
    bucket = "palette_exporter_api_request_duration_seconds_bucket"
    slow = f"sum by (le, endpoint) ({_rate(bucket)})"
    return [
        lines(
            About(
                title="API budget",
                description="Requests per second of all exporters selected, below the 50 that "
                "Palette allows one source address (the dashed line). Other clients behind the "
                "same address share it.",
                width=8,
                runbook="PaletteExporterRateLimited",
            ),
            Query(
                expr=f"sum({_rate(requests, f'{OWN}, {CLUSTER_CALLS}')})",
                legend="/v1/spectroclusters",
            ),
            Query(
                expr=f"sum by (instance) ({_rate(requests)})",
                legend="{{instance}}, all",
            ),
            unit="reqps",
            bounds=(0, None),
            limit=PALETTE_LIMIT,
        ),
        lines(
            About(
                title="Answers",
                description="Requests per second by HTTP status; error where no whole answer came.",
                width=8,
            ),
            Query(expr=f"sum by (code) ({_rate(requests)})", legend="{{code}}"),
            unit="reqps",
            stacked=True,
            bounds=(0, None),
            colors={"200": GOOD, "429": WARN, "error": BAD},
        ),
        lines(
            About(
                title="Refused for the rate limit",
                description="Share of the requests that Palette answers with 429. Above 5% for a "
                "quarter of an hour there is an alert.",
                width=8,
                runbook="PaletteExporterRateLimited",
            ),
            Query(
                expr=f"""(sum by (instance) ({_rate(requests, f'{OWN}, code="429"')}) """
                f"or 0 * sum by (instance) ({_rate(requests)})) "
                f"/ sum by (instance) ({_rate(requests)})",
                legend="{{instance}}",
            ),
            unit="percentunit",
            bounds=(0, None),
            limit=0.05,
        ),
        lines(
            About(
                title="Waiting for the rate limit",
                description="Seconds that requests wait in each second, together: the exporter "
                "holding itself back. Several waiting at once give more than one.",
                width=8,
            ),
            Query(
                expr=f"sum by (instance) ({_rate('palette_exporter_api_throttle_seconds_total')})",
                legend="{{instance}}",
            ),
            unit="s",
            bounds=(0, None),
        ),
        lines(
            About(
                title="Duration of requests",
                description="The median and the 99th percentile, by endpoint.",
                width=8,
            ),
            Query(expr=f"histogram_quantile(0.5, {slow})", legend="p50 {{endpoint}}"),
            Query(expr=f"histogram_quantile(0.99, {slow})", legend="p99 {{endpoint}}"),
            unit="s",
            bounds=(0, None),
        ),
        lines(
            About(
                title="Requests by endpoint",
                description="Requests per second, by the path's template.",
                width=8,
            ),
            Query(expr=f"sum by (endpoint) ({_rate(requests)})", legend="{{endpoint}}"),
            unit="reqps",
            stacked=True,
            bounds=(0, None),
        ),
        rows(
            About(
                title="Unreadable values",
                description="Values in Palette's answers that could not be read, in the time "
                "shown, by the path of the field. Each costs only itself.",
                width=24,
                height=7,
            ),
            [
                Query(
                    expr="topk($rows, sum by (field) (round(increase("
                    f"palette_exporter_decode_errors_total{{{OWN}}}[$__range]))) > 0)"
                )
            ],
            [
                Column(field="field", title="Field"),
                Column(field="Value", title="Values"),
            ],
            sort="Values",
        ),
    ]


def _process() -> list[AnyPanel]:
    def course(title: str, description: str, expr: str, unit: str) -> AnyPanel:
        return lines(
            About(title=title, description=description, width=6),
            Query(expr=expr, legend="{{instance}}"),
            unit=unit,
            bounds=(0, None),
        )

    def by_instance(metric: str) -> str:
        return f"max by (instance) ({metric}{{{OWN}}})"

    return [
        course(
            "CPU",
            "Processor cores used; the exporter can use one at most.",
            f"max by (instance) ({_rate('process_cpu_seconds_total')})",
            "short",
        ),
        course(
            "Memory",
            "Resident memory.",
            by_instance("process_resident_memory_bytes"),
            "bytes",
        ),
        course(
            "Open files",
            "Share of the file descriptors that the process may open.",
            f"{by_instance('process_open_fds')} / {by_instance('process_max_fds')}",
            "percentunit",
        ),
        course(
            "Running for",
            "Time since the process was started.",
            f"time() - {by_instance('process_start_time_seconds')}",
            "s",
        ),
        lines(
            About(
                title="Duration of scrapes",
                description="How long Prometheus took to read the metrics.",
            ),
            Query(
                expr=by_instance("scrape_duration_seconds"),
                legend="{{instance}}",
            ),
            unit="s",
            bounds=(0, None),
        ),
        lines(
            About(
                title="Samples",
                description="How many samples each scrape brings.",
            ),
            Query(
                expr=by_instance("scrape_samples_scraped"),
                legend="{{instance}}",
            ),
            unit="short",
            bounds=(0, None),
            colors={"samples": NEUTRAL},
        ),
    ]
