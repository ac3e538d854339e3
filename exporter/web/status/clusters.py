"""How well each cluster is read, in plain words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from exporter.snapshot import Cluster, ClusterState
from exporter.web.status.board import Board

Reading = Literal["unreadable", "stale", "waiting", "read"]

READINGS: Mapping[Reading, str] = {
    "unreadable": "Cannot be read",
    "stale": "Stale",
    "waiting": "Not read yet",
    "read": "Read",
}
"""In the order in which clusters are shown."""

REASONS: Mapping[str, str] = {
    "unauthorized": "Palette does not accept the credential.",
    "forbidden": "The credential may not read this cluster.",
    "not_found": "Palette does not know this cluster, or not in this project.",
    "rate_limited": "Palette wants fewer requests.",
    "server_error": "Palette failed to answer.",
    "timeout": "Palette did not answer in time.",
    "connection": "Palette cannot be reached.",
    "invalid_response": "Palette's answer makes no sense.",
}
"""Reason, as in metrics -> what it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLine:
    """A cluster as the page shows it.

    state: None before its first refresh has ended.
    overdue: whether a refresh is under way that does not come to its end.
    """

    cluster: Cluster
    state: ClusterState | None
    overdue: bool = False
    vms: int = 0
    snapshots: int = 0

    @property
    def reading(self) -> Reading:
        """How well it is read."""
        if self.state is None or self.state.refreshed_at is None:
            return "waiting"
        if self.state.up and not self.overdue:
            return "read"
        return "stale" if self.state.listing or self.snapshots else "unreadable"

    @property
    def problem(self) -> str:
        """What its last failure means, or its delay."""
        if self.overdue:
            return "A refresh is under way and does not come to its end."
        failure = self.state.last_failure if self.state else None
        return REASONS.get(failure[0].reason, "") if failure else ""


def lines(known: Iterable[Cluster], boards: Sequence[Board], now: float) -> list[ClusterLine]:
    """Return all clusters that are published or known, those in trouble first.

    known: those that are refreshed, be it that their first refresh has not ended.
    """
    found = {
        board.state.cluster.uid: ClusterLine(
            cluster=board.state.cluster,
            state=board.state,
            overdue=now >= (board.state.refreshed_at or now) + board.state.due_within,
            vms=board.counts.vms,
            snapshots=board.counts.snapshots,
        )
        for board in boards
    }
    for cluster in known:
        found.setdefault(cluster.uid, ClusterLine(cluster=cluster, state=None))
    order = {reading: index for index, reading in enumerate(READINGS)}
    return sorted(
        found.values(), key=lambda each: (order[each.reading], each.cluster.name, each.cluster.uid)
    )
