"""What is wanted and what is kept; pure, the time is an argument."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import NamedTuple

from exporter.snapshot import (
    Cluster,
    ClusterState,
    Listing,
    NamedSnapshot,
    Snapshot,
    SnapshotKey,
    Unread,
    VirtualMachine,
    VirtualMachineKey,
)


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
    def key(self) -> SnapshotKey:
        """What the snapshot is known by in its cluster."""
        return SnapshotKey(self.namespace, self.name)

    @property
    def vm_key(self) -> VirtualMachineKey:
        """The virtual machine it belongs to, as the target says."""
        return VirtualMachineKey(self.namespace, self.vm)


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

    everywhere: those in namespaces of such names; None where the cluster as a whole is not
        asked for.
    """

    everywhere: Names | None = None
    namespaces: frozenset[str] = frozenset()
    vms: frozenset[VirtualMachineKey] = frozenset()

    def __contains__(self, vm: VirtualMachineKey) -> bool:
        if vm.namespace in self.namespaces or vm in self.vms:
            return True
        return self.everywhere is not None and vm.namespace in self.everywhere

    def __bool__(self) -> bool:
        return self.everywhere is not None or bool(self.namespaces or self.vms)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTargets:
    """What the targets want of one cluster.

    name, project_uid, cloud_type, state: "" where neither a target nor discovery says.
    named: the snapshots that targets name.
    """

    uid: str
    name: str = ""
    project_uid: str = ""
    cloud_type: str = ""
    state: str = ""
    coverage: Coverage = field(default_factory=Coverage)
    named: tuple[SnapshotTarget, ...] = ()


class Missing:
    """The outcome of a snapshot that Palette says is not there."""


Outcome = Snapshot | Missing | Unread


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
    vms = frozenset(VirtualMachineKey(each.namespace, each.vm) for each in targets if each.vm)
    return Coverage(
        namespaces=namespaces, vms=frozenset(vm for vm in vms if vm.namespace not in namespaces)
    )


def with_discovered(
    configured: Iterable[ClusterTargets], discovered: Iterable[Cluster], namespaces: Names
) -> tuple[ClusterTargets, ...]:
    """Add discovered clusters to the configured ones.

    What a target says of a cluster stands; discovery fills in the rest, and widens its coverage
    to all namespaces of the names that are wanted.
    """
    wanted = {targets.uid: targets for targets in configured}
    for cluster in discovered:
        known = wanted.get(cluster.uid, ClusterTargets(uid=cluster.uid))
        wanted[cluster.uid] = replace(
            known,
            name=known.name or cluster.name,
            project_uid=known.project_uid or cluster.project_uid,
            cloud_type=cluster.cloud_type,
            state=cluster.state,
            coverage=replace(known.coverage, everywhere=known.coverage.everywhere or namespaces),
        )
    return tuple(wanted.values())


def identity(targets: ClusterTargets, default_project: str, found: Cluster | None) -> Cluster:
    """Return a cluster as it is named and asked for.

    default_project: of targets that name none; "" is the tenant.
    found: what the dashboard says of it; None where it does not, or was not asked.
    """
    known = found or Cluster(uid=targets.uid, name=targets.uid)
    return Cluster(
        uid=targets.uid,
        name=targets.name or known.name,
        project_uid=targets.project_uid or default_project or known.project_uid,
        cloud_type=targets.cloud_type or known.cloud_type,
        state=targets.state or known.state,
    )


@dataclass(frozen=True, slots=True)
class Share:
    """The clusters of one of several exporters, which together have all of them.

    Each cluster goes to the exporter whose hash with it is the highest, so that one exporter more
    takes clusters from the others and moves none between them (rendezvous hashing).
    """

    ordinal: int = 0
    total: int = 1

    def __contains__(self, cluster_uid: str) -> bool:
        def weight(ordinal: int) -> bytes:
            return blake2b(f"{ordinal}/{cluster_uid}".encode(), digest_size=8).digest()

        return max(range(self.total), key=weight) == self.ordinal


