"""The numbers of each cluster and of the fleet, and the verdict on it in one sentence; pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from exporter.snapshot import Cluster, ClusterState, Unread
from exporter.store import Published
from exporter.web.status.assess import Assessed, standing_of
from exporter.web.status.describe import error_view
from exporter.web.status.views import ClusterView, DiscoveryView, FleetView, Reading, VmCounts
from exporter.web.status.vm_views import Verdict
from exporter.web.status.words import exact, instant
from exporter.wording import count

OVERDUE = Unread("overdue", "")

VMS = VmCounts.__struct_fields__
SNAPSHOTS = ("snapshots", "snapshots_ready", "snapshots_restorable", "snapshots_failed")

Counts = Mapping[str, Counter[str]]
"""The uid of a cluster -> its numbers, by VMS and SNAPSHOTS."""


def count_vms(vms: Iterable[Assessed]) -> Counts:
    """Return the counts of all clusters that have a VM or a snapshot."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in vms:
        numbers, row = counts[each.subject.cluster.uid], each.subject.row
        numbers["snapshots"] += row.snapshots
        numbers["snapshots_ready"] += row.ready
        numbers["snapshots_restorable"] += row.restorable
        numbers["snapshots_failed"] += row.failed
        if each.subject.vm is not None:
            numbers["vms"] += 1
            numbers[f"vms_{each.verdict}"] += 1
    return counts


def cluster_views(
    published: Sequence[Published[Any]], known: Iterable[Cluster], counts: Counts, now: float
) -> list[ClusterView]:
    """Return all clusters, those with the most VMs at risk first; arguments as in ``Facts``."""
    states = {each.uid: ClusterState(cluster=each, up=False) for each in known}
    states |= {each.last_known.cluster.uid: each.last_known for each in published}
    expired = {each.last_known.cluster.uid for each in published if standing_of(each, now).expired}
    views = [
        _view(state, counts.get(uid, Counter()), now, expired=uid in expired)
        for uid, state in states.items()
    ]
    return sorted(views, key=lambda each: (-each.at_risk, each.name, each.uid))


def fleet_view(
    clusters: list[ClusterView], counts: Counts, problems: Mapping[str, int]
) -> FleetView:
    """Return the numbers of the fleet. problems: how many VMs have each problem."""
    states = Counter(each.state for each in clusters)
    numbers = sum(counts.values(), Counter[str]())
    listed = any(each.vms is not None for each in clusters)
    read = any(each.snapshots is not None for each in clusters)
    return FleetView(
        clusters=len(clusters),
        clusters_read=states["read"],
        clusters_stale=states["stale"],
        clusters_never_read=states["waiting"] + states["unreadable"],
        vms_without_restorable_snapshot=problems.get("no_restorable", 0) if listed else None,
        objectives_missed=problems.get("objective_missed", 0) if listed else None,
        problems=problems if listed else None,
        **_shown(numbers, VMS, known=listed),
        **_shown(numbers, SNAPSHOTS, known=read),
    )


def _view(state: ClusterState, numbers: Counter[str], now: float, *, expired: bool) -> ClusterView:
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
        expired=expired,
        last_refresh=instant(state.refreshed_at),
        last_success=instant(state.last_success),
        data_age_seconds=None if state.last_success is None else round(now - state.last_success),
        refresh_duration_seconds=round(state.refresh_duration, 3) if ended else None,
        requests=state.requests if ended else None,
        last_error=error_view(*failure) if failure else None,
        snapshots=numbers["snapshots"] if has_data else None,
        **_shown(numbers, VMS, known=listed),
    )


def _shown(numbers: Counter[str], names: Iterable[str], *, known: bool) -> dict[str, int | None]:
    return {name: numbers[name] if known else None for name in names}


def _reading(state: ClusterState, *, overdue: bool, has_data: bool) -> Reading:
    if state.refreshed_at is None:
        return "waiting"
    if state.up and not overdue:
        return "read"
    return "stale" if has_data else "unreadable"


def headline(
    fleet: FleetView,
    clusters: Sequence[ClusterView],
    discovery: DiscoveryView | None,
    named: tuple[int, int],
    started: datetime,
) -> tuple[str, Verdict]:
    """Return the sentence, and the verdict that it gives.

    named: how many snapshots targets name, and how many of those are not restorable.
    started: when the exporter began.
    """
    gaps = [*_gaps(fleet, clusters, discovery, started)]
    known = [*_known_vms(fleet, whole=not gaps), *_known_snapshots(*named)]
    if known or clusters:
        nothing = f"No VM is watched: {count(len(clusters), 'cluster')} read, and no VM listed"
        parts = known + gaps or [nothing]
    else:
        parts = [_nothing(discovery), *gaps]
    bad = fleet.vms_not_protected or named[1]
    verdict: Verdict = "not_protected" if bad else "unknown" if gaps or not known else "protected"
    return "; ".join(parts), verdict


def _known_vms(fleet: FleetView, *, whole: bool) -> Iterator[str]:
    bad, good, exempt = fleet.vms_not_protected or 0, fleet.vms_protected or 0, fleet.vms_exempt
    watched = bad + good + (fleet.vms_unknown or 0)
    if bad:
        is_not = "is not protected" if bad == 1 else "are not protected"
        yield f"{bad:,} of {count(watched, 'VM')} {is_not}"
    elif good:
        every = "All " if whole and good > 1 else ""
        of = "" if good == watched else f" of {watched:,}"
        are = "is" if good == watched == 1 else "are"
        yield f"{every}{count(good, 'VM')}{of} {are} protected"
    elif exempt and not watched:
        yield f"No VM has to be protected: {count(exempt, 'VM')} exempt"


def _known_snapshots(named: int, bad: int) -> Iterator[str]:
    if bad:
        yield f"{bad:,} of {count(named, 'named snapshot')} cannot be restored"
    elif named:
        yield f"{count(named, 'named snapshot')} can be restored"


def _gaps(
    fleet: FleetView,
    clusters: Sequence[ClusterView],
    discovery: DiscoveryView | None,
    started: datetime,
) -> Iterator[str]:
    """Yield what is not known."""
    if unknown := fleet.vms_unknown:
        lost = [each.last_success for each in clusters if each.expired and each.last_success]
        since = f" since {exact(min(lost))}" if lost else ""
        if fleet.vms_not_protected or fleet.vms_protected:
            is_not = "more is not known" if unknown == 1 else "more are not known"
            yield f"{unknown:,} {is_not} to be protected{since}"
        else:
            yield f"None of {count(unknown, 'VM')} is known to be protected{since}"
    if never := fleet.clusters_never_read:
        yield f"{count(never, 'cluster')} {'has' if never == 1 else 'have'} never been read"
    if discovery and discovery.up is False:
        yield f"discovery has failed since {exact(discovery.last_success or started)}"


def _nothing(discovery: DiscoveryView | None) -> str:
    """Say why there is no cluster at all."""
    if discovery is None:
        return "No VM is watched: this exporter has no cluster to read"
    if discovery.up is None:
        return "Nothing is known yet: the first discovery is running"
    if discovery.up is False:
        return "Nothing is known"
    if discovery.clusters:
        found = count(discovery.clusters, "cluster")
        return f"No VM is watched: discovery selects none of {found} for this exporter"
    return "No VM is watched: Palette lists no cluster with virtual machines"
