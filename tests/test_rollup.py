"""Rows of virtual machines, from values alone."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from exporter.rollup import Objective, VirtualMachineRow, first_objective, roll_up
from exporter.snapshot import Cluster, ClusterState, Listing, Snapshot, VirtualMachine
from exporter.volumes import Volumes
from tests.strategies import cluster_states

CLUSTER = Cluster(uid="6540", name="prod-east")
DB = VirtualMachine(namespace="erp", name="db-01", labels=(("app", "db"), ("tier", "gold")))
GOOD = Snapshot(
    namespace="erp",
    vm="db-01",
    name="good",
    phase="Succeeded",
    ready_to_use=True,
    requested_at=1e9,
    creation_time=1e9 + 10,
    volumes=Volumes(included=("root",)),
)


def row(*snapshots: Snapshot) -> VirtualMachineRow:
    """Return the row of the machine, its snapshots in either order."""
    rows = [*roll_up(state(*snapshots), ()), *roll_up(state(*reversed(snapshots)), ())]
    assert rows[0] == rows[1]
    return rows[0]


def state(*snapshots: Snapshot, machines: tuple[VirtualMachine, ...] = (DB,)) -> ClusterState:
    listing = Listing(
        snapshots=snapshots,
        virtual_machines=machines,
        known_machines=frozenset(vm.key for vm in machines),
        namespaces=frozenset(),
        read_at=0.0,
    )
    return ClusterState(cluster=CLUSTER, up=True, listing=listing)


def test_a_machine_without_snapshots_has_a_row_of_zeros() -> None:
    assert row() == VirtualMachineRow(vm=DB)


def test_where_no_list_was_read_there_is_no_row() -> None:
    assert list(roll_up(dataclasses.replace(state(GOOD), listing=None), ())) == []


@pytest.mark.parametrize(
    ("change", "restorable"),
    [
        ({}, 1),
        ({"ready_to_use": False}, 0),
        ({"deleting": True}, 0),
        ({"phase": "Failed"}, 0),
        ({"volumes": None}, 1),
        ({"volumes": Volumes(included=())}, 0),
        ({"volumes": Volumes(included=(), excluded=("root",))}, 0),
        ({"volumes": Volumes(included=None)}, 0),
        ({"phase": "", "creation_time": None}, 1),
        ({"phase": None}, 1),
    ],
)
def test_only_a_snapshot_with_data_is_restorable(
    change: dict[str, object], restorable: int
) -> None:
    found = row(replace(GOOD, **change))
    assert found.restorable == restorable
    assert found.snapshots == 1


def test_the_newest_restorable_one_counts_by_when_its_data_was_taken() -> None:
    asked_later = replace(GOOD, name="b", requested_at=2e9, creation_time=1e9 + 5)
    not_ready = replace(GOOD, name="c", creation_time=3e9, ready_to_use=False)
    undated = replace(GOOD, name="d", creation_time=None)
    assert row(GOOD, asked_later, not_ready, undated).recovery_point == 1e9 + 10
    assert row(undated).recovery_point == GOOD.requested_at


def test_the_oldest_snapshot_counts_by_its_data_otherwise_by_its_request() -> None:
    untaken = replace(GOOD, name="b", creation_time=None, requested_at=1e9 + 5)
    assert row(GOOD, untaken).oldest == 1e9 + 5
    assert row(GOOD, replace(untaken, requested_at=None)).oldest == 1e9 + 10
    assert row(replace(untaken, requested_at=None)).oldest is None


def test_the_last_snapshot_is_the_one_requested_last() -> None:
    failed = replace(GOOD, name="b", phase="Failed", requested_at=1e9 + 60)
    later = replace(GOOD, name="c", requested_at=1e9 + 120, creation_time=None)
    assert row(GOOD, failed).last_failed
    assert not row(GOOD, failed, later).last_failed
    assert row(GOOD, failed, later).failed == 1
    same_second = replace(failed, requested_at=GOOD.requested_at)
    assert row(GOOD, same_second).last_failed


def test_snapshots_of_a_machine_of_that_name_elsewhere_are_not_its_own() -> None:
    assert row(replace(GOOD, namespace="shop")).snapshots == 0


@given(cluster_states())
def test_every_listed_machine_has_one_row_that_adds_up(found: ClusterState) -> None:
    rows = list(roll_up(found, ()))
    machines = found.listing.virtual_machines if found.listing else ()
    assert [each.vm for each in rows] == list(machines)
    for each in rows:
        assert 0 <= each.restorable <= each.ready <= each.snapshots
        assert each.restorable + each.failed <= each.snapshots
        assert each.last_failed <= bool(each.failed)
        assert each.recovery_point is None or each.restorable
        if each.recovery_point is not None:
            assert each.oldest is not None
    known = {vm.key for vm in machines}
    listed = found.listing.snapshots if found.listing else ()
    counted = [each for each in listed if each.vm_key in known and not each.temporary]
    assert sum(each.snapshots for each in rows) == len(counted)


PATTERNS = (None, "", ".*", "erp", "er", "db-01", "db", "prod-east", "prod", "gold")
patterns = st.sampled_from(PATTERNS)
objectives = st.lists(
    st.tuples(
        st.integers(1, 100),
        patterns,
        patterns,
        patterns,
        st.lists(st.tuples(st.sampled_from(["tier", "app", "none"]), patterns), max_size=2),
    ),
    max_size=5,
)


@given(objectives)
def test_the_first_objective_that_matches_whole_names_applies(
    wanted: list[tuple[int, str | None, str | None, str | None, list[tuple[str, str | None]]]],
) -> None:
    def fits(pattern: str | None, name: str | None) -> bool:
        return pattern is None or (name is not None and pattern in (".*", name))

    labels = dict(DB.labels)
    expected = None
    for age, cluster, namespace, vm, of_labels in wanted:
        names = ((cluster, "prod-east"), (namespace, "erp"), (vm, "db-01"))
        tagged = all(fits(pattern or ".*", labels.get(name)) for name, pattern in of_labels)
        if all(fits(*each) for each in names) and tagged:
            expected = float(age)
            break

    def compiled(pattern: str | None) -> re.Pattern[str] | None:
        return None if pattern is None else re.compile(pattern)

    made = [
        Objective(
            max_age=float(age),
            cluster=compiled(cluster),
            namespace=compiled(namespace),
            vm=compiled(vm),
            labels=tuple((name, re.compile(pattern or ".*")) for name, pattern in of_labels),
        )
        for age, cluster, namespace, vm, of_labels in wanted
    ]
    found = first_objective(made, CLUSTER, DB)
    assert found.max_age == expected


def test_the_objective_is_in_the_row_of_its_machine_only() -> None:
    other = replace(DB, name="web-01", labels=())
    gold = Objective(max_age=60.0, labels=(("tier", re.compile("gold")),))
    rows = list(roll_up(state(machines=(DB, other)), [gold]))
    assert [each.objective.max_age for each in rows] == [60.0, None]
