"""The values of the exporter's own metrics.

prometheus-client keeps them in a registry, except the failures of clusters: there are eight series
for each cluster, and formatting them in the registry would hold the event loop too long.
"""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

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

from exporter.metrics.family import escape_label
from exporter.metrics.own_families import (
    API_REQUESTS,
    API_SECONDS,
    API_THROTTLE,
    BUILD_INFO,
    DECODE_ERRORS,
    DISCOVERY_CLUSTERS,
    DISCOVERY_SUCCESS_TIME,
    DISCOVERY_UP,
    LOGIN_FAILURES,
    REFRESH_FAILURES,
    REFRESH_INTERVAL,
    RELOAD_SUCCESS_TIME,
    RELOAD_SUCCESSFUL,
    ROUND_SECONDS,
    SHARD_ORDINAL,
    TOTAL_SHARDS,
    OwnFamily,
)
from exporter.snapshot import Cluster

# Requests to Palette take from milliseconds to its timeout; a page of 50 takes some hundred.
REQUEST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
END_OF_FILE = b"# EOF\n"
"""The last line of a text in the OpenMetrics format."""

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
class _Failures:
    """How many refreshes of a cluster failed, by reason."""

    cluster: Cluster
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))

    def lines(self, name: str) -> Iterator[str]:
        """Yield a line for each reason."""
        uid, cluster = escape_label(self.cluster.uid), escape_label(self.cluster.name)
        for reason, count in self.counts.items():
            labels = f'cluster_uid="{uid}",cluster_name="{cluster}",reason="{reason}"'
            yield f"{name}{{{labels}}} {count}\n"


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
        self._requests = self._counter(API_REQUESTS)
        self._seconds = Histogram(
            API_SECONDS.name,
            API_SECONDS.help,
            API_SECONDS.labels,
            buckets=REQUEST_SECONDS,
            registry=self.registry,
        )
        self._throttle = self._counter(API_THROTTLE)
        self._failures: dict[str, _Failures] = {}
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
        """Count the failures of a cluster from 0, so that the first one is an increase.

        A cluster with another name than before is another one.
        """
        known = self._failures.get(cluster.uid)
        if known is None or known.cluster.name != cluster.name:
            self._failures[cluster.uid] = _Failures(cluster)

    def forget(self, cluster_uid: str) -> None:
        """Remove the counters of a cluster."""
        self._failures.pop(cluster_uid, None)

    def refresh_failed(self, cluster: Cluster, reason: str) -> None:
        """Count a refresh that failed."""
        self.watching(cluster)
        self._failures[cluster.uid].counts[reason] += 1

    def decode_error(self, field: str) -> None:
        """Count a value that could not be read."""
        self._decode_errors.labels(field).inc()

    def login_failed(self) -> None:
        """Count a request to the exporter that was refused for its user or password."""
        self._login_failures.inc()

    def planned(self, round_seconds: float) -> None:
        """Record the planned duration of a round."""
        self._round.set(round_seconds)

    def refreshing(self, interval: float) -> None:
        """Record the configured interval in seconds."""
        self._interval.set(interval)

    def sharing(self, ordinal: int, total: int) -> None:
        """Record the index of this exporter and the number of exporters."""
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
        failures = self._failures_text(openmetrics) if allows(REFRESH_FAILURES.name) else b""
        if openmetrics:
            return _openmetrics_format(families).removesuffix(END_OF_FILE) + failures
        return _text_format(families) + failures

    def _failures_text(self, openmetrics: bool) -> bytes:
        name, text = REFRESH_FAILURES.name, REFRESH_FAILURES.help
        family = name.removesuffix("_total") if openmetrics else name
        lines = (line for each in self._failures.values() for line in each.lines(name))
        return "".join((f"# HELP {family} {text}\n# TYPE {family} counter\n", *lines)).encode()

    def _counter(self, family: OwnFamily) -> Counter:
        return Counter(family.name, family.help, family.labels, registry=self.registry)

    def _gauge(self, family: OwnFamily) -> Gauge:
        return Gauge(family.name, family.help, family.labels, registry=self.registry)
