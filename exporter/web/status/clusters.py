"""Counts the VMs of each cluster and of the fleet; pure, the time is an argument."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from exporter.snapshot import Cluster, ClusterState, Unread
from exporter.store import Published
from exporter.web.status.assess import Assessed, standing_of
from exporter.web.status.describe import error_view
from exporter.web.status.values import Reading
from exporter.web.status.views import ClusterView, FleetView
from exporter.web.status.words import instant

OVERDUE = Unread("overdue", "")

VERDICTS = ("protected", "not_protected", "unknown", "exempt")

Counts = Mapping[str, Counter[str]]
"""The uid of a cluster -> how many VMs, snapshots, and VMs of each verdict it has."""


def count(vms: Iterable[Assessed]) -> Counts:
    """Return the counts of all clusters that have a VM or a snapshot."""
    counts: dict[str, Counter[str]] = {}
    for each in vms:
        subject, row = each.subject, each.subject.row
        numbers = counts.setdefault(subject.cluster.uid, Counter())
        numbers["snapshots"] += row.snapshots
        numbers["snapshots_ready"] += row.ready
        numbers["snapshots_restorable"] += row.restorable
        numbers["snapshots_failed"] += row.failed
        if subject.vm is not None:
            numbers["vms"] += 1
            numbers[each.verdict] += 1
    return counts


def cluster_views(
    published: Iterable[Published[Any]], known: Iterable[Cluster], counts: Counts, now: float
) -> list[ClusterView]:
    """Return all clusters, those with the most VMs at risk first.

    known: the clusters that are refreshed, also those that were never read.
    """
    found = {each.uid: _never_read(each) for each in known}
    for each in published:
        uid = each.last_known.cluster.uid
        found[uid] = _view(
            each.last_known, counts.get(uid, Counter()), now, old=standing_of(each, now).expired
        )
    return sorted(found.values(), key=lambda each: (-each.at_risk, each.name, each.uid))


def fleet_view(
    clusters: list[ClusterView], counts: Counts, problems: Mapping[str, int]
) -> FleetView:
    """Return the numbers of the fleet. problems: how many VMs have each problem."""
    states = Counter(each.state for each in clusters)
    numbers = sum(counts.values(), Counter[str]())
    listed = any(each.vms is not None for each in clusters)
    read = any(each.snapshots is not None for each in clusters)
    kinds = ("snapshots", "snapshots_ready", "snapshots_restorable", "snapshots_failed")
    return FleetView(
        clusters=len(clusters),
        clusters_read=states["read"],
        clusters_stale=states["stale"],
        clusters_never_read=states["waiting"] + states["unreadable"],
        vms_without_restorable_snapshot=problems.get("no_restorable", 0) if listed else None,
        objectives_missed=problems.get("objective_missed", 0) if listed else None,
        problems=problems if listed else None,
        **_vms(numbers, known=listed),
        **{kind: numbers[kind] if read else None for kind in kinds},
    )


def _never_read(cluster: Cluster) -> ClusterView:
    return _view(ClusterState(cluster=cluster, up=False), Counter(), 0.0, old=False)


def _view(state: ClusterState, numbers: Counter[str], now: float, *, old: bool) -> ClusterView:
    listed, ended = state.listing is not None, state.refreshed_at is not None
    has_data = listed or any(each.snapshot for each in state.named)
    overdue = ended and now >= (state.refreshed_at or now) + state.due_within
    failure = (OVERDUE, None) if overdue else state.last_failure
    return ClusterView(
        uid=state.cluster.uid,
        name=state.cluster.name,
        project_uid=state.cluster.project_uid,
        cloud_type=state.cluster.cloud_type,
        palette_state=state.cluster.state,
        state=_reading(state, overdue=overdue, has_data=has_data),
        expired=old,
        last_refresh=instant(state.refreshed_at),
        last_success=instant(state.last_success),
        data_age_seconds=None if state.last_success is None else round(now - state.last_success),
        refresh_duration_seconds=round(state.refresh_duration, 3) if ended else None,
        requests=state.requests if ended else None,
        last_error=error_view(*failure) if failure else None,
        snapshots=numbers["snapshots"] if has_data else None,
        **_vms(numbers, known=listed),
    )


def _vms(numbers: Counter[str], *, known: bool) -> dict[str, int | None]:
    names = {"vms": "vms", **{f"vms_{verdict}": verdict for verdict in VERDICTS}}
    return {key: numbers[name] if known else None for key, name in names.items()}


def _reading(state: ClusterState, *, overdue: bool, has_data: bool) -> Reading:
    if state.refreshed_at is None:
        return "waiting"
    if state.up and not overdue:
        return "read"
    return "stale" if has_data else "unreadable"
