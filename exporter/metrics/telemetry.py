"""The exporter's own metrics, kept by prometheus-client in a registry of their own."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.registry import Collector

from exporter.snapshot import Cluster

# Requests to Palette take from milliseconds to its time-outs; a page of 50 some hundred.
REQUEST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
END_OF_FILE = b"# EOF\n"
"""What ends a text in the OpenMetrics format."""

_text_format: Callable[[Collector], bytes] = generate_latest
_openmetrics_format: Callable[[Collector], bytes] = openmetrics_exposition.generate_latest
_without_created_series: Callable[[], None] = disable_created_metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFamily:
    """A family about the exporter; ``name`` is that of its samples, a counter's ``_total`` too."""

    name: str
    help: str
    kind: type[Counter] | type[Gauge] | type[Histogram]
    labels: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The type as the text formats name it."""
        return self.kind.__name__.lower()

    def text(self, value: float) -> str:
        """Return the text of a gauge without labels, the same in both formats."""
        return f"# HELP {self.name} {self.help}\n# TYPE {self.name} gauge\n{self.name} {value}\n"


_CLUSTER = ("cluster_uid", "cluster_name")

BUILD_INFO = OwnFamily(
    name="palette_exporter_build_info",
    help="Which exporter this is. Always 1.",
    kind=Gauge,
    labels=("version", "revision", "python_version"),
)
RELOAD_SUCCESSFUL = OwnFamily(
    name="palette_exporter_config_last_reload_successful",
    help="Whether the configuration was read without a fault the last time (1) or not (0).",
    kind=Gauge,
)
RELOAD_SUCCESS_TIME = OwnFamily(
    name="palette_exporter_config_last_reload_success_timestamp_seconds",
    help="When the configuration was last read without a fault, in seconds since the epoch.",
    kind=Gauge,
)
API_REQUESTS = OwnFamily(
    name="palette_exporter_api_requests_total",
    help="Requests sent to Palette, by the path's template and the HTTP status; the code is "
    "error where no whole answer came.",
    kind=Counter,
    labels=("endpoint", "code"),
)
API_SECONDS = OwnFamily(
    name="palette_exporter_api_request_duration_seconds",
    help="How long requests to Palette took, until the last byte of the answer.",
    kind=Histogram,
    labels=("endpoint",),
)
API_THROTTLE = OwnFamily(
    name="palette_exporter_api_throttle_seconds_total",
    help="Seconds that requests to Palette have waited for the rate limit.",
    kind=Counter,
)
REFRESH_FAILURES = OwnFamily(
    name="palette_exporter_refresh_failures_total",
    help="Refreshes of a cluster that failed, by reason.",
    kind=Counter,
    labels=(*_CLUSTER, "reason"),
)
DECODE_ERRORS = OwnFamily(
    name="palette_exporter_decode_errors_total",
    help="Values in Palette's answers that could not be read, by the path of the field.",
    kind=Counter,
    labels=("field",),
)
DISCOVERY_UP = OwnFamily(
    name="palette_discovery_up",
    help="Whether the last look for clusters succeeded (1) or not (0); only where discovery is on.",
    kind=Gauge,
)
DISCOVERY_SUCCESS_TIME = OwnFamily(
    name="palette_discovery_last_success_timestamp_seconds",
    help="When clusters were last looked for with success, in seconds since the epoch; only "
    "where discovery is on.",
    kind=Gauge,
)
LOGIN_FAILURES = OwnFamily(
    name="palette_exporter_login_failures_total",
    help="Requests to the exporter that were refused for their user or password.",
    kind=Counter,
)
DISCOVERY_CLUSTERS = OwnFamily(
    name="palette_discovery_clusters",
    help="Clusters in Palette's dashboard at the last successful discovery, by whether they are "
    "selected; only where discovery is on.",
    kind=Gauge,
    labels=("selected",),
)
REFRESH_INTERVAL = OwnFamily(
    name="palette_exporter_refresh_interval_seconds",
    help="Time from one refresh of a cluster to the next, as configured.",
    kind=Gauge,
)
ROUND_SECONDS = OwnFamily(
    name="palette_exporter_round_seconds",
    help="How long one round over all clusters takes at the configured request rate, by plan; "
    "above the refresh interval the rounds are stretched.",
    kind=Gauge,
)
SERIES = OwnFamily(
    name="palette_exporter_series",
    help="Number of series in this scrape.",
    kind=Gauge,
)
SHARD_ORDINAL = OwnFamily(
    name="palette_exporter_shard_ordinal",
    help="Which of the exporters that share the clusters this one is, from 0.",
    kind=Gauge,
)
TOTAL_SHARDS = OwnFamily(
    name="palette_exporter_total_shards",
    help="How many exporters share the clusters.",
    kind=Gauge,
)

REASONS = (
    "unauthorized",
    "forbidden",
    "not_found",
    "rate_limited",
    "server_error",
    "timeout",
    "connection",
    "invalid_response",
)
"""Why a refresh can fail, as the errors of Palette are named."""

OWN_FAMILIES = (
    DISCOVERY_UP,
    DISCOVERY_SUCCESS_TIME,
    DISCOVERY_CLUSTERS,
    BUILD_INFO,
    RELOAD_SUCCESSFUL,
    RELOAD_SUCCESS_TIME,
    API_REQUESTS,
    API_SECONDS,
    API_THROTTLE,
    REFRESH_FAILURES,
    DECODE_ERRORS,
    LOGIN_FAILURES,
    REFRESH_INTERVAL,
    ROUND_SECONDS,
    SERIES,
    SHARD_ORDINAL,
    TOTAL_SHARDS,
)


@dataclass(frozen=True, slots=True)
class _Allowed(Collector):
    """The families of a registry that are exported."""

    registry: CollectorRegistry
    allows: Callable[[str], bool]

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        for family in self.registry.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            if not name.startswith("palette_") or self.allows(name):
                yield family


class Telemetry:
    """Counts what the exporter does, and knows the text of it."""

    def __init__(self, *, version: str, revision: str, now: float) -> None:
        _without_created_series()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = self._counter(API_REQUESTS)
        self._seconds = Histogram(
            API_SECONDS.name,
            API_SECONDS.help,
            API_SECONDS.labels,
            buckets=REQUEST_SECONDS,
            registry=self.registry,
        )
        self._throttle = self._counter(API_THROTTLE)
        self._failures = self._counter(REFRESH_FAILURES)
        self._decode_errors = self._counter(DECODE_ERRORS)
        self._login_failures = self._counter(LOGIN_FAILURES)
        self._interval = self._gauge(REFRESH_INTERVAL)
        self._round = self._gauge(ROUND_SECONDS)
        self._discovery: dict[OwnFamily, Gauge] = {}
        self._reload_successful = self._gauge(RELOAD_SUCCESSFUL)
        self._reload_time = self._gauge(RELOAD_SUCCESS_TIME)
        self._ordinal = self._gauge(SHARD_ORDINAL)
        self._shards = self._gauge(TOTAL_SHARDS)
        self._gauge(BUILD_INFO).labels(version, revision, platform.python_version()).set(1)
        self.configured(now)

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        """Count a request that was sent; code is the HTTP status or ``error``."""
        self._requests.labels(endpoint, code).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def throttled(self, seconds: float) -> None:
        """Count seconds that a request waited for the rate limit."""
        self._throttle.inc(seconds)

    def discovered(self, now: float, *, selected: int, others: int) -> None:
        """Record a list of the dashboard: when it came, and how many clusters are wanted."""
        self._of_discovery(DISCOVERY_UP).set(1)
        self._of_discovery(DISCOVERY_SUCCESS_TIME).set(now)
        clusters = self._of_discovery(DISCOVERY_CLUSTERS)
        clusters.labels("true").set(selected)
        clusters.labels("false").set(others)

    def discovery_failed(self) -> None:
        """Record that the dashboard could not be read."""
        self._of_discovery(DISCOVERY_UP).set(0)

    def no_discovery(self) -> None:
        """Drop the families of discovery."""
        for gauge in self._discovery.values():
            self.registry.unregister(gauge)
        self._discovery = {}

    def _of_discovery(self, family: OwnFamily) -> Gauge:
        # Registered once there is a value: absent is not zero.
        if family not in self._discovery:
            self._discovery[family] = self._gauge(family)
        return self._discovery[family]

    def watching(self, cluster: Cluster) -> None:
        """Count the failures of a cluster from 0, so that the first one is an increase."""
        for reason in REASONS:
            self._failures.labels(cluster.uid, cluster.name, reason)

    def forget(self, cluster_uid: str) -> None:
        """Drop what was counted of a cluster that is gone."""
        self._failures.remove_by_labels({"cluster_uid": cluster_uid})

    def refresh_failed(self, cluster: Cluster, reason: str) -> None:
        """Count a refresh that failed."""
        self._failures.labels(cluster.uid, cluster.name, reason).inc()

    def decode_error(self, field: str) -> None:
        """Count a value that could not be read."""
        self._decode_errors.labels(field).inc()

    def login_failed(self) -> None:
        """Count a request to the exporter that was refused for its user or password."""
        self._login_failures.inc()

    def planned(self, round_seconds: float) -> None:
        """Tell how long a round takes by plan."""
        self._round.set(round_seconds)

    def refreshing(self, interval: float) -> None:
        """Record the configured interval in seconds."""
        self._interval.set(interval)

    def sharing(self, ordinal: int, total: int) -> None:
        """Tell which of how many exporters this is."""
        self._ordinal.set(ordinal)
        self._shards.set(total)

    def configured(self, now: float) -> None:
        """Tell that the configuration was read without a fault, in seconds since the epoch."""
        self._reload_successful.set(1)
        self._reload_time.set(now)

    def refused(self) -> None:
        """Tell that a configuration was read and refused; the one before stays in force."""
        self._reload_successful.set(0)

    def text(
        self, *, openmetrics: bool, allows: Callable[[str], bool] = lambda name: True
    ) -> bytes:
        """Return the text of these metrics, without OpenMetrics' end of file.

        allows: whether the family of a name is exported; it is asked about those of Palette only.
        """
        families = _Allowed(self.registry, allows)
        if openmetrics:
            return _openmetrics_format(families).removesuffix(END_OF_FILE)
        return _text_format(families)

    def _counter(self, family: OwnFamily) -> Counter:
        return Counter(family.name, family.help, family.labels, registry=self.registry)

    def _gauge(self, family: OwnFamily) -> Gauge:
        return Gauge(family.name, family.help, family.labels, registry=self.registry)
