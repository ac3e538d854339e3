"""What one round of reading found, for the live check and the report; and what it missed."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.refresh.discovery import DiscoveryState
from exporter.refresh.targets import ClusterTargets, Target
from exporter.rollup import Objective
from exporter.snapshot import ClusterState, Listing, Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One reading of every cluster of this shard.

    targets: as configured, in their order; clusters: what was wanted of each, and its state.
    discovery: None where it is off. unreadable: a line for each value that could not be read.
    sharded: whether other exporters read a part of the clusters.
    now: seconds since the epoch, when the round ended.
    """

    targets: Sequence[Target] = ()
    objectives: Sequence[Objective] = ()
    clusters: Sequence[tuple[ClusterTargets, ClusterState]] = ()
    discovery: DiscoveryState | None = None
    requests: int = 0
    unreadable: Sequence[str] = ()
    sharded: bool = False
    now: float = 0.0

    @property
    def states(self) -> list[ClusterState]:
        """The state of each cluster."""
        return [state for _, state in self.clusters]

    @property
    def discovery_failure(self) -> Unread | None:
        """Why the clusters could not be discovered; None where they were, or discovery is off."""
        failure = self.discovery and self.discovery.last_failure
        return failure[0] if failure else None

    @property
    def failures(self) -> list[tuple[str, Unread]]:
        """The name of each cluster, or path of a snapshot, that could not be read, and why."""
        return [failure for state in self.states for failure in _failures(state)]

    @property
    def unmatched(self) -> list[str]:
        """A sentence for each target, and for discovery, that matches nothing."""
        states = {state.cluster.uid: state for state in self.states}
        found = [
            f"targets[{index}]: {sentence}"
            for index, target in enumerate(self.targets)
            if target.cluster_uid in states
            and (sentence := _unmatched(target, states[target.cluster_uid]))
        ]
        if self.discovery and self.discovery.up and not self.discovery.selected:
            found.append(
                f"discovery: selects none of {self.discovery.found} clusters. Check "
                "discovery.clusters, exclude_clusters, and the project of the credential."
            )
        has_content = any(
            state.snapshots or (state.listing and state.listing.virtual_machines)
            for state in self.states
        )
        explained = found or self.failures or self.discovery_failure or self.is_idle_shard
        if not explained and not has_content:
            found.append("No virtual machine was found. Check the targets, discovery and the role.")
        return found

    @property
    def is_idle_shard(self) -> bool:
        """Whether other shards read all clusters."""
        return self.sharded and not self.clusters

    @property
    def complete(self) -> bool:
        """Whether everything that is wanted exists and was read."""
        return not (self.discovery_failure or self.failures or self.unmatched)


def _failures(state: ClusterState) -> Iterator[tuple[str, Unread]]:
    name = state.cluster.name
    if not state.up:
        unknown = Unread("invalid_response", "The cluster was not read.")
        yield name, state.last_failure[0] if state.last_failure else unknown
        return
    for each in state.named:
        if each.unread:
            yield f"{name}/{each.namespace}/{each.vm}/{each.name}", each.unread


def _unmatched(target: Target, state: ClusterState) -> str:
    """Return why a target of a cluster that was read matches nothing; "" if it matches."""
    names = (state.cluster.name, target.namespace, target.vm, target.snapshot)
    path = "/".join(filter(None, names))
    if target.snapshot:
        missing = {(each.namespace, each.vm, each.name) for each in state.named if each.missing}
        gone = (target.namespace, target.vm, target.snapshot) in missing
        return f"{path} does not exist. Check the names of VM and snapshot." if gone else ""
    listing = state.listing
    if not state.up or listing is None:
        return ""  # a failure, which is reported as one
    if target.vm:
        known = (target.namespace, target.vm) in listing.known_machines
        return "" if known else f"{path} does not exist. {_suggestion(target, listing)}"
    used = {namespace for namespace, _ in listing.known_machines}
    used |= {each.namespace for each in listing.snapshots}
    if target.namespace in used or (used and not target.namespace):
        return ""
    return f"{path} has no virtual machine and no snapshot. Check the target and the role."


def _suggestion(target: Target, listing: Listing) -> str:
    known = sorted(name for space, name in listing.known_machines if space == target.namespace)
    if not known:
        return f"Namespace {target.namespace} has no virtual machine. Check both names."
    near = difflib.get_close_matches(target.vm, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"The namespace has {len(known)} others."
