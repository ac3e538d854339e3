from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from exporter.demo.documents import SCHEDULED_LABEL, vm_document
from exporter.demo.stages import snapshot_document
from tests.palette_server.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_795_140_000.0
SEEDS = range(1, 4)


def everything(world: World) -> list[Any]:
    return [(c.uid, world.vms(c.uid), world.snapshots(c.uid)) for c in world.clusters()]


def snapshots(world: World) -> Iterator[Any]:
    for cluster in world.clusters():
        yield from world.snapshots(cluster.uid)


def counts(world: World) -> tuple[int, int, int]:
    """Return the numbers of clusters, VMs and snapshots."""
    clusters = world.clusters()
    vms, snaps = (sum(len(getattr(c, kind)) for c in clusters) for kind in ("vms", "snapshots"))
    return len(clusters), vms, snaps


def phase(document: Any) -> str:
    return str((document.get("status") or {}).get("phase", "requested"))


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def assert_obeys_kubevirt(document: Any, now: float) -> None:
    """Assert the rules that hold between the fields of a snapshot, whatever its stage."""
    metadata, status = document["metadata"], document.get("status")
    requested_at = seconds(metadata["creationTimestamp"])
    assert requested_at <= now
    if status is None:
        assert "finalizers" not in metadata
        return
    assert metadata["finalizers"] == ["snapshot.kubevirt.io/vmsnapshot-protection"]
    conditions = {c["type"]: c for c in status["conditions"]}
    assert all(requested_at <= seconds(c["lastTransitionTime"]) <= now for c in conditions.values())
    finished = status["phase"] == "Succeeded"
    assert ("creationTime" in status) is ("snapshotVolumes" in status) is finished
    if finished:
        assert requested_at <= seconds(status["creationTime"]) <= now
    assert not status["readyToUse"] or finished
    assert (conditions["Ready"]["status"] == "True") is status["readyToUse"]
    assert ("Failure" in conditions) is (status["phase"] == "Failed")
    assert (status["phase"] == "Deleting") <= ("deletionTimestamp" in metadata)
    if status["phase"] == "InProgress":
        assert "deletionTimestamp" not in metadata
    if status["phase"] == "Failed":
        deadline = {"45s": 45}.get(document["spec"].get("failureDeadline"), 300)
        moment = seconds(conditions["Failure"]["lastTransitionTime"])
        assert moment >= requested_at + deadline


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fleet_is_large_enough_from_the_start(seed: int) -> None:
    clusters, vms, snaps = counts(World(seed=seed, now=NOW))
    assert clusters >= 3
    assert vms >= 40
    assert snaps >= 120


@pytest.mark.parametrize("seed", SEEDS)
def test_the_number_of_snapshots_stays_steady_over_hours(seed: int) -> None:
    world = World(seed=seed, now=NOW)
    at_first = counts(world)[2]
    for step in range(1, 7):
        world.advance(NOW + step * 1800)
        clusters, vms, snaps = counts(world)
        assert (clusters, vms) == (3, 42)
        assert at_first - 10 < snaps < at_first + 20
        assert snaps >= 120


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("pace", [0.05, 1.0, 20.0])
def test_every_document_obeys_kubevirt_at_all_times(seed: int, pace: float) -> None:
    world, now = World(seed=seed, now=NOW, pace=pace), NOW
    for step in (0, 1, 2, 5, 7, 11, 30, 45, 60, 301, 900):
        now += step
        world.advance(now)
        for document in snapshots(world):
            assert_obeys_kubevirt(document, now)


