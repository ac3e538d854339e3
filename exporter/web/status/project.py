"""Projects what is published to what the page and its JSON show; pure, the time is an argument."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.findings.subject import subjects
from exporter.refresh.discovery import DiscoveryState
from exporter.rollup import Objective
from exporter.snapshot import Cluster
from exporter.store import Published
from exporter.verdict import Severity
from exporter.web.status.assess import Assessed, assess, standing_of
from exporter.web.status.describe import error_view, vm_detail, vm_view
from exporter.web.status.fleet import cluster_views, count_vms, fleet_view, headline
from exporter.web.status.query import FILTERS, TILES, WINDOWS, Query
from exporter.web.status.views import (
    ChangeView,
    ClusterView,
    DiscoveryView,
    ExporterView,
    PageView,
    StatusView,
)
from exporter.web.status.vm_views import VmDetailView
from exporter.web.status.words import instant, moment

CLUSTERS_ON_A_PAGE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the page is made from, at a moment.

    known: the clusters that are refreshed, also those that were never read.
    owner_label: the label of a VM that names its owner; "" if owners are not read.
    now: seconds since the epoch.
    """

    published: Sequence[Published[Any]]
    known: Sequence[Cluster]
    objectives: Sequence[Objective]
    owner_label: str
    discovery: DiscoveryState | None
    ready: bool
    exporter: ExporterView
    now: float


def project(facts: Facts, query: Query, vms: Sequence[Assessed]) -> StatusView:
    """Return the page that a query asks for. vms: all VMs of the fleet, the worst first."""
    counts = count_vms(vms)
    clusters = cluster_views(facts.published, facts.known, counts, facts.now)
    found = Counter(found.problem.name for each in vms for found in each.findings)
    fleet = fleet_view(clusters, counts, {key: found[key] for key in TILES if key in found})
    discovery, exporter = _discovery(facts.discovery), facts.exporter
    text, verdict = headline(fleet, clusters, discovery, _named(vms), exporter.started)
    tests = _tests(facts, query)
    chosen = [each for each in vms if all(test(each) for test in tests)]
    page = PageView.of(len(chosen), query.page, query.size)
    return StatusView(
        time=moment(facts.now),
        version=exporter.version,
        ready=facts.ready,
        headline=text,
        verdict=verdict,
        exporter=exporter,
        discovery=discovery,
        fleet=fleet,
        changes=[_change(seconds, facts, clusters, vms) for seconds in WINDOWS.values()],
        clusters=clusters,
        filter=query.filters,
        notes=_not_found(query, clusters, vms, page),
        page=page,
        vms=[vm_view(_now(each, facts), facts.owner_label) for each in chosen[page.slice]],
    )


def _now(each: Assessed, facts: Facts) -> Assessed:
    """Return how a VM stands now, with the times in its texts."""
    uid = each.subject.cluster.uid
    published = next(one for one in facts.published if one.last_known.cluster.uid == uid)
    return assess(each.subject, standing_of(published, facts.now), facts.now)


def find(facts: Facts, cluster: str, namespace: str, vm: str) -> VmDetailView | None:
    """Return one VM with all of its snapshots; None if it is not known."""
    for each in facts.published:
        if each.last_known.cluster.uid == cluster:
            for subject in subjects(each.last_known, facts.objectives):
                if (subject.namespace, subject.name) == (namespace, vm):
                    found = assess(subject, standing_of(each, facts.now), facts.now)
                    return vm_detail(found, facts.owner_label, facts.now)
    return None


def shown_clusters(
    status: StatusView, query: Query
) -> tuple[dict[str, list[ClusterView]], Sequence[ClusterView], PageView]:
    """Return the clusters that are not read, by reason, and one page of all clusters."""
    chosen = [each for each in status.clusters if _is_named(each, query.cluster)]
    unread: dict[str, list[ClusterView]] = {}
    for each in chosen:
        if each.state != "read":
            unread.setdefault(each.reason, []).append(each)
    page = PageView.of(len(chosen), query.clusters, CLUSTERS_ON_A_PAGE)
    return unread, chosen[page.slice], page


def _is_named(cluster: Cluster | ClusterView, text: str) -> bool:
    """Return True if a cluster has this uid, or a name with this text in it."""
    return cluster.uid == text or _contains(cluster.name, text)


def _contains(name: str, text: str) -> bool:
    return text.casefold() in name.casefold()


def _discovery(state: DiscoveryState | None) -> DiscoveryView | None:
    if state is None:
        return None
    tried = state.last_success is not None
    return DiscoveryView(
        up=state.up,
        last_success=instant(state.last_success),
        last_error=error_view(*state.last_failure) if state.last_failure else None,
        clusters=state.found if tried else None,
        clusters_selected=state.selected if tried else None,
    )


def _named(vms: Iterable[Assessed]) -> tuple[int, int]:
    """Return how many snapshots targets name, and how many of those are not restorable."""
    good = [
        bool(one.up and one.snapshot and one.snapshot.restorable_for(each.subject.vm))
        for each in vms
        for one in each.subject.named
    ]
    return len(good), good.count(False)


def _change(
    seconds: float, facts: Facts, clusters: Sequence[ClusterView], vms: Iterable[Assessed]
) -> ChangeView:
    begin = facts.now - seconds
    read = [(each.last_success.timestamp() if each.last_success else 0.0) for each in clusters]
    lost = [at for each, at in zip(clusters, read, strict=True) if each.state == "stale"]
    known = any(at >= begin for at in read)
    new = [each.subject.row.recovery_point or 0.0 for each in vms]
    return ChangeView(
        within_seconds=seconds,
        vms_with_new_problem=sum(_has_new_problem(each, begin) for each in vms) if known else None,
        vms_with_new_recovery_point=sum(at > begin for at in new) if known else None,
        clusters_lost=sum(at > begin for at in lost),
        clusters_unknown=sum(at < begin for at in read),
    )


def _has_new_problem(each: Assessed, begin: float) -> bool:
    return any(
        found.since is not None and found.since > begin and found.severity != Severity.INFO
        for found in each.findings
    )


def _tests(facts: Facts, query: Query) -> list[Callable[[Assessed], bool]]:
    """Return what a VM has to pass, for each filter that is set."""
    begin = facts.now - WINDOWS.get(query.since, 0.0)
    tests: Mapping[str, Callable[[Assessed], bool]] = {
        "q": lambda each: (
            _contains(each.subject.name, query.q)
            or any(_contains(snapshot.name, query.q) for snapshot in each.subject.snapshots)
        ),
        "cluster": lambda each: _is_named(each.subject.cluster, query.cluster),
        "namespace": lambda each: _contains(each.subject.namespace, query.namespace),
        "owner": lambda each: _contains(
            each.subject.row.vm.owner(facts.owner_label) or "", query.owner
        ),
        "since": lambda each: _has_new_problem(each, begin),
        "state": lambda each: FILTERS[query.state].matches(each),
    }
    return [tests[name] for name in query.filters]


def _not_found(
    query: Query, clusters: Sequence[ClusterView], vms: Sequence[Assessed], page: PageView
) -> list[str]:
    """Say which filter matches nothing."""
    notes = []
    if query.cluster and not any(_is_named(each, query.cluster) for each in clusters):
        notes.append("No cluster has this name, part of a name, or uid.")
    namespaces = (each.subject.namespace for each in vms)
    if query.namespace and not any(_contains(each, query.namespace) for each in namespaces):
        notes.append("No namespace with a VM or snapshot has this name or part of a name.")
    if query.filters and not page.items and not notes:
        notes.append("No VM matches all filters.")
    return notes
