"""Several installations of the exporter under one Prometheus, distinguished by namespace."""

from pathlib import Path

import pytest

from tests.deploy.conftest import Program
from tests.deploy.situations import JOB, Expected, Situation, complaints, firing

DOWN, NOTHING = "PaletteExporterDown", "PaletteNothingWatched"

BY = "namespace, severity"
EVERYWHERE = {'severity="critical"': 1.0}
ONE = {'namespace="one", severity="critical"': 1.0}


def installations(**up: str) -> Situation:
    """Return exporters by namespace; up: the values of the series."""
    situation = Situation()
    for namespace, values in up.items():
        situation.exporter = {"job": JOB, "instance": f"{namespace}:1", "namespace": namespace}
        situation.up(values)
    return situation


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("0+0x60", "1+0x60", ONE),
        ("0+0x60", "0+0x60", EVERYWHERE),
        ("1 0 0 0 0 1 0 0 0 0 " * 6, "1+0x60", ONE),
        ("1 0 0 0 0 1 0 0 0 0 " * 6, "0 0 0 1 0 0 0 0 1 0 " * 6, EVERYWHERE),
        ("1+0x60", "1+0x60", {}),
    ],
    ids=["one is down", "both are down", "one restarts on and on", "both do", "both are up"],
)
def test_an_installation_that_is_down_has_its_name_while_another_is_up(
    one: str, two: str, expected: dict[str, float], promtool: Program, tmp_path: Path
) -> None:
    situation = installations(one=one, two=two)
    moments = [firing(DOWN, at, BY, expected) for at in ("30m", "50m", "52m", "54m")]
    assert complaints(tmp_path, situation, moments) == ""


def test_the_only_installation_keeps_one_alert_when_its_target_disappears(
    promtool: Program, tmp_path: Path
) -> None:
    situation = installations(one="0+0x30 stale")
    moments = [firing(DOWN, f"{minute}m", BY, EVERYWHERE) for minute in range(15, 59, 4)]
    assert complaints(tmp_path, situation, moments) == ""


@pytest.mark.parametrize(("watches", "expected"), [("two", ONE), ("", EVERYWHERE)])
def test_an_installation_that_watches_nothing_has_its_name_while_another_watches(
    watches: str, expected: dict[str, float], promtool: Program, tmp_path: Path
) -> None:
    situation = installations(one="1+0x60", two="1+0x60")
    if watches:
        situation.cluster()
    assert complaints(tmp_path, situation, [firing(NOTHING, "30m", BY, expected)]) == ""


def test_alerts_of_one_installation_are_not_kept_by_the_outage_of_another(
    promtool: Program, tmp_path: Path
) -> None:
    situation = installations(one="0+0x90", two="1+0x90")
    cluster = situation.cluster(up="1+0x90", last_success="0+60x90")
    situation.vm(cluster, "db", restorable_snapshots="0+0x30 3+0x60")
    name = "PaletteVMWithoutRestorableSnapshot"
    moments: list[Expected] = [
        firing(name, "28m", "vm", {'vm="db"': 1}),
        firing(name, "60m", "vm", {}),
        firing(DOWN, "60m", BY, ONE),
    ]
    assert complaints(tmp_path, situation, moments) == ""