def listing(
    coverage: Coverage,
    snapshots: Iterable[Snapshot],
    virtual_machines: Collection[VirtualMachine],
    *,
    namespaces: Iterable[str],
    now: float,
) -> Listing:
    """Return what lists that were read whole tell of the machines that are covered.

    What a filter let through though nobody asked for it is left out: of such a machine not all
    snapshots may have been listed.
    namespaces: those whose machines were listed; none where all were.
    now: seconds on the monotonic clock.
    """
    # Asked once per machine, as regular expressions are slow beside all else that happens here.
    known_machines = frozenset(vm.key for vm in virtual_machines)
    covered: dict[tuple[str, str], bool] = {key: key in coverage for key in known_machines}

    def wanted(snapshot: Snapshot) -> bool:
        # A plain tuple, for there are many: it equals the key of the same parts.
        known = covered.get((snapshot.namespace, snapshot.vm))
        if known is None:
            known = covered[snapshot.vm_key] = snapshot.vm_key in coverage
        return known

    return Listing(
        snapshots=tuple(filter(wanted, snapshots)),
        virtual_machines=tuple(vm for vm in virtual_machines if covered[vm.key]),
        known_machines=known_machines,
        namespaces=frozenset(namespaces),
        read_at=now,
    )


def still_wanted(kept: Listing, coverage: Coverage) -> Listing:
    """Return what an older listing tells of the machines that are covered by now."""
    narrowed = listing(
        coverage,
        kept.snapshots,
        kept.virtual_machines,
        namespaces=kept.namespaces,
        now=kept.read_at,
    )
    return replace(narrowed, known_machines=kept.known_machines, current=kept.current)


def listed(
    named: Iterable[SnapshotTarget], snapshots: Mapping[SnapshotKey, Snapshot]
) -> dict[SnapshotTarget, Outcome]:
    """Return what a list that was read whole says of the named snapshots.

    A snapshot that does not name its VM was found under the VM that the target names.
    """
    outcomes: dict[SnapshotTarget, Outcome] = {}
    for target in named:
        found = snapshots.get(target.key)
        if found is not None and not found.vm:
            found = replace(found, vm=target.vm)
        # A list that was asked for several machines may hold it as another one's.
        outcomes[target] = found if found and found.vm == target.vm else Missing()
    return outcomes


def keep(
    target: SnapshotTarget, previous: NamedSnapshot | None, outcome: Outcome | None, now: float
) -> NamedSnapshot:
    """Return what is published of a named snapshot.

    outcome: of this refresh; None while it is still being read.
    now: seconds on the monotonic clock.
    What is missing goes at once; what could not be read keeps its last good state.
    """
    unknown = NamedSnapshot(namespace=target.namespace, vm=target.vm, name=target.name, up=False)
    if isinstance(outcome, Snapshot):
        return replace(unknown, up=True, snapshot=outcome, read_at=now)
    if isinstance(outcome, Missing):
        return replace(unknown, missing=True)
    known = previous or unknown
    return known if outcome is None else replace(known, up=False, missing=False, unread=outcome)


def due_within(duration: float, interval: float, stale_after: float) -> float:
    """Return the seconds after which a refresh that has not ended counts as one that fails.

    duration: of the last one. Rounds that are stretched take their time: a refresh may be as slow
    again.
    """
    return max(stale_after, 2 * (interval + duration))


def rescheduled(
    state: ClusterState, now: float, *, interval: float, stale_after: float
) -> ClusterState:
    """Return the state as it is kept when these are in force from now on.

    What was read by a longer interval has grown old in good order: its next refresh is given its
    time from now.
    """
    current = [one.read_at for one in state.named if one.up]
    if state.listing and state.listing.current:
        current.append(state.listing.read_at)
    time = due_within(state.refresh_duration, interval, stale_after)
    due = now - min(current, default=now) + time
    return expiring(replace(state, due_within=due), stale_after)


def expiring(state: ClusterState, stale_after: float) -> ClusterState:
    """Return the state with the instant at which the first thing in it will be too old."""
    due = [_due(one, one.up, state, stale_after) for one in state.named if one.snapshot]
    if state.listing:
        due.append(_due(state.listing, state.listing.current, state, stale_after))
    first = min(due, default=math.inf)
    return replace(state, expires_at=None if math.isinf(first) else first)


def expired(state: ClusterState, now: float, stale_after: float) -> ClusterState:
    """Return the state without what has been kept for too long.

    That is stale_after seconds of failing, or a refresh that does not come to its end.
    """
    named = tuple(
        replace(one, snapshot=None) if _due(one, one.up, state, stale_after) <= now else one
        for one in state.named
    )
    listing = state.listing
    if listing and _due(listing, listing.current, state, stale_after) <= now:
        listing = None
    return expiring(replace(state, named=named, listing=listing), stale_after)


def _due(
    kept: NamedSnapshot | Listing, current: bool, state: ClusterState, stale_after: float
) -> float:
    return kept.read_at + (state.due_within if current else stale_after)
