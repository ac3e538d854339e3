"""What settings amount to: which clusters are read, and how many requests that takes; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.check.objectives import idle, places
from exporter.refresh.plan import Plan, plan
from exporter.refresh.targets import ClusterTargets, Share, by_cluster
from exporter.runtime import from_settings
from exporter.settings import Settings

REQUESTS_PER_CLUSTER = 2
"""That a whole cluster takes at least: a page of snapshots and one of virtual machines."""

SHOWN = 3
"""How many namespaces, virtual machines or snapshots are named before they are only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMeaning:
    """One configured cluster.

    covers: in words.
    requests: of one round; the least where lists are read, whose pages nobody knows beforehand.
    ours: whether it is this exporter's, where several share the clusters.
    """

    uid: str
    name: str
    covers: str
    requests: int
    exact: bool
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What settings amount to.

    name_requests: that ask for the names of clusters, once, at the start.
    idle_objectives: the index of each objective that can match nothing, and why.
    """

    settings: Settings
    clusters: tuple[ClusterMeaning, ...]
    name_requests: int
    idle_objectives: tuple[tuple[int, str], ...]

    @property
    def ours(self) -> tuple[ClusterMeaning, ...]:
        """The clusters that this exporter reads."""
        return tuple(cluster for cluster in self.clusters if cluster.ours)

    @property
    def requests(self) -> int:
        """How many requests a round takes for the configured clusters; at least unless exact."""
        return sum(cluster.requests for cluster in self.ours)

    @property
    def exact(self) -> bool:
        """Whether a round takes that many requests and no more."""
        return all(cluster.exact for cluster in self.ours)

    @property
    def seconds(self) -> float:
        """How long a round takes at the configured rate."""
        return self.requests / self.settings.palette.requests_per_second

    @property
    def room(self) -> int:
        """How many clusters more fit into the refresh interval at most, a page a list."""
        spare = self.settings.refresh.interval - self.seconds
        requests = spare * self.settings.palette.requests_per_second
        return max(0, int(requests / REQUESTS_PER_CLUSTER))


def meaning(settings: Settings) -> Meaning:
    """Work out what settings amount to, without asking Palette."""
    configured = by_cluster(from_settings.targets(settings))
    share = Share(settings.shard.index, settings.shard.total)
    watched = places(configured, discovery=settings.discovery.enabled)
    return Meaning(
        settings=settings,
        clusters=tuple(_cluster(targets, share) for targets in configured),
        name_requests=len(_unnamed_scopes(settings, configured, share)),
        idle_objectives=tuple(idle(settings.objectives, watched)),
    )


def _cluster(targets: ClusterTargets, share: Share) -> ClusterMeaning:
    calls = plan(targets)
    return ClusterMeaning(
        uid=targets.uid,
        name=targets.name,
        covers="; ".join(_covered(targets)),
        requests=calls.requests,
        exact=_is_exact(calls),
        ours=targets.uid in share,
    )


def _is_exact(calls: Plan) -> bool:
    return not (calls.snapshots or calls.virtual_machines or calls.named)


def _covered(targets: ClusterTargets) -> list[str]:
    coverage = targets.coverage
    paths = {
        "namespace": sorted(coverage.namespaces),
        "VM": ["/".join(vm) for vm in sorted(coverage.vms)],
        "snapshot": ["/".join(target) for target in targets.named],
    }
    whole = ["whole cluster"] if coverage.everywhere else []
    return whole + [_counted(kind, names) for kind, names in paths.items() if names]


def _counted(kind: str, names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{kind} {names[0]}"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {kind}s: {', '.join(names[:SHOWN])}{more}"


def _unnamed_scopes(
    settings: Settings, configured: Sequence[ClusterTargets], share: Share
) -> set[str]:
    """Return the scopes in which the names of clusters are asked for."""
    default = settings.palette.project_uid or ""
    return {
        targets.project_uid or default
        for targets in configured
        if not targets.name and targets.uid in share
    }