@pytest.mark.parametrize("seed", SEEDS)
def test_history_shows_every_state(seed: int) -> None:
    world = World(seed=seed, now=NOW)
    vms = {
        (c.uid, vm["metadata"]["namespace"], vm["metadata"]["name"])
        for c in world.clusters()
        for vm in world.vms(c.uid)
    }
    seen, covered = set(), set()
    for cluster in world.clusters():
        for document in world.snapshots(cluster.uid):
            metadata, status = document["metadata"], document.get("status") or {}
            vm = (cluster.uid, metadata["namespace"], document["spec"]["source"]["name"])
            covered.add(vm)
            dying = "deletionTimestamp" in metadata
            seen |= {
                (phase(document), status.get("readyToUse", False), "error" in status, dying),
                ("orphan", vm not in vms),
                ("scheduled", SCHEDULED_LABEL in metadata.get("labels", {})),
                ("no source", phase(document) == "InProgress" and "sourceUID" not in status),
            }
            if status.get("readyToUse"):
                volumes = status["snapshotVolumes"]
                marks = set(status.get("indications", ()))
                seen |= {
                    ("configuration only", not volumes["includedVolumes"]),
                    ("online", "Online" in marks),
                    ("partial", {"PartialSnapshot", "QuiesceTimeout"} <= marks),
                }
    assert {
        ("requested", False, False, False),
        ("InProgress", False, False, False),
        ("Succeeded", False, False, False),
        ("Succeeded", True, False, False),
        ("Succeeded", True, True, False),
        ("Succeeded", False, True, False),
        ("Succeeded", True, False, True),
        ("Failed", False, False, False),
        ("Failed", False, True, False),
        ("Deleting", False, False, True),
        ("orphan", True),
        ("scheduled", True),
        ("scheduled", False),
        ("no source", True),
        ("configuration only", True),
        ("online", True),
        ("online", False),
        ("partial", True),
    } <= seen
    assert vms - covered, "no VM is without a snapshot"


def test_ages_spread_from_minutes_to_weeks_and_still_do_after_hours() -> None:
    world = World(now=NOW)
    for now in (NOW, NOW + 3 * 3600):
        for _ in range(3):
            world.advance(now)
        ages = [now - seconds(each["metadata"]["creationTimestamp"]) for each in snapshots(world)]
        spread = Counter(len(str(int(age))) for age in ages)
        assert min(ages) < 300
        assert max(ages) > 14 * 86_400
        assert all(spread[digits] >= 3 for digits in (4, 5, 6, 7)), spread


@pytest.mark.parametrize("seed", SEEDS)
def test_two_minutes_show_several_changes(seed: int) -> None:
    world = World(seed=seed, now=NOW)
    changes: Counter[tuple[str, str]] = Counter()
    last = {document["metadata"]["uid"]: phase(document) for document in snapshots(world)}
    vms = [world.vms(c.uid) for c in world.clusters()]
    for second in range(1, 121):
        world.advance(NOW + second)
        this = {document["metadata"]["uid"]: phase(document) for document in snapshots(world)}
        every = last.keys() | this.keys()
        changes.update((last.get(uid, "-"), this.get(uid, "-")) for uid in every)
        last = this
    assert changes["-", "requested"] >= 5
    assert changes["requested", "InProgress"] >= 5
    assert changes["InProgress", "Succeeded"] >= 4
    assert changes["Succeeded", "-"] >= 3
    assert vms != [world.vms(c.uid) for c in world.clusters()]


