"""What is wanted, merged; and what is kept, to the second."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.refresh.targets import (
    ALL_NAMES,
    ClusterTargets,
    Coverage,
    Missing,
    Names,
    Outcome,
    SnapshotTarget,
    Target,
    by_cluster,
    expired,
    expiring,
    keep,
    listed,
    listing,
    with_discovered,
)
from exporter.snapshot import (
    Cluster,
    ClusterState,
    NamedSnapshot,
    Snapshot,
    SnapshotKey,
    Unread,
    VirtualMachine,
    VirtualMachineKey,
)

TARGET = SnapshotTarget("vms", "db-01", "nightly")
READ = Snapshot(namespace="vms", vm="db-01", name="nightly")
UNREAD = Unread("server_error", "it answered 500")

words = st.sampled_from(["", "a", "b"])
targets = st.builds(
    Target, cluster_uid=st.sampled_from(["x", "y"]), namespace=words, vm=words, snapshot=words
).filter(lambda each: bool(each.namespace or not each.vm) and bool(each.vm or not each.snapshot))


@given(st.lists(targets, max_size=8))
def test_merged_targets_cover_what_each_of_them_covers_and_no_more(wanted: list[Target]) -> None:
    merged = {each.uid: each for each in by_cluster(wanted)}
    assert set(merged) == {each.cluster_uid for each in wanted}
    for uid, cluster in merged.items():
        own = [each for each in wanted if each.cluster_uid == uid]
        for vm in (VirtualMachineKey(n, v) for n in "abc" for v in "abc"):
            asked = any(
                not each.snapshot
                and each.namespace in ("", vm.namespace)
                and each.vm in ("", vm.name)
                for each in own
            )
            assert (vm in cluster.coverage) == asked
        named = [SnapshotTarget(e.namespace, e.vm, e.snapshot) for e in own if e.snapshot]
        assert list(cluster.named) == list(dict.fromkeys(named))
        assert bool(cluster.coverage) == any(not each.snapshot for each in own)


@given(
    st.lists(targets, max_size=8).flatmap(
        lambda each: st.tuples(st.just(each), st.permutations(each))
    )
)
def test_the_order_of_targets_changes_nothing_in_what_is_covered(
    orders: tuple[list[Target], list[Target]],
) -> None:
    one, other = ({each.uid: each for each in by_cluster(order)} for order in orders)
    assert {uid: each.coverage for uid, each in one.items()} == {
        uid: each.coverage for uid, each in other.items()
    }
    assert {uid: set(each.named) for uid, each in one.items()} == {
        uid: set(each.named) for uid, each in other.items()
    }


def test_the_first_name_and_project_that_a_target_gives_count() -> None:
    (cluster,) = by_cluster(
        [
            Target(cluster_uid="x", namespace="a"),
            Target(cluster_uid="x", cluster_name="one", namespace="b"),
            Target(cluster_uid="x", cluster_name="two", project_uid="p"),
        ]
    )
    assert (cluster.name, cluster.project_uid) == ("one", "p")


@pytest.mark.parametrize(
    ("include", "exclude", "wanted"),
    [
        ([".*"], [], {"prod", "prod-1", "test", "a\nb"} - {"a\nb"}),
        (["prod"], [], {"prod"}),
        (["prod.*"], ["prod-.*"], {"prod"}),
        (["prod|test"], [], {"prod", "test"}),
        ([".*"], ["rod"], {"prod", "prod-1", "test"}),
        ([], [], set()),
    ],
)
def test_names_are_matched_from_end_to_end(
    include: list[str], exclude: list[str], wanted: set[str]
) -> None:
    names = Names(tuple(map(re.compile, include)), tuple(map(re.compile, exclude)))
    assert {name for name in ("prod", "prod-1", "test", "a\nb") if name in names} == wanted


def test_a_configured_cluster_covers_names_of_any_characters() -> None:
    assert "a\nb" in ALL_NAMES


def test_discovery_fills_in_what_a_target_leaves_open() -> None:
    namespaces = Names((re.compile("prod"),))
    named = ClusterTargets(uid="x", name="mine", named=(TARGET,))
    whole = ClusterTargets(uid="y", coverage=Coverage(everywhere=ALL_NAMES))
    found = [
        Cluster(uid="x", name="theirs", project_uid="p", cloud_type="maas"),
        Cluster(uid="y", name="why", project_uid="q"),
        Cluster(uid="z", name="zed"),
    ]
    x, y, z = with_discovered([named, whole], found, namespaces)
    assert (x.name, x.project_uid, x.cloud_type) == ("mine", "p", "maas")
    assert x.named == (TARGET,)
    assert x.coverage.everywhere is namespaces
    assert (y.name, y.coverage.everywhere) == ("why", ALL_NAMES)
    assert z.coverage.everywhere is namespaces


def test_a_list_answers_for_a_named_snapshot_under_its_own_machine_only() -> None:
    other = SnapshotTarget("vms", "db-02", "nightly")
    gone = SnapshotTarget("vms", "db-01", "gone")
    outcomes = listed([TARGET, other, gone], {READ.key: READ})
    assert outcomes[TARGET] == READ
    assert isinstance(outcomes[other], Missing)
    assert isinstance(outcomes[gone], Missing)


def test_a_listed_snapshot_that_names_no_machine_is_of_the_one_that_was_asked_for() -> None:
    nameless = Snapshot(namespace="vms", vm="", name="nightly")
    assert listed([TARGET], {SnapshotKey("vms", "nightly"): nameless}) == {TARGET: READ}


def test_what_a_filter_let_through_makes_no_row() -> None:
    coverage = Coverage(vms=frozenset({VirtualMachineKey("vms", "db-01")}))
    machines = [VirtualMachine(namespace="vms", name=name) for name in ("db-01", "db-02")]
    foreign = Snapshot(namespace="vms", vm="db-02", name="other")
    told = listing(coverage, [READ, foreign], machines, namespaces=["vms"], now=1.0)
    assert told.snapshots == (READ,)
    assert told.virtual_machines == (machines[0],)
    assert told.is_orphan(foreign) is False
    assert told.is_orphan(Snapshot(namespace="vms", vm="gone", name="x")) is True
    assert told.is_orphan(Snapshot(namespace="else", vm="gone", name="x")) is None


def whole(named: NamedSnapshot) -> ClusterState:
    return ClusterState(cluster=Cluster(uid="x", name="x"), up=True, named=(named,))


outcomes = st.sampled_from([READ, Missing(), UNREAD, None])
history = st.lists(st.tuples(st.integers(0, 120), outcomes), min_size=1, max_size=12)


@given(history, st.integers(0, 400), st.integers(1, 300))
def test_what_could_not_be_read_is_kept_to_the_second(
    refreshes: list[tuple[int, Outcome | None]], looked_after: int, stale_after: int
) -> None:
    """Replays refreshes, and says beside them when a snapshot was last seen, in plain words."""
    now, named, last_read, gone = 0.0, None, None, True
    up = False
    for passed, outcome in refreshes:
        now += passed
        named = keep(TARGET, named, outcome, now)
        if isinstance(outcome, Snapshot):
            last_read, up = now, True
        elif isinstance(outcome, Missing):
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
        if due is None:
            break
        instants.append(due)
        assert expired(state, due - 0.5, stale_after) == state
        after = expired(state, due, stale_after)
        assert after != state
        assert expired(after, due, stale_after) == after
        state = after
    assert state.expires_at is None
    assert all(before < after for before, after in pairwise(instants))
    assert set(instants) == {at + stale_after for up, has, at in kept if has and not up}
