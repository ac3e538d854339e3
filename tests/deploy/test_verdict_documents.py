"""From a document that hides lost data to the alert: the rules evaluate an exporter's series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deploy.situations import Situation, complaints, count
from tests.verdict.judged import NOW
from tests.verdict.test_payloads import CLUSTER, NAME, scraped

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deploy.conftest import Program

EXPECTED = {
    "data-disk-left-out": {"PaletteSnapshotIncomplete"},
    "tpm-state-left-out": {"PaletteSnapshotIncomplete"},
    "only-tpm-state-inside": {
        "PaletteVMSnapshotObjectiveMissed",
        "PaletteVMWithoutRestorableSnapshot",
        "PaletteSnapshotWithoutDisks",
    },
    "restorable-of-unknown-time": {"PaletteVMSnapshotObjectiveMissed"},
    "vm-of-unknown-age": {
        "PaletteVMSnapshotObjectiveMissed",
        "PaletteVMWithoutRestorableSnapshot",
    },
    "lost-of-unknown-time": {"PaletteSnapshotDataLost"},
    "source-indications-only": {"PaletteVMOnlyCrashConsistent"},
    "predecessor": {"PaletteVMOnlyPredecessorSnapshots"},
}
"""A document -> the alerts that fire with an objective of 26 hours."""


@pytest.mark.parametrize("name", EXPECTED)
async def test_each_situation_fires_its_alerts(
    name: str, promtool: Program, tmp_path: Path
) -> None:
    situation = Situation(exporter={"job": "palette-snapshot-exporter", "instance": "a"})
    situation.up()
    situation.cluster(CLUSTER, NAME)
    found = await scraped(name)
    for metric in found.lines:
        if not metric.startswith("palette_vm_"):
            continue
        # The clock of promtool begins at 0, the moment of the scrape.
        shift = NOW if metric.endswith("_timestamp_seconds") else 0.0
        for labels, value in found.series(metric).items():
            situation.add(metric, dict(labels), value - shift)
    expected = [
        each for alert in EXPECTED[name] for each in count(f'alertname="{alert}"', ["20m"], ">= 1")
    ]
    assert complaints(tmp_path, situation, expected) == ""
