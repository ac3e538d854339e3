"""The calls of a refresh: as few requests as possible."""

import time
from itertools import product
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from exporter.refresh.plan import FILTER_CHARACTERS, Filter, pages, plan
from exporter.refresh.targets import ClusterTargets, SnapshotTarget, Target, by_cluster

names = st.text("abc,", min_size=1, max_size=3)
paths = st.tuples(names, names, names, st.integers(0, 3))


def wanted(path: tuple[str, str, str, int]) -> Target:
    *parts, depth = path
    if depth < 3:
        parts = [part.replace(",", "x") for part in parts]
    namespace, vm, snapshot = [*parts[:depth], *[""] * (3 - depth)]
    return Target(cluster_uid="c", namespace=namespace, vm=vm, snapshot=snapshot)


def reads(filters: tuple[Filter, ...], namespace: str, vm: str) -> bool:
    return any(
        (not each.namespaces or namespace in each.namespaces) and (not each.vms or vm in each.vms)
        for each in filters
    )


@given(st.lists(paths, min_size=1, max_size=8))
def test_everything_that_is_wanted_is_read_and_no_call_is_made_twice(
    chosen: list[tuple[str, str, str, int]],
) -> None:
    targets = [wanted(path) for path in chosen]
    (cluster,) = by_cluster(targets)
    made = plan(cluster)
    for calls in (made.snapshots, made.virtual_machines, made.named):
        assert len(set(calls)) == len(calls)
    for each in targets:
        if not each.snapshot:
            assert reads(made.snapshots, each.namespace or "?", each.vm or "?")
            assert reads(made.virtual_machines, each.namespace or "?", "")
            continue
        named = SnapshotTarget(each.namespace, each.vm, each.snapshot)
        in_lists = named in made.listed
        assert in_lists != (named in made.one_by_one)
        if in_lists:
            assert reads(made.snapshots, each.namespace, each.vm)
        elif made.named:
            assert reads(made.named, each.namespace, each.vm)


@given(st.lists(paths, min_size=1, max_size=8), st.integers(0, 10))
def test_named_snapshots_never_take_more_requests_than_one_by_one(
    chosen: list[tuple[str, str, str, int]], named_pages: int
) -> None:
    (cluster,) = by_cluster(wanted((*path[:3], 3)) for path in chosen)
    made = plan(cluster, named_pages)
    assert made.requests <= len(cluster.named)
    if made.named:
        assert named_pages < len(cluster.named)


@given(st.lists(st.tuples(names, st.text("xy\u00e9", min_size=1, max_size=60)), max_size=300))
def test_no_list_call_has_too_long_a_url(machines: list[tuple[str, str]]) -> None:
    targets = [
        Target(cluster_uid="c", namespace=namespace.replace(",", "x"), vm=vm)
        for namespace, vm in machines
    ]
    for cluster in by_cluster(targets):
        made = plan(cluster)
        for each in (*made.snapshots, *made.virtual_machines):
            lists = (",".join(each.namespaces), ",".join(each.vms))
            assert sum(len(quote(names, safe="")) for names in lists) <= FILTER_CHARACTERS
        assert all((each.namespace, each.vm) in cluster.coverage for each in targets)


def test_short_names_fill_no_url_beyond_the_limit_of_proxies() -> None:
    letters = "abcdefghij"
    targets = [
        Target(cluster_uid="c", namespace="n", vm="".join(three))
        for three in product(letters, repeat=3)
    ]
    (cluster,) = by_cluster(targets)
    made = plan(cluster)
    assert len(made.snapshots) == 2
    assert sum(len(each.vms) for each in made.snapshots) == len(targets)
    assert max(len(quote(",".join(each.vms), safe="")) for each in made.snapshots) <= 4096


def test_many_named_snapshots_are_planned_without_delay() -> None:
    """Comparing each with all others would take minutes."""
    many = (SnapshotTarget("n", f"vm,{number}", "s") for number in range(20_000))
    started = time.process_time()
    made = plan(ClusterTargets(uid="c", named=tuple(many)))
    assert len(made.one_by_one) == 20_000
    assert time.process_time() - started < 2


def test_pages_are_of_fifty() -> None:
    assert [pages(count) for count in (0, 1, 50, 51, 100, 101)] == [1, 1, 1, 2, 2, 3]
