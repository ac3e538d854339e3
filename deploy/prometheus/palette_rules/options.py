"""The options of the rules, with the shipped values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter import verdict

SCRAPED = "palette-snapshot-exporter"

THRESHOLDS: Mapping[str, float] = {
    "ready_within": verdict.READY_WITHIN,
    "hanging_after": verdict.PAST_DEADLINE,
    "hanging_without_deadline": verdict.WITHOUT_DEADLINE,
    "deletion_within": verdict.DELETED_WITHIN,
    "no_restorable_after": verdict.NEW_VM,
    "max_snapshots": verdict.MOST_SNAPSHOTS,
    "max_snapshot_age": verdict.OLDEST_SNAPSHOT,
    "schedule_intervals": verdict.MISSED_INTERVALS,
    "schedule_stopped_after": verdict.SCHEDULE_STOPPED,
    "stale_after": verdict.STALE_AFTER,
    "unread_share": 0.5,
    "reached_share": 0.6,
    "refused_share": 0.05,
    "vanished_share": 0.5,
    "cluster_wide_share": 0.5,
    "cluster_wide_vms": 5,
    "discovery_within": 3600,
    "clock_skew": 120,
}
"""Seconds, shares and numbers; those that the exporter's own verdict uses come from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the generator; texts go into the rules as they are.

    job: the name of the scrape job.
    runbook_url: the address of the runbooks; "#" and the name of the alert are appended.
    status_url: the address of the exporter's status page, for links; "" leaves them out.
    thresholds: by the names of THRESHOLDS.
    severities, waits: by the key of the alert; what is missing is as shipped.
    labels: added to every alert.
    """

    job: str = SCRAPED
    runbook_url: str = "https://runbooks.example.com/docs/runbooks.md"
    status_url: str = "https://palette-snapshot-exporter.example.com"
    thresholds: Mapping[str, str] = field(default_factory=dict)
    severities: Mapping[str, str] = field(default_factory=dict)
    waits: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def threshold(self, name: str) -> str:
        """Return a threshold as PromQL."""
        return self.thresholds.get(name, f"{THRESHOLDS[name]:g}")

    def severity(self, key: str, shipped: str) -> str:
        """Return the severity of an alert."""
        return self.severities.get(key, shipped)

    def wait(self, key: str, shipped: str) -> str:
        """Return how long the condition of an alert has to hold."""
        return self.waits.get(key, shipped)
