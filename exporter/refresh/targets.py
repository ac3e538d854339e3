"""What the configuration and discovery want of each cluster; pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import NamedTuple

from exporter.snapshot import Cluster, NamespacedName


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One configured target; "" where the configuration gives nothing.

    Leave the tail of namespace, VM and snapshot empty, and it means everything below.
    """

    cluster_uid: str
    namespace: str = ""
    vm: str = ""
    snapshot: str = ""
    cluster_name: str = ""
    project_uid: str = ""


class SnapshotTarget(NamedTuple):
    """A snapshot that a target names, inside its cluster."""

    namespace: str
    vm: str
    name: str

    @property
    def key(self) -> NamespacedName:
        """What the snapshot is known by in its cluster."""
        return self.namespace, self.name

    @property
    def vm_key(self) -> NamespacedName:
        """The virtual machine it belongs to, as the target says."""
        return self.namespace, self.vm


@dataclass(frozen=True, slots=True)
class Names:
    """Which names are wanted: what matches an include and no exclude, from end to end."""

    include: tuple[re.Pattern[str], ...]
    exclude: tuple[re.Pattern[str], ...] = ()

    def __contains__(self, name: str) -> bool:
        return any(pattern.fullmatch(name) for pattern in self.include) and not any(
            pattern.fullmatch(name) for pattern in self.exclude
        )


ALL_NAMES = Names((re.compile(".*", re.DOTALL),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The virtual machines of a cluster of which every snapshot is wanted.

    everywhere: all in namespaces with these names; None where no target covers the whole cluster.
    """

    everywhere: Names | None = None
    namespaces: frozenset[str] = frozenset()
    vms: frozenset[NamespacedName] = frozenset()

    def __contains__(self, vm: NamespacedName) -> bool:
        namespace, _ = vm
        if namespace in self.namespaces or vm in self.vms:
            return True
        return self.everywhere is not None and namespace in self.everywhere

    def __bool__(self) -> bool:
        return self.everywhere is not None or bool(self.namespaces or self.vms)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTargets:
    """What the configuration and discovery want of one cluster.

    name, project_uid: "" where no target gives one.
    named: the snapshots that targets name.
    dashboard: the cluster as discovery found it; None where it did not.
    """

    uid: str
    name: str = ""
    project_uid: str = ""
    coverage: Coverage = field(default_factory=Coverage)
    named: tuple[SnapshotTarget, ...] = ()
    dashboard: Cluster | None = None


def by_cluster(targets: Iterable[Target]) -> tuple[ClusterTargets, ...]:
    """Gather targets by cluster, in the order they first appear; what overlaps is merged."""
    gathered: dict[str, list[Target]] = {}
    for target in targets:
        gathered.setdefault(target.cluster_uid, []).append(target)
    return tuple(_gather(uid, group) for uid, group in gathered.items())


def _gather(uid: str, targets: Sequence[Target]) -> ClusterTargets:
    named = (
        SnapshotTarget(each.namespace, each.vm, each.snapshot) for each in targets if each.snapshot
    )
    return ClusterTargets(
        uid=uid,
        name=next((each.cluster_name for each in targets if each.cluster_name), ""),
        project_uid=next((each.project_uid for each in targets if each.project_uid), ""),
        coverage=_coverage([each for each in targets if not each.snapshot]),
        named=tuple(dict.fromkeys(named)),
    )


def _coverage(targets: Sequence[Target]) -> Coverage:
    if any(not each.namespace for each in targets):
        return Coverage(everywhere=ALL_NAMES)
    namespaces = frozenset(each.namespace for each in targets if not each.vm)
    vms = frozenset(
        (each.namespace, each.vm) for each in targets if each.namespace not in namespaces
    )
    return Coverage(namespaces=namespaces, vms=vms)


def with_discovered(
    configured: Iterable[ClusterTargets], discovered: Iterable[Cluster], namespaces: Names
) -> tuple[ClusterTargets, ...]:
    """Add discovered clusters to the configured ones.

    Discovery widens the coverage of a configured cluster to all namespaces of these names.
    """
    wanted = {targets.uid: targets for targets in configured}
    for cluster in discovered:
        known = wanted.get(cluster.uid, ClusterTargets(uid=cluster.uid))
        wanted[cluster.uid] = replace(
            known,
            coverage=replace(known.coverage, everywhere=known.coverage.everywhere or namespaces),
            dashboard=cluster,
        )
    return tuple(wanted.values())


def identity(targets: ClusterTargets, default_project: str, found: Cluster | None) -> Cluster:
    """Return a cluster with its name and the project in whose scope it is read.

    A target overrides the dashboard.
    default_project: for targets that name none; "" is the tenant.
    found: the cluster in the dashboard's list where discovery is off; None where it is unknown.
    """
    if targets.dashboard:
        known, project = targets.dashboard, targets.dashboard.project_uid or default_project
    else:
        # Without discovery, its state is read only once and would become outdated.
        known = replace(found or Cluster(uid=targets.uid, name=targets.uid), state="")
        project = default_project or known.project_uid
    return replace(
        known, name=targets.name or known.name, project_uid=targets.project_uid or project
    )


@dataclass(frozen=True, slots=True)
class Share:
    """The clusters of one of several exporters that together read all of them.

    Each cluster belongs to the exporter whose hash with it is the highest (rendezvous hashing): an
    additional exporter takes clusters from the others, and none moves between those. SHA-256,
    because FIPS hosts refuse BLAKE2.
    """

    ordinal: int = 0
    total: int = 1

    def __contains__(self, cluster_uid: str) -> bool:
        def weight(ordinal: int) -> bytes:
            return sha256(f"{ordinal}/{cluster_uid}".encode()).digest()

        return max(range(self.total), key=weight) == self.ordinal
