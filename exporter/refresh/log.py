"""Changes between two refreshes and between two rounds, each logged once."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from exporter.refresh.reader import Reading
from exporter.refresh.state import MISSING, Outcome
from exporter.refresh.targets import SnapshotTarget
from exporter.snapshot import Cluster, Unread

PROGRESS_EVERY = 10.0
"""Seconds between two lines on the progress of the first round."""

NAMED = 10
"""How many clusters a line names before it only counts them."""

log = structlog.get_logger()


class ClusterLog:
    """Logs how the refreshes of one cluster and of its named snapshots change."""

    def __init__(self) -> None:
        self._failing = ""
        self._unread: dict[SnapshotTarget, str] = {}

    def refreshed(self, cluster: Cluster, reading: Reading) -> None:
        """Log what differs from the refresh before."""
        failure = reading.failure
        reason = failure.reason if failure else ""
        if failure and reason != self._failing:
            _write(cluster, log.warning, "refresh failing", reason=reason, error=failure.message)
        if not failure:
            if self._failing:
                _write(cluster, log.info, "refresh recovered")
            self._named(cluster, reading.outcomes)
        self._failing = reason

    def _named(self, cluster: Cluster, outcomes: Mapping[SnapshotTarget, Outcome]) -> None:
        problems = {target: _problem(outcome) for target, outcome in outcomes.items()}
        for target, (reason, error) in problems.items():
            if reason == self._unread.get(target, ""):
                continue
            names = {"namespace": target.namespace, "vm": target.vm, "snapshot": target.name}
            if reason:
                _write(
                    cluster, log.warning, "snapshot not read", **names, reason=reason, error=error
                )
            else:
                _write(cluster, log.info, "snapshot read again", **names)
        self._unread = {target: reason for target, (reason, _) in problems.items()}


def _problem(outcome: Outcome) -> tuple[str, str]:
    if isinstance(outcome, Unread):
        return outcome.reason, outcome.message
    return ("not_found", "it does not exist") if outcome is MISSING else ("", "")


def _write(cluster: Cluster, write: Callable[..., object], event: str, **fields: object) -> None:
    write(event, cluster=cluster.name, cluster_uid=cluster.uid, **fields)


class RoundLog:
    """Logs which clusters are watched, how long a round takes, and changes of both."""

    def __init__(self) -> None:
        self._stretched = False

    def watching(self, names: Sequence[str]) -> None:
        """Log clusters that are read from now on."""
        log.info("watching clusters", count=len(names), names=_some(names))

    def not_watching(self, names: Sequence[str]) -> None:
        """Log clusters that are no longer read."""
        log.info("no longer watching clusters", count=len(names), names=_some(names))

    def undiscovered(self, names: Sequence[str]) -> None:
        """Log clusters that discovery no longer finds."""
        log.warning("clusters no longer discovered", count=len(names), names=_some(names))

    def plan(self, *, clusters: int, requests: int, seconds: float) -> None:
        """Log what a round takes."""
        log.info(
            "plan",
            clusters=clusters,
            requests_per_refresh=requests,
            seconds_at_configured_rate=round(seconds, 2),
        )

    def progress(self, *, clusters: int, waiting_for: Sequence[str]) -> None:
        """Log how far the first round is."""
        read = clusters - len(waiting_for)
        log.info(
            "first round in progress", read=read, clusters=clusters, waiting_for=_some(waiting_for)
        )

    def first_round_complete(self, *, clusters: int, requests: int) -> None:
        """Log that each cluster's first refresh has ended, with or without success."""
        log.info("first round complete", clusters=clusters, requests=requests)

    def round_takes(self, seconds: float, interval: float) -> None:
        """Log when a round begins to take longer than the interval, and when it fits again."""
        stretched = seconds > interval
        if stretched and not self._stretched:
            log.warning(
                "a round takes longer than the refresh interval and is stretched",
                round_seconds=round(seconds, 1),
                interval_seconds=interval,
            )
        elif self._stretched and not stretched:
            log.info("a round fits into the refresh interval again")
        self._stretched = stretched


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
