"""The conditions of each alert about VMs and snapshots."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.conftest import Program
from tests.deploy.situations import DAY, Labels, Situation, complaints, firing

Make = Callable[[Situation, Labels, str], object]
"""Adds a VM with a name to a cluster."""

HOUR = 3600


def vm(**metrics: Any) -> Make:
    return lambda situation, cluster, name: situation.vm(cluster, name, **metrics)


def volumes(*, objective: bool = False, **reasons: float | str) -> Make:
    def make(situation: Situation, cluster: Labels, name: str) -> None:
        promised = {"snapshot_objective_seconds": 9e9} if objective else {}
        situation.unprotected(situation.vm(cluster, name, **promised), **reasons)

    return make


def snapshot(*indications: str, of: Mapping[str, Any] | None = None, **metrics: Any) -> Make:
    def make(situation: Situation, cluster: Labels, name: str) -> None:
        machine = situation.vm(cluster, name, **(of or {}))
        situation.indications(situation.snapshot(machine, **metrics), *indications)

    return make


def two(first: Mapping[str, Any], second: Mapping[str, Any], **of: Any) -> Make:
    """Add an older snapshot and a newer one."""

    def make(situation: Situation, cluster: Labels, name: str) -> None:
        machine = situation.vm(cluster, name, **of)
        situation.snapshot(machine, "older", **{"requested_timestamp_seconds": -2 * DAY, **first})
        situation.snapshot(machine, "newer", **second)

    return make


def orphan(situation: Situation, cluster: Labels, name: str) -> None:
    machine = {**cluster, "namespace": "shop", "vm": name}
    situation.snapshot(machine, orphan=1)


def scheduled(*days: float, of: Mapping[str, Any] | None = None) -> Make:
    def make(situation: Situation, cluster: Labels, name: str) -> None:
        machine = situation.vm(cluster, name, **(of or {}))
        for number, day in enumerate(days):
            made = situation.snapshot(machine, f"s{number}", requested_timestamp_seconds=-day * DAY)
            info = {"uid": f"{number}", "scheduled": "true"}
            situation.add("palette_vm_snapshot_info", {**made, **info}, 1)

    return make


def transition(at: float, **metrics: Any) -> Make:
    """Add a snapshot whose Ready condition changed at this time."""

    def make(situation: Situation, cluster: Labels, name: str) -> None:
        made = situation.snapshot(situation.vm(cluster, name), **metrics)
        family = "palette_vm_snapshot_condition_last_transition_timestamp_seconds"
        situation.add(family, {**made, "condition": "Ready"}, at)

    return make


STOPPED = {"status": "Stopped"}


def stopped(**metrics: Any) -> Make:
    def make(situation: Situation, cluster: Labels, name: str) -> None:
        machine = situation.vm(cluster, name, **metrics)
        situation.add("palette_vm_status", {**machine, **STOPPED}, 1)

    return make


MISSED = {
    "snapshot_objective_seconds": HOUR,
    "snapshot_objective_deadline_timestamp_seconds": -1,
}
NOT_READY: dict[str, Any] = {
    "ready": 0,
    "restorable": 0,
    "creation_timestamp_seconds": -DAY + 60,
}
QUIET = ""

CASES: dict[str, dict[str, tuple[Make, str]]] = {
    "PaletteVMSnapshotObjectiveMissed": {
        "missed": (vm(**MISSED), "critical"),
        "stopped": (stopped(**MISSED), "warning"),
        "nothing-known": (
            vm(snapshot_objective_seconds=HOUR, created_timestamp_seconds="stale"),
            "critical",
        ),
        "deadline-of-0": (
            vm(
                snapshot_objective_seconds=HOUR,
                snapshot_objective_deadline_timestamp_seconds=0,
            ),
            "critical",
        ),
        "deadline-not-exported": (
            vm(
                snapshot_objective_seconds=HOUR,
                last_restorable_snapshot_timestamp_seconds=-HOUR - 1,
            ),
            "critical",
        ),
        "time-unreadable": (vm(snapshot_objective_seconds=HOUR), "critical"),
        "met": (
            vm(
                snapshot_objective_seconds=HOUR,
                snapshot_objective_deadline_timestamp_seconds=HOUR,
            ),
            QUIET,
        ),
        "met-by-time": (
            vm(
                snapshot_objective_seconds=HOUR,
                last_restorable_snapshot_timestamp_seconds=0,
            ),
            QUIET,
        ),
        "new": (
            vm(
                snapshot_objective_seconds=HOUR,
                created_timestamp_seconds=0,
                restorable_snapshots=0,
            ),
            QUIET,
        ),
        "without-objective": (vm(last_restorable_snapshot_timestamp_seconds=-9e8), QUIET),
        "being-deleted": (vm(**MISSED, deletion_timestamp_seconds=-60), QUIET),
        "exempt": (vm(**MISSED, exempt=1), QUIET),
    },
    "PaletteVMWithoutRestorableSnapshot": {
        "none": (vm(restorable_snapshots=0), "warning"),
        "a-day-old": (vm(restorable_snapshots=0, created_timestamp_seconds=-DAY), "warning"),
        "age-unknown": (
            vm(restorable_snapshots=0, created_timestamp_seconds="stale"),
            "warning",
        ),
        "younger": (vm(restorable_snapshots=0, created_timestamp_seconds=-DAY + 1800), QUIET),
        "one": (vm(restorable_snapshots=1), QUIET),
        "exempt": (vm(restorable_snapshots=0, exempt=1), QUIET),
        "being-deleted": (vm(restorable_snapshots=0, deletion_timestamp_seconds=-9), QUIET),
    },
    "PaletteSnapshotIncomplete": {
        "no-class": (volumes(unsnapshottable=1), "warning"),
        "excluded": (volumes(excluded=1), "warning"),
        "attached-later": (volumes(newer=2), "warning"),
        "promised": (volumes(newer=1, objective=True), "critical"),
        "volumes-unknown": (snapshot("PartialSnapshot"), "warning"),
        "state-left-out": (vm(unprotected_state_volumes=1), "warning"),
        "all-inside": (volumes(), QUIET),
        "all-inside-promised": (volumes(objective=True), QUIET),
        "volumes-unknown-whole": (snapshot("Online", "GuestAgent"), QUIET),
        "not-restorable": (snapshot("PartialSnapshot", restorable=0), QUIET),
    },
    "PaletteVMNotQuiesced": {
        "power-cut": (
            snapshot(
                "Online", of={"snapshot_objective_quiesced": 1}, creation_timestamp_seconds=-9
            ),
            "warning",
        ),
        "timed-out": (
            snapshot(
                *("Online", "GuestAgent", "QuiesceTimeout"),
                of={"snapshot_objective_quiesced": 1},
                creation_timestamp_seconds=-9,
            ),
            "warning",
        ),
        "quiesced": (
            snapshot(
                *("Online", "GuestAgent"),
                of={"snapshot_objective_quiesced": 1},
                creation_timestamp_seconds=-9,
            ),
            QUIET,
        ),
        "off": (
            snapshot(of={"snapshot_objective_quiesced": 1}, creation_timestamp_seconds=-9),
            QUIET,
        ),
        "not-promised": (snapshot("Online", creation_timestamp_seconds=-9), QUIET),
    },
    "PaletteVMOnlyCrashConsistent": {
        "power-cut": (snapshot("Online"), "info"),
        "failed-to-freeze": (snapshot("Online", "GuestAgent", "QuiesceFailed"), "info"),
        "paused": (snapshot("Paused"), "info"),
        "quiesced": (snapshot("Online", "GuestAgent"), QUIET),
        "off": (snapshot(), QUIET),
        "reported-as-not-quiesced": (
            snapshot("Online", of={"snapshot_objective_quiesced": 1}),
            QUIET,
        ),
    },
    "PaletteVMVolumesUnknown": {
        "unknown": (vm(), "info"),
        "known": (volumes(), QUIET),
        "nothing-to-restore": (vm(restorable_snapshots=0), QUIET),
    },
    "PaletteVMOnlyPredecessorSnapshots": {
        "older": (
            vm(
                created_timestamp_seconds=-DAY,
                last_restorable_snapshot_timestamp_seconds=-2 * DAY,
            ),
            "info",
        ),
        "own": (
            vm(
                created_timestamp_seconds=-2 * DAY,
                last_restorable_snapshot_timestamp_seconds=-DAY,
            ),
            QUIET,
        ),
    },
    "PaletteVMTooFewSnapshots": {
        "two-of-three": (vm(restorable_snapshots=2, snapshot_objective_min_snapshots=3), "warning"),
        "three": (vm(restorable_snapshots=3, snapshot_objective_min_snapshots=3), QUIET),
        "no-objective": (vm(restorable_snapshots=0), QUIET),
    },
    "PaletteVMSnapshotsPilingUp": {
        "32": (vm(snapshots=32), "info"),
        "above-objective": (vm(snapshots=15, snapshot_objective_max_snapshots=14), "info"),
        "31": (vm(snapshots=31), QUIET),
        "objective-allows": (vm(snapshots=40, snapshot_objective_max_snapshots=40), QUIET),
    },
    "PaletteSnapshotTooOld": {
        "30d": (vm(oldest_snapshot_timestamp_seconds=-30 * DAY - 1), "info"),
        "above-objective": (
            vm(
                oldest_snapshot_timestamp_seconds=-8 * DAY,
                snapshot_objective_max_age_seconds=7 * DAY,
            ),
            "info",
        ),
        "by-age": (snapshot(age_seconds=f"{31 * DAY}+60x60"), "info"),
        "29d": (vm(oldest_snapshot_timestamp_seconds=-29 * DAY), QUIET),
        "objective-allows": (
            vm(
                oldest_snapshot_timestamp_seconds=-90 * DAY,
                snapshot_objective_max_age_seconds=99 * DAY,
            ),
            QUIET,
        ),
    },
    "PaletteVMScheduleStopped": {
        "daily": (scheduled(4, 5, 6), "warning"),
        "hourly": (scheduled(2.1, 2.15, 2.2), "warning"),
        "single": (scheduled(2.1), "warning"),
        "still-running": (scheduled(2.9, 3.9, 4.9), QUIET),
        "weekly": (scheduled(20, 27, 34), QUIET),
        "promised": (scheduled(9, of={"snapshot_objective_seconds": 9e9}), QUIET),
        "by-hand": (snapshot(requested_timestamp_seconds=-90 * DAY), QUIET),
    },
    "PaletteSnapshotFailed": {
        "last": (snapshot(of={"last_snapshot_failed": 1}, phase="Failed", ready=0), "warning"),
        "older": (two({"phase": "Failed", "ready": 0}, {}), "info"),
        "none": (snapshot(), QUIET),
        "being-deleted": (
            snapshot(phase="Failed", ready=0, deletion_timestamp_seconds=-60),
            QUIET,
        ),
    },
    "PaletteSnapshotStuckInProgress": {
        "past-deadline": (
            snapshot(phase="InProgress", ready=0, requested_timestamp_seconds=-601),
            "warning",
        ),
        "no-deadline": (
            snapshot(
                phase="InProgress",
                ready=0,
                failure_deadline_seconds=0,
                requested_timestamp_seconds=-HOUR,
            ),
            "warning",
        ),
        "unknown-time": (
            snapshot(phase="InProgress", ready=0, requested_timestamp_seconds="stale"),
            "warning",
        ),
        "unknown-phase": (snapshot(phase="Unknown", ready=0), "warning"),
        "within-deadline": (
            snapshot(
                phase="InProgress",
                ready=0,
                failure_deadline_seconds=3 * HOUR,
                requested_timestamp_seconds=-HOUR,
            ),
            QUIET,
        ),
        "finished": (snapshot(phase="Failed", ready=0), QUIET),
        "being-deleted": (
            snapshot(phase="InProgress", ready=0, deletion_timestamp_seconds=-60),
            QUIET,
        ),
    },
    "PaletteSnapshotDataLost": {
        "was-ready": (transition(-60, **NOT_READY), "critical"),
        "error": (snapshot(**NOT_READY, error=1), "critical"),
        "error-of-unknown-age": (
            snapshot(
                **(NOT_READY | {"creation_timestamp_seconds": "stale"}),
                error=1,
            ),
            "critical",
        ),
        "not-ready-yet": (transition(-2 * DAY, **NOT_READY), "warning"),
        "old-error": (
            snapshot(**NOT_READY, error=1, error_timestamp_seconds=-2 * DAY),
            "warning",
        ),
        "recent": (snapshot(**(NOT_READY | {"creation_timestamp_seconds": 0})), QUIET),
        "ready": (transition(-60, creation_timestamp_seconds=-DAY), QUIET),
        "being-deleted": (snapshot(**NOT_READY, deletion_timestamp_seconds=-60), QUIET),
    },
    "PaletteSnapshotWithoutDisks": {
        "configuration-only": (snapshot(included_volumes=0, restorable=0), "warning"),
        "only-state": (snapshot(included_volumes=1, restorable=0), "warning"),
        "older-one": (two({"included_volumes": 0, "restorable": 0}, {}), QUIET),
        "newest-one": (two({}, {"included_volumes": 0, "restorable": 0}), "warning"),
        "whole": (snapshot(included_volumes=1), QUIET),
        "unknown": (snapshot(), QUIET),
        "being-deleted": (
            snapshot(included_volumes=0, restorable=0, deletion_timestamp_seconds=-60),
            QUIET,
        ),
    },
    "PaletteSnapshotStuckDeleting": {
        "half-an-hour": (snapshot(deletion_timestamp_seconds=-1801), "warning"),
        "recent": (snapshot(deletion_timestamp_seconds=0), QUIET),
        "not-deleted": (snapshot(), QUIET),
    },
    "PaletteSnapshotOrphaned": {
        "orphan": (orphan, "info"),
        "not-orphan": (snapshot(orphan=0), QUIET),
    },
}


def put(cases: Mapping[str, tuple[Make, str]]) -> Situation:
    situation = Situation()
    situation.up()
    cluster = situation.cluster()
    for name, (make, _) in cases.items():
        make(situation, cluster, name)
    return situation


@pytest.mark.parametrize("alert", CASES)
def test_an_alert_fires_exactly_under_its_condition(
    alert: str, promtool: Program, tmp_path: Path
) -> None:
    cases = CASES[alert]
    expected = {
        f'vm="{name}", severity="{severity}"': 1.0
        for name, (_, severity) in cases.items()
        if severity
    }
    assert expected
    assert len(expected) < len(cases)
    found = complaints(
        tmp_path,
        put(cases),
        [
            firing(alert, "4m", "vm, severity", {}),
            firing(alert, "20m", "vm, severity", expected),
        ],
    )
    assert found == ""
