"""Objectives that cannot apply to a VM are reported, and no others."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.check.objectives import Place, places, unused
from exporter.refresh.targets import Target, by_cluster
from exporter.rollup import Objective as Applied
from exporter.runtime import parts
from exporter.settings import Objective
from exporter.snapshot import Cluster, VirtualMachine

ANYWHERE = (Place(),)
CASES: dict[str, tuple[list[dict[str, object]], tuple[Place, ...], list[str]]] = {
    "a list that ends in a catch-all": (
        [{"namespace": "prod-.*"}, {"vm": "db-.*"}, {}],
        ANYWHERE,
        [],
    ),
    "behind a catch-all": (
        [{}, {"namespace": "prod"}],
        ANYWHERE,
        ["objectives[1] is hidden by objectives[0]"],
    ),
    "behind one that is spelt out": (
        [{"cluster": ".*", "namespace": ".+"}, {"vm": "db"}],
        ANYWHERE,
        ["objectives[1] is hidden by objectives[0]"],
    ),
    "the same again": (
        [{"namespace": "a"}, {"namespace": "prod", "labels": {"tier": "gold"}}] * 2,
        ANYWHERE,
        [
            "objectives[2] is hidden by objectives[0]",
            "objectives[3] is hidden by objectives[1]",
        ],
    ),
    "behind one for a label": ([{"labels": {"tier": "gold"}}, {}], ANYWHERE, []),
    "behind the same label": (
        [{"labels": {"tier": ".*"}}, {"vm": "db", "labels": {"tier": "gold", "zone": "a"}}],
        ANYWHERE,
        ["objectives[1] is hidden by objectives[0]"],
    ),
    "an empty label is no name": (
        [{"labels": {"tier": ".+"}}, {"labels": {"tier": ".*"}}],
        ANYWHERE,
        [],
    ),
    "elsewhere than the targets": (
        [{"namespace": "prod-.*"}, {"cluster": "west"}],
        (Place("east", "test"), Place(None, "test")),
        ["objectives[0] matches nothing"],
    ),
    "only snapshots are named": ([{}], (), ["objectives[0] matches nothing"]),
}


@pytest.mark.parametrize("case", CASES)
def test_an_objective_that_applies_to_nothing_is_reported_with_the_reason(case: str) -> None:
    written, watched, expected = CASES[case]
    found = list(unused([objective_of(each) for each in written], watched))
    assert len(found) == len(expected)
    assert all(sentence.startswith(words) for sentence, words in zip(found, expected, strict=True))


def objective_of(keys: dict[str, object]) -> Applied:
    return parts.objective(Objective.model_validate({"max_age": 60, **keys}))


PATTERNS = (".*", ".+", "a", "b", "a|b", "a.*", ".b", "ab", r"a\.b", "[ab]", "x")
NAMES = ("a", "b", "ab", "a.b", "xb")
some = st.sampled_from(PATTERNS)
objective = st.fixed_dictionaries(
    {"max_age": st.just(60.0)},
    optional={
        "cluster": some,
        "namespace": some,
        "vm": some,
        "labels": st.dictionaries(st.just("tier"), some, max_size=1),
    },
).map(Objective.model_validate)
fixed = st.none() | st.sampled_from(NAMES)


def covers(place: Place, cluster: str, namespace: str, vm: str) -> bool:
    names = zip(place, (cluster, namespace, vm), strict=True)
    return all(wanted is None or wanted == name for wanted, name in names)


@given(st.lists(objective, max_size=5), st.lists(st.builds(Place, fixed, fixed, fixed), max_size=3))
def test_an_objective_that_applies_somewhere_is_never_reported(
    objectives: list[Objective], watched: list[Place]
) -> None:
    applied = [parts.objective(each) for each in objectives]
    used = {
        first(applied, cluster, namespace, vm, labels)
        for cluster, namespace, vm in itertools.product(NAMES, repeat=3)
        if any(covers(place, cluster, namespace, vm) for place in watched)
        for labels in ((), (("tier", ""),), (("tier", "a"),), (("tier", "ab"),))
    }
    reported = {
        int(sentence[len("objectives[") :].split("]")[0]) for sentence in unused(applied, watched)
    }
    assert used.isdisjoint(reported)


def first(
    applied: list[Applied],
    cluster: str,
    namespace: str,
    vm: str,
    labels: tuple[tuple[str, str], ...],
) -> int | None:
    machine = VirtualMachine(namespace=namespace, name=vm, labels=labels)
    found = (
        index
        for index, each in enumerate(applied)
        if each.applies(Cluster(uid="uid", name=cluster), machine)
    )
    return next(found, None)


def test_machines_are_watched_where_targets_cover_them() -> None:
    def target(path: str, name: str = "") -> Target:
        uid, namespace, vm, snapshot = (*path.split("/"), "", "", "")[:4]
        return Target(
            cluster_uid=uid, namespace=namespace, vm=vm, snapshot=snapshot, cluster_name=name
        )

    configured = by_cluster(
        [target("1", "east"), target("2/vms"), target("2/db/db-01"), target("3/vms/a/nightly")]
    )
    found = {Place("east"), Place(None, "vms"), Place(None, "db", "db-01")}
    assert set(places(configured)) == found
