"""The state of a cluster that is kept, and for how long."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exporter.refresh.state import MISSING, Outcome, expired, expiring, keep, listed, listing
from exporter.refresh.targets import Coverage, SnapshotTarget
from exporter.snapshot import (
    Cluster,
    ClusterState,
    NamedSnapshot,
    Snapshot,
    Unread,
    VirtualMachine,
)

TARGET = SnapshotTarget("vms", "db-01", "nightly")
READ = Snapshot(namespace="vms", vm="db-01", name="nightly")
UNREAD = Unread("server_error", "it answered 500")


def test_a_list_answers_for_a_named_snapshot_under_its_own_machine_only() -> None:
    other = SnapshotTarget("vms", "db-02", "nightly")
    gone = SnapshotTarget("vms", "db-01", "gone")
    outcomes = listed([TARGET, other, gone], {READ.key: READ})
    assert outcomes[TARGET] == READ
    assert outcomes[other] is MISSING
    assert outcomes[gone] is MISSING


def test_a_listed_snapshot_that_names_no_machine_belongs_to_the_requested_one() -> None:
    nameless = Snapshot(namespace="vms", vm="", name="nightly")
    assert listed([TARGET], {("vms", "nightly"): nameless}) == {TARGET: READ}


def test_a_snapshot_outside_the_filter_makes_no_row() -> None:
    coverage = Coverage(vms=frozenset({("vms", "db-01")}))
    machines = [VirtualMachine(namespace="vms", name=name) for name in ("db-01", "db-02")]
    foreign = Snapshot(namespace="vms", vm="db-02", name="other")
    told = listing(coverage, [READ, foreign], machines, namespaces=["vms"], now=1.0)
    assert told.snapshots == (READ,)
    assert told.virtual_machines == (machines[0],)
    assert told.lacks(foreign.vm_key) is False
    assert told.lacks(("vms", "gone")) is True
    assert told.lacks(("else", "gone")) is None


def whole(named: NamedSnapshot) -> ClusterState:
    return ClusterState(cluster=Cluster(uid="x", name="x"), up=True, named=(named,))


outcomes = st.sampled_from([READ, MISSING, UNREAD, None])
history = st.lists(st.tuples(st.integers(0, 120), outcomes), min_size=1, max_size=12)


@given(history, st.integers(0, 400), st.integers(1, 300))
def test_the_last_state_is_kept_until_it_expires_to_the_second(
    refreshes: list[tuple[int, Outcome | None]], looked_after: int, stale_after: int
) -> None:
    """A simple model that replays refreshes and records when each snapshot was last seen."""
    now, named, last_read, gone = 0.0, None, None, True
    up = False
    for passed, outcome in refreshes:
        now += passed
        named = keep(TARGET, named, outcome, now)
        if isinstance(outcome, Snapshot):
            last_read, up = now, True
        elif outcome is MISSING:
            last_read, up = None, False
        elif outcome is not None:
            up = False
        gone = last_read is None or (not up and now - last_read >= stale_after)
        named = expired(whole(named), now, stale_after).named[0]
        if gone:
            last_read = None
        assert (named.snapshot is None) == gone
        assert named.up == up
    now += looked_after
    seen = expired(
        expiring(whole(named or keep(TARGET, None, None, 0)), stale_after), now, stale_after
    )
    visible = last_read is not None and (up or now - last_read < stale_after)
    assert bool(seen.named[0].snapshot) == visible


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 500)), max_size=5),
    st.integers(1, 300),
)
def test_a_state_changes_when_it_says_and_not_before(
    kept: list[tuple[bool, bool, int]], stale_after: int
) -> None:
    state = expiring(
        ClusterState(
            cluster=Cluster(uid="x", name="x"),
            up=True,
            named=tuple(
                NamedSnapshot(
                    namespace="vms",
                    vm="db-01",
                    name=str(number),
                    up=up,
                    snapshot=READ if has else None,
                    read_at=float(read_at),
                )
                for number, (up, has, read_at) in enumerate(kept)
            ),
        ),
        stale_after,
    )
    instants = []
    for _ in range(len(kept) + 1):
        due = state.expires_at
        if due == math.inf:
            break
        instants.append(due)
        assert expired(state, due - 0.5, stale_after) == state
        after = expired(state, due, stale_after)
        assert after != state
        assert expired(after, due, stale_after) == after
        state = after
    assert state.expires_at == math.inf
    assert all(before < after for before, after in pairwise(instants))
    assert set(instants) == {at + stale_after for up, has, at in kept if has and not up}
