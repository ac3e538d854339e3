"""What is kept of a cluster, and for how long; pure. now: seconds on the monotonic clock."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache

from msgspec import structs

from exporter.refresh.targets import Coverage, SnapshotTarget
from exporter.snapshot import (
    ClusterState,
    Listing,
    NamedSnapshot,
    NamespacedName,
    Snapshot,
    Unread,
    VirtualMachine,
)

MISSING = Unread("not_found", "it does not exist")
"""Why nothing was read of a snapshot or virtual machine that Palette says does not exist."""

Outcome = Snapshot | Unread
"""What one refresh read of a named snapshot, or why it read nothing."""

Outcomes = Mapping[SnapshotTarget, Outcome]
"""The outcomes of one refresh; a snapshot that is missing here is still being read."""


def listing(
    coverage: Coverage,
    snapshots: Iterable[Snapshot],
    virtual_machines: Collection[VirtualMachine],
    *,
    namespaces: Iterable[str],
    now: float,
) -> Listing:
    """Return the listing of the covered virtual machines, from lists that were read completely.

    A filter can let other machines through. They are left out, because their snapshots can be
    incomplete.
    namespaces: those whose machines were listed; none where all were.
    """
    whole = Listing(
        snapshots=tuple(snapshots),
        virtual_machines=tuple(virtual_machines),
        known_machines=frozenset(vm.key for vm in virtual_machines),
        namespaces=frozenset(namespaces),
        read_at=now,
    )
    return narrowed(whole, coverage)


def narrowed(whole: Listing, coverage: Coverage) -> Listing:
    """Return a listing without the virtual machines that are not covered."""
    covered = cache(coverage.__contains__)  # regular expressions are slow
    return replace(
        whole,
        snapshots=tuple(each for each in whole.snapshots if covered(each.vm_key)),
        virtual_machines=tuple(vm for vm in whole.virtual_machines if covered(vm.key)),
    )


def listed(
    named: Iterable[SnapshotTarget], snapshots: Mapping[NamespacedName, Snapshot]
) -> dict[SnapshotTarget, Outcome]:
    """Return the outcome of named snapshots from a list that was read completely.

    A snapshot that does not name its VM was found under the VM that the target names.
    """
    outcomes: dict[SnapshotTarget, Outcome] = {}
    for target in named:
        found = snapshots.get(target.key)
        if found is not None and not found.vm:
            found = structs.replace(found, vm=target.vm)
        # A list of several machines can have it as a snapshot of another one.
        outcomes[target] = found if found and found.vm == target.vm else MISSING
    return outcomes


def keep(
    target: SnapshotTarget, previous: NamedSnapshot | None, outcome: Outcome | None, now: float
) -> NamedSnapshot:
    """Return what is published of a named snapshot.

    outcome: of this refresh; None while it is still being read.
    What is missing goes at once; what could not be read keeps its last good state.
    """
    unknown = NamedSnapshot(namespace=target.namespace, vm=target.vm, name=target.name, up=False)
    if isinstance(outcome, Snapshot):
        return replace(unknown, up=True, snapshot=outcome, read_at=now)
    if outcome == MISSING:
        return replace(unknown, missing=True)
    known = previous or unknown
    return known if outcome is None else replace(known, up=False, missing=False, unread=outcome)


def next_read_within(duration: float, interval: float, stale_after: float) -> float:
    """Return the seconds after which a refresh that has not ended counts as one that fails.

    duration: of the last one. In rounds that are stretched, a refresh can be as slow again.
    """
    return max(stale_after, 2 * (interval + duration))


def rescheduled(
    state: ClusterState, now: float, *, interval: float, stale_after: float
) -> ClusterState:
    """Return the state with its expiry under another interval and stale_after.

    A state that a longer interval made old is not failing: its refresh gets its full time from now.
    """
    current = [one.read_at for one in state.named if one.up]
    if state.listing and state.listing.current:
        current.append(state.listing.read_at)
    time = next_read_within(state.refresh_duration, interval, stale_after)
    due = now - min(current, default=now) + time
    return expiring(replace(state, due_within=due), stale_after)


def expiring(state: ClusterState, stale_after: float) -> ClusterState:
    """Return the state with the instant at which the first thing in it will be too old."""
    due = [_expires_at(one, one.up, state, stale_after) for one in state.named if one.snapshot]
    if state.listing:
        due.append(_expires_at(state.listing, state.listing.current, state, stale_after))
    return replace(state, expires_at=min(due, default=math.inf))


def expired(state: ClusterState, now: float, stale_after: float) -> ClusterState:
    """Return the state without what has been kept for too long.

    That is stale_after seconds of failing, or a refresh that does not come to its end.
    """
    named = tuple(
        replace(one, snapshot=None) if _expires_at(one, one.up, state, stale_after) <= now else one
        for one in state.named
    )
    listing = state.listing
    if listing and _expires_at(listing, listing.current, state, stale_after) <= now:
        listing = None
    return expiring(replace(state, named=named, listing=listing), stale_after)


def _expires_at(
    kept: NamedSnapshot | Listing, current: bool, state: ClusterState, stale_after: float
) -> float:
    return kept.read_at + (state.due_within if current else stale_after)
