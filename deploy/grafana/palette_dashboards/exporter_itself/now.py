"""The panels about running exporters and clusters that are read."""

from grafana_foundation_sdk.models.common import BigValueTextMode

from exporter.verdict import STALE_AFTER, UNREAD_FOR
from palette_dashboards.exporter_itself.selection import BUILD_INFO, LAST_READ, OF_JOB, OWN, UP
from palette_dashboards.panels import (
    ALL_OR_BAD,
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
    Texts,
    stats,
)
from palette_dashboards.promql import exporters_up

YES: Texts = {"0": ("no", BAD), "1": ("yes", GOOD)}
OLD: Steps = ((None, GOOD), (UNREAD_FOR, WARN), (STALE_AFTER, BAD))
"""Seconds since a cluster was last read."""


def _tile(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str = COUNT,
    steps: Steps = ((None, NEUTRAL),),
    values: Texts | None = None,
    runbook: str = "",
    absent: str = "not known",
) -> AnyPanel:
    about = About(title=title, description=description, width=3, height=4, runbook=runbook)
    return stats(about, Query(expr=expr), unit=unit, steps=steps, values=values, absent=absent)


def now() -> list[AnyPanel]:
    """Return the numbers at the top."""
    return [*_exporters(), *_clusters()]


def _exporters() -> list[AnyPanel]:
    shards = f"max by (job) (palette_exporter_total_shards{{{OF_JOB}}})"
    ordinals = f"palette_exporter_shard_ordinal{{{OF_JOB}}} < palette_exporter_total_shards"
    running = f'count by (job) (count_values by (job) ("ordinal", {ordinals}))'
    return [
        _tile(
            "Exporters up",
            "Share of the exporters that Prometheus can scrape.",
            exporters_up(BUILD_INFO),
            unit=RATIO,
            steps=ALL_OR_BAD,
            runbook="PaletteExporterDown",
        ),
        _tile(
            "Shards missing",
            "Number of shards that do not run, in all instances of the job. Their clusters are not "
            "watched.",
            f"sum({shards} - {running})",
            steps=NONE_OR_BAD,
            runbook="PaletteExporterShardMissing",
        ),
        _tile(
            "Config good",
            "Whether the last load of the configuration succeeded. After a refusal, the previous "
            "configuration stays active.",
            f"min(palette_exporter_config_last_reload_successful{{{OWN}}})",
            values=YES,
            runbook="PaletteExporterConfigReloadFailed",
        ),
        stats(
            About(
                title="Version",
                description="The versions of the exporters, and of Python.",
                width=3,
                height=4,
            ),
            Query(
                expr=f"count by (version, python_version) ({BUILD_INFO})",
                legend="{{version}} on {{python_version}}",
            ),
            show=BigValueTextMode.NAME,
        ),
    ]


def _clusters() -> list[AnyPanel]:
    return [
        _tile(
            "Clusters read",
            "Share of the clusters whose last refresh succeeded.",
            f"avg({UP})",
            unit=RATIO,
            steps=ALL_OR_BAD,
            runbook="PaletteClusterUnreadable",
        ),
        _tile(
            "Oldest data",
            "The longest time since any cluster was last read. Clusters that were never read "
            "have no such time. Old data is dropped after refresh.stale_after.",
            f"max(time() - {LAST_READ})",
            unit=SECONDS,
            steps=OLD,
            runbook="PaletteClusterStale",
        ),
        _tile(
            "One round",
            "The planned duration of one round over all clusters at the configured request rate. "
            "Above refresh.interval, rounds take longer than the interval.",
            f"max(palette_exporter_round_seconds{{{OWN}}})",
            unit=SECONDS,
            runbook="PaletteExporterRoundTooLong",
        ),
        _tile(
            "Discovery",
            "Whether the last discovery succeeded. Empty if discovery is off.",
            f"min(palette_discovery_up{{{OWN}}})",
            values=YES,
            runbook="PaletteDiscoveryFailing",
            absent="off or unknown",
        ),
    ]
