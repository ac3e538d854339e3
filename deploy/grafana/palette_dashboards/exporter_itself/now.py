"""The panels about running exporters and clusters that are read."""

from functools import partial

from palette_dashboards.exporter_itself.selection import BUILD_INFO, LAST_READ, OF_JOB, OWN, UP
from palette_dashboards.panels import (
    ALL_OR_BAD,
    BAD,
    DURATION,
    GOOD,
    NONE_OR_BAD,
    OLD,
    RATIO,
    SECONDS,
    About,
    AnyPanel,
    Texts,
    names,
    tile,
)
from palette_dashboards.promql import exporters_up, in_days

YES: Texts = {"0": ("no", BAD), "1": ("yes", GOOD)}
_tile = partial(tile, size=(3, 4))


def now() -> list[AnyPanel]:
    """Return the numbers at the top."""
    return [*_exporters(), *_clusters()]


def _exporters() -> list[AnyPanel]:
    shards = f"max by (job) (palette_exporter_total_shards{{{OF_JOB}}})"
    ordinals = f"palette_exporter_shard_ordinal{{{OF_JOB}}} < palette_exporter_total_shards"
    running = f'count by (job) (count_values by (job) ("ordinal", {ordinals}))'
    versions = f"count by (version, python_version) ({BUILD_INFO})"
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
            "Lost shards",
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
        names(
            About(
                title="Version",
                description="The versions of the exporters, and of Python.",
                width=3,
                height=4,
            ),
            f'label_join({versions}, "versions", " on ", "version", "python_version")',
            "versions",
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
            in_days(f"max(time() - {LAST_READ})"),
            unit=DURATION,
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
