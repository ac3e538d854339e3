"""THE tables of the families about the exporter and its probes. A new metric is one entry here."""

from dataclasses import dataclass
from typing import Literal

from exporter.metrics.family import CLUSTER_LABELS


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFamily:
    """One family; name: of its samples, which ends in ``_total`` for a counter."""

    name: str
    help: str
    type: Literal["counter", "gauge", "histogram"] = "gauge"
    labels: tuple[str, ...] = ()

    def text(self, value: float) -> str:
        """Return the text of a gauge without labels, the same in both formats."""
        return f"# HELP {self.name} {self.help}\n# TYPE {self.name} gauge\n{self.name} {+value}\n"


PROBE_FAMILIES = PROBE_SUCCESS, PROBE_DURATION = (
    OwnFamily(
        name="palette_probe_success",
        help="1 if what the probe requests exists and was read in time, 0 otherwise.",
    ),
    OwnFamily(
        name="palette_probe_duration_seconds",
        help="Duration of the probe, including waits for the rate limit.",
    ),
)

SERIES = OwnFamily(name="palette_exporter_series", help="Number of series in this scrape.")

OWN_FAMILIES = (
    OwnFamily(
        name="palette_discovery_up",
        help="1 if the last discovery of clusters succeeded, 0 otherwise. Absent while discovery "
        "is off.",
    ),
    OwnFamily(
        name="palette_discovery_last_success_timestamp_seconds",
        help="Time of the last successful discovery of clusters, in seconds since the epoch. "
        "Absent while discovery is off.",
    ),
    OwnFamily(
        name="palette_discovery_clusters",
        help="Number of clusters in Palette's dashboard at the last successful discovery, by "
        "whether the settings select them. Absent while discovery is off.",
        labels=("selected",),
    ),
    OwnFamily(
        name="palette_exporter_build_info",
        help="Version and revision of the exporter, and the version of Python. Always 1.",
        labels=("version", "revision", "python_version"),
    ),
    OwnFamily(
        name="palette_exporter_config_last_reload_successful",
        help="1 if the last load of the configuration succeeded, 0 otherwise.",
    ),
    OwnFamily(
        name="palette_exporter_config_last_reload_success_timestamp_seconds",
        help="Time of the last successful load of the configuration, in seconds since the epoch.",
    ),
    OwnFamily(
        name="palette_exporter_api_requests_total",
        help="Number of requests to Palette, by the template of the path and the HTTP status. The "
        "code is error if no complete response arrived.",
        type="counter",
        labels=("endpoint", "code"),
    ),
    OwnFamily(
        name="palette_exporter_api_request_duration_seconds",
        help="Duration of requests to Palette, to the last byte of the response.",
        type="histogram",
        labels=("endpoint",),
    ),
    OwnFamily(
        name="palette_exporter_api_throttle_seconds_total",
        help="Seconds that requests to Palette waited for the rate limit.",
        type="counter",
    ),
    OwnFamily(
        name="palette_exporter_refresh_failures_total",
        help="Number of failed refreshes of a cluster, by reason.",
        type="counter",
        labels=(*CLUSTER_LABELS, "reason"),
    ),
    OwnFamily(
        name="palette_exporter_decode_errors_total",
        help="Number of values in Palette's responses that could not be read, by the field's path.",
        type="counter",
        labels=("field",),
    ),
    OwnFamily(
        name="palette_exporter_login_failures_total",
        help="Number of requests to the exporter with a wrong user or password.",
        type="counter",
    ),
    OwnFamily(
        name="palette_exporter_refresh_interval_seconds",
        help="Configured interval between two refreshes of a cluster.",
    ),
    OwnFamily(
        name="palette_exporter_round_seconds",
        help="Planned duration of one round over all clusters at the configured request rate. If "
        "it is above the refresh interval, rounds take longer than the interval.",
    ),
    SERIES,
    OwnFamily(
        name="palette_exporter_shard_ordinal",
        help="Index of this exporter among those that share the clusters, from 0.",
    ),
    OwnFamily(
        name="palette_exporter_total_shards",
        help="Number of exporters that share the clusters.",
    ),
)
