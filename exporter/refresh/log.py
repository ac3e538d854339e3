"""What changed between two refreshes, logged once; a refresh like the last one says nothing."""

from collections.abc import Callable, Mapping

import structlog

from exporter.refresh.reader import Reading
from exporter.refresh.targets import Missing, Outcome, SnapshotTarget
from exporter.snapshot import Cluster, Unread

log = structlog.get_logger()


class ClusterNews:
    """Logs what became of a cluster and of its named snapshots."""

    def __init__(self) -> None:
        self._failing = ""
        self._trouble: dict[SnapshotTarget, str] = {}

    def tell(self, cluster: Cluster, reading: Reading) -> None:
        """Compare a refresh with the one before it."""
        failure = reading.failure
        reason = failure.reason if failure else ""
        if failure and reason != self._failing:
            _write(cluster, log.warning, "refresh failing", reason=reason, error=failure.message)
        if not failure:
            if self._failing:
                _write(cluster, log.info, "refresh recovered")
            self._tell_snapshots(cluster, reading.outcomes)
        self._failing = reason

    def _tell_snapshots(self, cluster: Cluster, outcomes: Mapping[SnapshotTarget, Outcome]) -> None:
        troubles = {target: _trouble(outcome) for target, outcome in outcomes.items()}
        for target, (reason, error) in troubles.items():
            if reason == self._trouble.get(target, ""):
                continue
            names = {"namespace": target.namespace, "vm": target.vm, "snapshot": target.name}
            if reason:
                _write(
                    cluster, log.warning, "snapshot not read", **names, reason=reason, error=error
                )
            else:
                _write(cluster, log.info, "snapshot read again", **names)
        self._trouble = {target: reason for target, (reason, _) in troubles.items()}


def _trouble(outcome: Outcome) -> tuple[str, str]:
    if isinstance(outcome, Unread):
        return outcome.reason, outcome.message
    return ("not_found", "it is not there") if isinstance(outcome, Missing) else ("", "")


def _write(cluster: Cluster, write: Callable[..., object], event: str, **fields: object) -> None:
    write(event, cluster=cluster.name, cluster_uid=cluster.uid, **fields)
