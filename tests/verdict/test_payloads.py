"""Documents that hide lost data: the series, the verdict and the problems of each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.verdict import Severity, Verdict
from tests.harness import Scrape
from tests.palette_server.server import PaletteServer
from tests.palette_server.world import World
from tests.payloads import FOLDER
from tests.process import scrape
from tests.verdict.judged import NOW, Judged, judged_of, state_of
from tests.web.running import exporter_of

CLUSTER, NAME, PROJECT = "6540a1b2c3d4e5f600000001", "prod-east", "65f0c0ffee00000000000001"
HOUR = 3_600.0
V, S = "palette_vm_", "palette_vm_snapshot_"
DEADLINE = f"{S}objective_deadline_timestamp_seconds"


def document(name: str) -> Any:
    return json.loads((FOLDER / "verdict" / f"{name}.json").read_text())


def judged_vm(name: str) -> Judged:
    found = document(name)
    (vm,) = judged_of(state_of(found["vms"], found["snapshots"]))
    return vm


async def scraped(name: str) -> Scrape:
    """Return what a real exporter exposes about such a cluster, with an objective of 26 hours."""
    world = World.empty(now=NOW)
    world.add_cluster(CLUSTER, NAME, PROJECT)
    found = document(name)
    for vm in found["vms"]:
        world.put_vm(CLUSTER, vm)
    for snapshot in found["snapshots"]:
        world.put_snapshot(CLUSTER, snapshot)
    targets = [{"cluster_uid": CLUSTER, "cluster_name": NAME}]
    objectives: Any = [{"max_age": "26h"}]
    async with (
        PaletteServer(world) as palette,
        exporter_of(palette, targets, wall=lambda: NOW, objectives=objectives) as running,
    ):
        await running.ready()
        return Scrape.of(await scrape(running.url))


UNPROTECTED = {"unsnapshottable": 0.0, "excluded": 0.0, "newer": 0.0}

SERIES: list[tuple[str, dict[str, float | None], dict[str, float] | None]] = [
    (
        "data-disk-left-out",
        {f"{S}restorable": 1, f"{V}unsnapshottable_volumes": 1, DEADLINE: NOW + 24 * HOUR},
        UNPROTECTED | {"unsnapshottable": 1.0},
    ),
    (
        "tpm-state-left-out",
        {f"{S}restorable": 1, f"{V}unprotected_state_volumes": 1, DEADLINE: NOW + 24 * HOUR},
        UNPROTECTED,
    ),
    (
        "only-tpm-state-inside",
        {f"{S}restorable": 0, f"{V}restorable_snapshots": 0, DEADLINE: NOW - (90 * 24 - 26) * HOUR},
        UNPROTECTED | {"unsnapshottable": 1.0},
    ),
    (
        "restorable-of-unknown-time",
        {
            f"{V}last_restorable_snapshot_timestamp_seconds": NOW - 200 * HOUR,
            DEADLINE: NOW - 174 * HOUR,
            f"{S}creation_timestamp_seconds": None,
        },
        None,
    ),
    ("vm-of-unknown-age", {DEADLINE: 0.0, f"{V}snapshots": 0}, None),
    (
        "predecessor",
        {
            f"{V}last_restorable_snapshot_timestamp_seconds": NOW - 480 * HOUR,
            f"{V}created_timestamp_seconds": NOW - 240 * HOUR,
        },
        None,
    ),
    ("source-indications-only", {f"{V}restorable_snapshots": 1}, None),
    ("lost-of-unknown-time", {f"{V}restorable_snapshots": 1, f"{V}snapshots": 2}, None),
]


@pytest.mark.parametrize(("name", "series", "unprotected"), SERIES)
async def test_the_series_of_each_situation_show_the_risk(
    name: str, series: dict[str, float | None], unprotected: dict[str, float] | None
) -> None:
    found = await scraped(name)
    assert {each: found.value(each) for each in series} == series
    rows = found.rows("palette_vm_unprotected_volumes", "reason")
    assert rows == (unprotected or {})


async def test_indications_of_the_source_are_indications() -> None:
    found = await scraped("source-indications-only")
    names = found.rows("palette_vm_snapshot_indication", "indication")
    assert names == {"Online": 1.0, "NoGuestAgent": 1.0}


PROBLEMS: list[tuple[str, Verdict, list[str]]] = [
    ("data-disk-left-out", Verdict.NOT_PROTECTED, ["unprotected_volumes", "volumes_unknown"]),
    ("tpm-state-left-out", Verdict.PROTECTED, ["state_left_out"]),
    (
        "only-tpm-state-inside",
        Verdict.NOT_PROTECTED,
        ["unprotected_volumes", "no_restorable", "without_disks"],
    ),
    ("restorable-of-unknown-time", Verdict.UNKNOWN, ["volumes_unknown"]),
    ("vm-of-unknown-age", Verdict.NOT_PROTECTED, ["no_restorable", "volumes_unknown"]),
    ("predecessor", Verdict.UNKNOWN, ["volumes_unknown", "predecessor"]),
    ("source-indications-only", Verdict.UNKNOWN, ["volumes_unknown", "crash_consistent"]),
    ("lost-of-unknown-time", Verdict.UNKNOWN, ["data_lost", "volumes_unknown"]),
]


@pytest.mark.parametrize(("name", "verdict", "problems"), PROBLEMS)
def test_the_problems_of_each_situation_are_found(
    name: str, verdict: Verdict, problems: list[str]
) -> None:
    found = judged_vm(name)
    assert found.problems == problems
    assert found.verdict == verdict


def test_lost_data_of_unknown_time_is_dated_by_its_request() -> None:
    (lost, *_) = judged_vm("lost-of-unknown-time").findings
    assert lost.severity == Severity.CRITICAL
    assert lost.since == NOW - 30 * HOUR
    assert lost.snapshots == ("lost",)
    assert lost.quote == "VolumeSnapshots (x) missing"
