"""Targets of the configuration and of discovery, merged."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.refresh.targets import (
    ALL_NAMES,
    ClusterTargets,
    Coverage,
    Names,
    SnapshotTarget,
    Target,
    by_cluster,
    identity,
    with_discovered,
)
from exporter.snapshot import Cluster

TARGET = SnapshotTarget("vms", "db-01", "nightly")

words = st.sampled_from(["", "a", "b"])
targets = st.builds(
    Target, cluster_uid=st.sampled_from(["x", "y"]), namespace=words, vm=words, snapshot=words
).filter(lambda each: bool(each.namespace or not each.vm) and bool(each.vm or not each.snapshot))


@given(st.lists(targets, max_size=8))
def test_merged_targets_cover_exactly_the_union(wanted: list[Target]) -> None:
    merged = {each.uid: each for each in by_cluster(wanted)}
    assert set(merged) == {each.cluster_uid for each in wanted}
    for uid, cluster in merged.items():
        own = [each for each in wanted if each.cluster_uid == uid]
        for vm in ((n, v) for n in "abc" for v in "abc"):
            asked = any(
                not each.snapshot and each.namespace in ("", vm[0]) and each.vm in ("", vm[1])
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
def test_the_order_of_targets_does_not_change_the_coverage(
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


def test_discovery_completes_a_target() -> None:
    namespaces = Names((re.compile("prod"),))
    named = ClusterTargets(uid="x", name="mine", named=(TARGET,))
    whole = ClusterTargets(uid="y", coverage=Coverage(everywhere=ALL_NAMES))
    found = [
        Cluster(uid="x", name="theirs", project_uid="p", cloud_type="maas"),
        Cluster(uid="y", name="why", project_uid="q"),
        Cluster(uid="z", name="zed"),
    ]
    x, y, z = with_discovered([named, whole], found, namespaces)
    known = identity(x, "default", None)
    assert (known.name, known.project_uid, known.cloud_type) == ("mine", "p", "maas")
    assert x.named == (TARGET,)
    assert x.coverage.everywhere is namespaces
    assert identity(y, "default", None).name == "why"
    assert y.coverage.everywhere == ALL_NAMES
    assert identity(z, "default", None).project_uid == "default"
    assert z.coverage.everywhere is namespaces
