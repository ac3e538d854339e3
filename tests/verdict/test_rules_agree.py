"""The page and the shipped rules agree on every snapshot: its phase, its times and its error."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from exporter.metrics.exposition import Renderer, RenderOptions
from exporter.metrics.scrape import exposition, plain
from exporter.store import Store
from tests.deploy.situations import Expected, Situation, complaints
from tests.harness import Scrape
from tests.verdict.judged import DAY, HOUR, NOW, judged_of, rfc3339, snapshot_document, state_of
from tests.verdict.judged import vm_document as vm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINUTES = 40
ALERTS = {
    "hanging": ("PaletteSnapshotStuckInProgress", "warning"),
    "data_lost": ("PaletteSnapshotDataLost", "critical"),
    "not_ready_yet": ("PaletteSnapshotDataLost", "warning"),
}


def documents() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield VMs with one snapshot in each state, known and unknown times among them."""
    states = product(
        ("InProgress", "Succeeded", "Failed", "Unknown", None),
        (True, False),  # whether the data was taken
        (10.0, 5 * HOUR, None),  # the age of the request
        (None, HOUR, 4 * DAY),  # the age of an error
        (None, HOUR),  # the age of the Ready condition
    )
    for number, (phase, taken, age, error, ready) in enumerate(states):
        name = f"vm-{number}"
        snapshot = snapshot_document(
            None,
            name=f"s-{number}",
            age=age or 5 * HOUR,
            phase=phase,
            readyToUse=False,
            creationTime=rfc3339(NOW - (age or 5 * HOUR)) if taken else None,
            error=error and {"message": "x", "time": rfc3339(NOW - error)},
            conditions=[
                {"type": "Ready", "status": "False", "lastTransitionTime": rfc3339(NOW - ready)}
            ]
            if ready
            else [],
        )
        snapshot["spec"]["source"]["name"] = name
        if age is None:
            snapshot["metadata"]["creationTimestamp"] = None
        yield vm([], name=name), snapshot


def test_the_rules_and_the_page_find_the_same(tmp_path: Path) -> None:
    vms, snapshots = zip(*documents(), strict=True)
    state = state_of(vms, snapshots)
    text = exposed(state)
    situation = Situation()
    situation.up()
    for lines in text.lines.values():
        for line in lines:
            sample, _, value = line.rpartition(" ")
            name, _, labels = sample.partition("{")
            situation.values[f'{name}{{job="palette-snapshot-exporter",instance="a:1",{labels}'] = (
                shifted(name, float(value))
            )
    wanted = {problem: set[str]() for problem in ALERTS}
    for each in judged_of(state):
        for problem in wanted.keys() & {*each.problems}:
            wanted[problem].add(each.subject.name)
    assert all(wanted.values())
    expected = [
        Expected(
            at=f"{MINUTES}m",
            expr=f'count by (vm) (ALERTS{{alertname="{alert}",severity="{severity}",'
            'alertstate="firing"})',
            samples={f'vm="{name}"': 1 for name in wanted[problem]},
        )
        for problem, (alert, severity) in ALERTS.items()
    ]
    assert complaints(tmp_path, situation, expected) == ""


def exposed(state: Any) -> Scrape:
    store = Store(
        render=Renderer(RenderOptions()), expire=lambda state, _: state, monotonic=lambda: 0.0
    )
    store.publish(state)
    rendered = [published.text for published in store.view()]
    return Scrape.of(b"".join(plain(exposition(rendered, NOW, openmetrics=False))).decode())


def shifted(name: str, value: float) -> str:
    """Return a series for promtool, whose clock begins at 0; it is evaluated after MINUTES."""
    if name.endswith("last_success_timestamp_seconds"):
        return "0+60x60"
    if name.endswith("timestamp_seconds"):
        return f"{value - NOW + MINUTES * 60}+0x60"
    return f"{value}+0x60"
