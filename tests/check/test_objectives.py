"""Objectives that can match nothing are found, and never one that could match something."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.check.objectives import Place, idle, places
from exporter.refresh.targets import Target, by_cluster
from exporter.rollup import Objective as Applied
from exporter.runtime import from_settings
from exporter.settings import Objective
from exporter.snapshot import Cluster, VirtualMachine

ANYWHERE = (Place(),)
CASES: dict[str, tuple[list[dict[str, object]], tuple[Place, ...], dict[int, str]]] = {
    "a list that ends in a catch-all": (
        [{"namespace": "prod-.*"}, {"vm": "db-.*"}, {}],
        ANYWHERE,
        {},
    ),
    "behind a catch-all": ([{}, {"namespace": "prod"}], ANYWHERE, {1: "objectives[0]"}),
    "behind one spelt out": (
        [{"cluster": ".*", "namespace": ".+"}, {"vm": "db"}],
        ANYWHERE,
        {1: "objectives[0]"},
    ),
    "the same again": (
        [{"namespace": "prod", "labels": {"tier": "gold"}}] * 2,
        ANYWHERE,
        {1: "objectives[0] comes first"},
    ),
    "behind a wider one": (
        [{"namespace": "prod-.*"}, {"namespace": "prod-a|prod-b", "vm": "db"}],
        ANYWHERE,
        {1: "objectives[0]"},
    ),
    "behind one for a label": ([{"labels": {"tier": "gold"}}, {}], ANYWHERE, {}),
    "behind the same label": (
        [{"labels": {"tier": ".*"}}, {"vm": "db", "labels": {"tier": "gold", "zone": "a"}}],
        ANYWHERE,
        {1: "objectives[0]"},
    ),
    "an empty label is no name": (
        [{"labels": {"tier": ".+"}}, {"labels": {"tier": ".*"}}],
        ANYWHERE,
        {},
    ),
    "dots stand for anything": (
        [{"namespace": "a.b"}, {"namespace": r"a\.b"}, {"namespace": "a.b.*"}],
        ANYWHERE,
        {1: "objectives[0]"},
    ),
    "elsewhere than the targets": (
        [{"namespace": "prod-.*"}, {"cluster": "west"}],
        (Place("east", "test"), Place(None, "test")),
        {0: "no cluster, namespace or virtual machine"},
    ),
    "left nothing by two": (
        [{"namespace": "a"}, {"namespace": "b"}, {"max_age": 5}],
        (Place(None, "a"), Place("east", "b", "vm")),
        {2: "objectives[0] and objectives[1]"},
    ),
    "no machine is covered": ([{}], (), {0: "name snapshots only"}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_can_match_nothing_is_told_with_its_reason(case: str) -> None:
    written, watched, expected = CASES[case]
    objectives = [Objective.model_validate({"max_age": 60, **each}) for each in written]
    found = dict(idle(objectives, watched))
    assert found.keys() == expected.keys()
    for index, words in expected.items():
        assert words in found[index]


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
def test_an_objective_that_applies_somewhere_is_never_called_idle(
    objectives: list[Objective], watched: list[Place]
) -> None:
    applied = [from_settings.objective(each) for each in objectives]
    used = {
        first(applied, cluster, namespace, vm, labels)
        for cluster, namespace, vm in itertools.product(NAMES, repeat=3)
        if any(covers(place, cluster, namespace, vm) for place in watched)
        for labels in ((), (("tier", ""),), (("tier", "a"),), (("tier", "ab"),))
    }
    assert used.isdisjoint(index for index, _ in idle(objectives, watched))


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


@given(st.text(min_size=1, max_size=8))
def test_a_name_taken_literally_is_known_as_that_name(name: str) -> None:
    objectives = [
        Objective(max_age=60, vm=re.compile(re.escape(name))),
        Objective(max_age=60, vm=re.compile(".*")),
    ]
    assert dict(idle(objectives, [Place("c", "n", name)])).keys() == {1}


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
    assert set(places(configured, discovery=False)) == found
    assert set(places(configured, discovery=True)) == {*found, Place()}
