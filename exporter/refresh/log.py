"""Changes between two refreshes, each logged once."""

import structlog

from exporter.refresh.reader import Reading
from exporter.snapshot import Cluster, Unread

log = structlog.get_logger()


class Transitions:
    """Logs once when something begins to fail, or fails for another reason, and when it recovers.

    failing, recovered: what is logged.
    """

    def __init__(self, failing: str, recovered: str) -> None:
        self._failing = failing
        self._recovered = recovered
        self._reason = ""

    def log(self, failure: Unread | None, **fields: object) -> None:
        """Compare an outcome with the last one; failure: None where it is good."""
        last, self._reason = self._reason, failure.reason if failure else ""
        if failure and failure.reason != last:
            log.warning(self._failing, **fields, reason=failure.reason, error=failure.message)
        elif last and not failure:
            log.info(self._recovered, **fields)


class ClusterLog:
    """Logs how the refreshes of one cluster and of its named snapshots change."""

    def __init__(self) -> None:
        self._refreshes = Transitions("refresh failing", "refresh recovered")
        self._named: dict[tuple[str, str, str], Transitions] = {}

    def refreshed(self, cluster: Cluster, reading: Reading) -> None:
        """Log what differs from the refresh before."""
        names = {"cluster": cluster.name, "cluster_uid": cluster.uid}
        self._refreshes.log(reading.failure, **names)
        if reading.failure:
            return
        before, self._named = self._named, {}
        for target, outcome in reading.outcomes.items():
            changes = before.get(target) or Transitions("snapshot not read", "snapshot read again")
            self._named[target] = changes
            path = {"namespace": target.namespace, "vm": target.vm, "snapshot": target.name}
            changes.log(outcome if isinstance(outcome, Unread) else None, **names, **path)