def test_a_snapshot_is_usually_ready_within_a_minute_of_its_request() -> None:
    world = World(now=NOW)
    asked: dict[str, float] = {}
    done: dict[str, float] = {}
    for second in range(1, 400):
        world.advance(NOW + second)
        for document in snapshots(world):
            uid, status = document["metadata"]["uid"], document.get("status") or {}
            if not status:
                asked.setdefault(uid, second)
            if status.get("readyToUse") and uid in asked:
                done.setdefault(uid, second)
    took = sorted(done[uid] - asked[uid] for uid in done)
    assert len(took) > 20
    assert 14 <= took[len(took) // 2] <= 40


def test_some_fail_and_some_are_lost_as_time_passes() -> None:
    world = World(now=NOW)
    seen: set[tuple[str, str]] = set()
    for step in range(1, 60):
        world.advance(NOW + step * 20)
        for document in snapshots(world):
            if seconds(document["metadata"]["creationTimestamp"]) > NOW:
                status = document.get("status") or {}
                message = status.get("error", {}).get("message", "")
                lost = status.get("phase") == "Succeeded" and "missing" in message
                seen.add(("lost" if lost else phase(document), str(bool(message))))
    assert {("Failed", "True"), ("Failed", "False"), ("lost", "True")} <= seen


def test_the_same_seed_and_times_make_the_same_fleet() -> None:
    one, two, other = World(seed=7, now=NOW), World(seed=7, now=NOW), World(seed=8, now=NOW)
    for now in (NOW, NOW + 17, NOW + 400, NOW + 90_000):
        for world in (one, two, other):
            world.advance(now)
        assert everything(one) == everything(two)
        assert everything(one) != everything(other)


def test_the_number_of_requests_changes_nothing() -> None:
    watched, alone = World(now=NOW), World(now=NOW)
    for second in range(1200):
        watched.advance(NOW + second / 2)
    alone.advance(NOW + 1199 / 2)
    assert everything(watched) == everything(alone)


def test_a_leap_of_a_year_is_bounded_work() -> None:
    world, hour = World(now=NOW), World(now=NOW)
    played = _events(world, NOW + 365 * 86_400)
    assert 100 < played < 2 * _events(hour, NOW + 3600)
    assert counts(world)[2] >= 120


def _events(world: World, now: float) -> int:
    """Return how many snapshots an advance changed."""
    before = sum(cluster.snapshots.revision for cluster in world.clusters())
    world.advance(now)
    return sum(cluster.snapshots.revision for cluster in world.clusters()) - before


def test_going_back_in_time_changes_nothing() -> None:
    world = World(now=NOW)
    world.advance(NOW + 60)
    before = everything(world)
    world.advance(NOW)
    assert everything(world) == before


def test_pace_makes_life_faster_and_zero_stops_it() -> None:
    slow, fast, still = (World(now=NOW, pace=pace) for pace in (1, 10, 0))
    before = everything(still)
    assert _events(fast, NOW + 60) > 4 * _events(slow, NOW + 60)
    still.advance(NOW + 3600)
    assert everything(still) == before


@pytest.mark.parametrize(("clusters", "vms"), [(0, 0), (0, 5), (1, 0), (1, 1), (5, 3), (7, 60)])
def test_a_fleet_of_any_size_changes(clusters: int, vms: int) -> None:
    world = World(clusters=clusters, vms=vms, now=NOW)
    world.advance(NOW + 600)
    assert counts(world)[:2] == (clusters, vms if clusters else 0)


def test_objects_removed_by_hand_do_not_stop_later_changes() -> None:
    world = World(now=NOW)
    first, second, third = (cluster.uid for cluster in world.clusters())
    world.remove_cluster(first)
    for document in world.snapshots(second):
        metadata = document["metadata"]
        world.delete_snapshot(second, metadata["namespace"], metadata["name"])
    for namespace in {vm["metadata"]["namespace"] for vm in world.vms(third)}:
        world.delete_namespace(third, namespace)
    for step in range(30):
        world.advance(NOW + step * 20)
    assert counts(world)[:2] == (2, 14)
    assert world.snapshots(second)
    assert world.snapshots(third) == []


def test_an_empty_world_keeps_its_objects_and_never_changes() -> None:
    world = World.empty(now=NOW)
    world.add_cluster("c", "name", "p")
    given = snapshot_document()
    world.put_snapshot("c", given)
    world.put_vm("c", vm_document(name="db-01"))
    before = everything(world)
    given["status"]["phase"] = "changed after it was put"
    world.snapshots("c")[0]["status"]["phase"] = "changed after it was got"
    world.advance(NOW + 10_000)
    assert everything(world) == before
    world.delete_snapshot("c", "vms", "db-01-nightly")
    world.delete_vm("c", "vms", "db-01")
    assert counts(world) == (1, 0, 0)
    with pytest.raises(KeyError):
        world.delete_snapshot("c", "vms", "db-01-nightly")


def test_any_document_can_be_put_somewhere() -> None:
    world = World.empty()
    world.add_cluster("c", "name", "p")
    given: list[Any] = [None, 7, "text", {}, {"metadata": None}, [], "\ud800"]
    for number, document in enumerate(given):
        world.put_snapshot("c", document, key=("ns", str(number)))
    assert world.snapshots("c") == given


def test_lists_are_ordered_by_namespace_and_name() -> None:
    for cluster in World(now=NOW).clusters():
        for objects in (cluster.vms, cluster.snapshots):
            keys = [item.key for item in objects]
            assert all(one < other for one, other in pairwise(keys))


def test_a_large_fleet_has_the_requested_size() -> None:
    world = World.fleet(clusters=4, vms=660, snapshots=2_000, now=NOW)
    assert counts(world) == (4, 660, 2_000)
    for document in snapshots(world):
        assert_obeys_kubevirt(document, NOW)
    before = everything(world)
    world.advance(NOW + 3600)
    assert everything(world) == before
