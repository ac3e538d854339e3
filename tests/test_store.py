"""States are swapped as a whole, and expired ones are in no view."""

from collections.abc import Generator
from dataclasses import replace
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from exporter.refresh.state import expired, expiring
from exporter.snapshot import Cluster, ClusterState, Listing, NamedSnapshot, Snapshot
from exporter.store import Rerendered, Store
from tests.harness import Clock

STALE_AFTER = 300.0


def render(state: ClusterState, previous: str | None) -> Generator[None, None, str]:
    for _ in range(3):
        yield
    return f"{previous or ''}{'up' if state.up else 'down'}:{len(state.snapshots)} "


def store(clock: Clock) -> Store[str]:
    expire = partial(expired, stale_after=STALE_AFTER)
    return Store(render=render, expire=expire, monotonic=clock.monotonic)


def state(uid: str = "c", *, read_at: float = 0.0, up: bool = True) -> ClusterState:
    snapshot = Snapshot(namespace="n", vm="v", name="s")
    listing = Listing(
        snapshots=(snapshot,),
        virtual_machines=(),
        known_machines=frozenset(),
        namespaces=frozenset(),
        read_at=read_at,
        current=up,
    )
    whole = ClusterState(cluster=Cluster(uid=uid, name=uid), up=up, listing=listing)
    return expiring(whole, STALE_AFTER)


def test_nothing_is_seen_of_a_state_before_its_last_step() -> None:
    clock = Clock()
    shelf = store(clock)
    shelf.publish(state())
    steps = shelf.publishing(state(read_at=clock.monotonic(), up=False))
    for _ in steps:
        (seen,) = shelf.view()
        assert seen.text == "up:1 "
        assert seen.state.up
    (seen,) = shelf.view()
    assert seen.text == "up:1 down:1 "
    assert not seen.state.up


def test_a_state_is_rendered_with_the_text_that_it_replaces_and_no_other() -> None:
    shelf = store(Clock())
    shelf.publish(state("b"))
    shelf.publish(state("a"))
    shelf.publish(state("a"))
    assert [(each.state.cluster.uid, each.text) for each in shelf.view()] == [
        ("a", "up:1 up:1 "),
        ("b", "up:1 "),
    ]


def test_a_removed_cluster_leaves_nothing_behind() -> None:
    shelf = store(Clock())
    shelf.publish(state())
    shelf.remove("c")
    shelf.remove("c")
    assert shelf.view() == ()
    assert shelf.get("c") is None
    shelf.publish(state())
    assert [each.text for each in shelf.view()] == ["up:1 "]


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_a_view_shows_nothing_that_was_kept_so_long(read_after: float, passed: float) -> None:
    clock = Clock()
    shelf = store(clock)
    read_at = clock.monotonic() + read_after
    clock.advance(read_after)
    shelf.publish(state(read_at=read_at, up=False))
    clock.advance(passed)
    (seen,) = shelf.view()
    stale = read_at + STALE_AFTER <= clock.monotonic()
    assert (seen.state.listing is None) == stale
    assert seen.text.endswith("down:0 " if stale else "down:1 ")
    assert seen.last_known.listing is not None
    assert shelf.get("c") == seen.last_known


def test_the_last_known_state_outlives_its_series_and_every_failed_refresh() -> None:
    clock = Clock()
    shelf = store(clock)
    first = state(read_at=clock.monotonic())
    shelf.publish(first)
    for _ in range(3):
        clock.advance(2 * STALE_AFTER)
        last = shelf.get("c")
        assert last is not None
        assert last.listing is not None
        failed = replace(last, up=False, listing=replace(last.listing, current=False))
        shelf.publish(expiring(failed, STALE_AFTER))
        (seen,) = shelf.view()
        assert seen.state.listing is None
        assert seen.text.endswith("down:0 ")
        assert seen.last_known.snapshots == first.snapshots
    shelf.remove("c")
    assert shelf.get("c") is None


def test_a_good_state_is_shown_however_old() -> None:
    clock = Clock()
    shelf = store(clock)
    shelf.publish(state(read_at=clock.monotonic()))
    clock.advance(100 * STALE_AFTER)
    (seen,) = shelf.view()
    assert seen.state.listing is not None


def test_views_without_a_change_between_them_render_nothing_again() -> None:
    clock = Clock()
    shelf = store(clock)
    shelf.publish(state(read_at=clock.monotonic(), up=False))
    clock.advance(STALE_AFTER)
    first = shelf.view()
    assert shelf.view()[0] is first[0]


def test_named_snapshots_expire_one_by_one() -> None:
    clock = Clock()
    shelf = store(clock)
    begin = clock.monotonic()

    def named(name: str, read_at: float, *, up: bool) -> NamedSnapshot:
        snapshot = Snapshot(namespace="n", vm="v", name=name)
        return NamedSnapshot(
            namespace="n", vm="v", name=name, up=up, snapshot=snapshot, read_at=read_at
        )

    whole = ClusterState(
        cluster=Cluster(uid="c", name="c"),
        up=True,
        named=(
            named("a", begin, up=False),
            named("b", begin + 10, up=False),
            named("c", begin, up=True),
        ),
    )
    shelf.publish(expiring(whole, STALE_AFTER))
    shown = []
    for seconds in (STALE_AFTER - 0.5, 0.5, 9.5, 0.5):
        clock.advance(seconds)
        shown.append("".join(each.name for each in shelf.view()[0].state.snapshots))
    assert shown == ["abc", "bc", "bc", "c"]


def otherwise(state: ClusterState, previous: str | None) -> Generator[None, None, str]:
    yield
    return f"otherwise {'up' if state.up else 'down'}"


def same(state: ClusterState) -> ClusterState:
    return state


def adopt(shelf: Store[str], ready: Rerendered[str]) -> None:
    shelf.adopt(
        render=otherwise,
        expire=partial(expired, stale_after=STALE_AFTER),
        reschedule=same,
        ready=ready,
    )


def whole(steps: Generator[None, None, Rerendered[str]]) -> Rerendered[str]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            ready: Rerendered[str] = end.value
            return ready


def test_states_rendered_aside_are_published_at_once() -> None:
    shelf = store(Clock())
    for uid in "abc":
        shelf.publish(state(uid, read_at=1000.0))
    steps = shelf.rerendering(otherwise)
    next(steps)
    shelf.publish(state("b", read_at=1000.0))
    shelf.publish(state("d", read_at=1000.0))
    shelf.remove("a")
    ready = whole(steps)
    assert {seen.text for seen in shelf.view()} == {"up:1 ", "up:1 up:1 "}
    adopt(shelf, ready)
    assert [seen.text for seen in shelf.view()] == ["otherwise up"] * 3
    assert [seen.state.cluster.uid for seen in shelf.view()] == ["b", "c", "d"]


def test_a_newer_state_is_not_replaced_by_one_rendered_aside() -> None:
    shelf = store(Clock())
    shelf.publish(state(read_at=1000.0))
    ready = whole(shelf.rerendering(otherwise))
    shelf.publish(state(read_at=1000.0, up=False))
    adopt(shelf, ready)
    (seen,) = shelf.view()
    assert seen.text == "otherwise down"
    assert not seen.state.up


def test_a_state_on_its_way_is_not_shown_as_it_was_rendered_before() -> None:
    shelf = store(Clock())
    steps = shelf.publishing(state(read_at=1000.0))
    next(steps)
    adopt(shelf, {})
    for _ in steps:
        assert shelf.view() == ()
    assert [seen.text for seen in shelf.view()] == ["otherwise up"]
