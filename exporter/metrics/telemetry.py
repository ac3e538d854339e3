"""The values of the exporter's own metrics.

prometheus-client keeps them in a registry, except the failures of clusters: there are eight series
for each cluster, and formatting them in the registry would hold the event loop too long.
"""

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

from exporter.metrics.family import cluster_labels
from exporter.metrics.own_families import OWN_FAMILIES
from exporter.snapshot import Cluster

OWN = {family.name: family for family in OWN_FAMILIES}
FAILURES = OWN["palette_exporter_refresh_failures_total"]

# Requests to Palette take from milliseconds to its timeout; a page of 50 takes some hundred.
REQUEST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
END_OF_FILE = b"# EOF\n"  # the last line of a text in the OpenMetrics format

_text_format: Callable[[Collector], bytes] = generate_latest
_openmetrics_format: Callable[[Collector], bytes] = openmetrics_exposition.generate_latest
_without_created_series: Callable[[], None] = disable_created_metrics

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
"""The reasons of failed refreshes; those of the errors in ``palette``."""


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
    """Counts what the exporter does, and returns the text of these counts."""

    def __init__(self, *, version: str, revision: str, now: float) -> None:
        _without_created_series()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = self._counter("palette_exporter_api_requests_total")
        self._seconds = self._histogram("palette_exporter_api_request_duration_seconds")
        self._throttle = self._counter("palette_exporter_api_throttle_seconds_total")
        self._failures: dict[str, tuple[Cluster, dict[str, int]]] = {}
        self._decode_errors = self._counter("palette_exporter_decode_errors_total")
        self._login_failures = self._counter("palette_exporter_login_failures_total")
        self._interval = self._gauge("palette_exporter_refresh_interval_seconds")
        self._round = self._gauge("palette_exporter_round_seconds")
        self._discovery: dict[str, Gauge] = {}
        self._reload_successful = self._gauge("palette_exporter_config_last_reload_successful")
        self._reload_time = self._gauge(
            "palette_exporter_config_last_reload_success_timestamp_seconds"
        )
        self._ordinal = self._gauge("palette_exporter_shard_ordinal")
        self._shards = self._gauge("palette_exporter_total_shards")
        build_info = self._gauge("palette_exporter_build_info")
        build_info.labels(version, revision, platform.python_version()).set(1)
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
        self._of_discovery("palette_discovery_up").set(1)
        self._of_discovery("palette_discovery_last_success_timestamp_seconds").set(now)
        clusters = self._of_discovery("palette_discovery_clusters")
        clusters.labels("true").set(selected)
        clusters.labels("false").set(others)

    def discovery_failed(self) -> None:
        """Record that the dashboard could not be read."""
        self._of_discovery("palette_discovery_up").set(0)

    def no_discovery(self) -> None:
        """Drop the families of discovery."""
        for gauge in self._discovery.values():
            self.registry.unregister(gauge)
        self._discovery = {}

    def _of_discovery(self, name: str) -> Gauge:
        # Registered once there is a value: absent is not zero.
        if name not in self._discovery:
            self._discovery[name] = self._gauge(name)
        return self._discovery[name]

    def watching(self, cluster: Cluster) -> None:
        """Count the failures of a cluster from 0, so that the first one is an increase.

        A cluster with another name than before is another one.
        """
        known, _ = self._failures.get(cluster.uid, (None, None))
        if known is None or known.name != cluster.name:
            self._failures[cluster.uid] = cluster, dict.fromkeys(REASONS, 0)

    def forget(self, cluster_uid: str) -> None:
        """Remove the counters of a cluster."""
        self._failures.pop(cluster_uid, None)

    def refresh_failed(self, cluster: Cluster, reason: str) -> None:
        """Count a refresh that failed."""
        self.watching(cluster)
        _, counts = self._failures[cluster.uid]
        counts[reason] += 1

    def decode_error(self, field: str) -> None:
        """Count a value that could not be read."""
        self._decode_errors.labels(field).inc()

    def login_failed(self) -> None:
        """Count a request to the exporter that was refused for its user or password."""
        self._login_failures.inc()

    def planned(self, round_seconds: float) -> None:
        """Record the planned duration of a round."""
        self._round.set(round_seconds)

    def refreshing(self, interval: float, ordinal: int, total: int) -> None:
        """Record the configured interval in seconds, and the shard: its index, and how many."""
        self._interval.set(interval)
        self._ordinal.set(ordinal)
        self._shards.set(total)

    def configured(self, now: float) -> None:
        """Record a successful load of the configuration; now: in seconds since the epoch."""
        self._reload_successful.set(1)
        self._reload_time.set(now)

    def refused(self) -> None:
        """Record that a configuration was refused; the previous one stays active."""
        self._reload_successful.set(0)

    def text(
        self, *, openmetrics: bool, allows: Callable[[str], bool] = lambda name: True
    ) -> bytes:
        """Return the text of these metrics, without OpenMetrics' end of file.

        allows: whether the family of a name is exported; it is asked about those of Palette only.
        """
        families = _Allowed(self.registry, allows)
        failures = self._failures_text(openmetrics) if allows(FAILURES.name) else b""
        if openmetrics:
            return _openmetrics_format(families).removesuffix(END_OF_FILE) + failures
        return _text_format(families) + failures

    def _failures_text(self, openmetrics: bool) -> bytes:
        name = FAILURES.name
        family = name.removesuffix("_total") if openmetrics else name
        lines = [f"# HELP {family} {FAILURES.help}\n# TYPE {family} counter\n"]
        for cluster, counts in self._failures.values():
            labels = cluster_labels(cluster)
            lines += [f'{name}{{{labels},reason="{each}"}} {counts[each]}\n' for each in counts]
        return "".join(lines).encode()

    def _counter(self, name: str) -> Counter:
        return Counter(name, OWN[name].help, OWN[name].labels, registry=self.registry)

    def _gauge(self, name: str) -> Gauge:
        return Gauge(name, OWN[name].help, OWN[name].labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        help_, labels = OWN[name].help, OWN[name].labels
        return Histogram(name, help_, labels, buckets=REQUEST_SECONDS, registry=self.registry)
