"""The example for Alertmanager: it loads, routes by severity, and inhibits consequences."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest

from tests.deploy.conftest import Program
from tests.deploy.rules import ALERTS, ROOT
from tests.monitoring import alertmanager
from tests.yaml_text import loaded

CONFIG = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
RECEIVERS = {
    "critical": "on-call",
    "warning": "working-hours",
    "info": "digest",
    "none": "watchdog",
}

Labels = Mapping[str, str]

EAST = {"cluster_uid": "e", "cluster_name": "east"}
WEST = {"cluster_uid": "w", "cluster_name": "west"}
DB = {"namespace": "shop", "vm": "db"}
ERP = {"exported_namespace": "erp"}


def alert(name: str, severity: str, **labels: str) -> Labels:
    return {"alertname": name, "severity": severity, **labels}


def test_it_loads_without_any_secret(amtool: Program) -> None:
    amtool("check-config", CONFIG)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_the_severity_decides_the_receiver_of_an_alert(
    rule: Mapping[str, Mapping[str, str]], amtool: Program
) -> None:
    severity = rule["labels"]["severity"]
    labels = alert(str(rule["alert"]), severity, **EAST)
    amtool(
        *("config", "routes", "test", "--config.file", CONFIG),
        f"--verify.receivers={RECEIVERS[severity]}",
        *(f"{name}={value}" for name, value in labels.items()),
    )


def test_an_alert_without_a_severity_is_sent_too(amtool: Program) -> None:
    arguments = ("--verify.receivers=working-hours", "alertname=SomebodyElses")
    amtool("config", "routes", "test", "--config.file", CONFIG, *arguments)


async def send(session: aiohttp.ClientSession, alerts: list[Labels]) -> None:
    async with session.post("/api/v2/alerts", json=[{"labels": labels} for labels in alerts]) as a:
        a.raise_for_status()


async def held(session: aiohttp.ClientSession, alerts: list[Labels]) -> list[Labels]:
    """Return those of the alerts that others inhibit."""
    async with session.get("/api/v2/alerts", params={"inhibited": "false"}) as answer:
        heard = [found["labels"] for found in await answer.json()]
    return [labels for labels in alerts if labels not in heard]


async def until_held(session: aiohttp.ClientSession, alerts: list[Labels]) -> None:
    """Wait until all of the alerts are inhibited, a moment after they were accepted."""
    async with asyncio.timeout(5):
        while True:
            if await held(session, alerts) == alerts:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("source", "held_back", "heard"),
    [
        pytest.param(
            alert("PaletteClusterUnreadable", "warning", **EAST),
            [
                alert("PaletteSnapshotFailed", "warning", snapshot="s", **EAST),
                alert("PaletteVMSnapshotObjectiveMissed", "critical", vm="db", **EAST),
            ],
            [
                alert("PaletteClusterStale", "critical", **EAST),
                alert("PaletteSnapshotFailed", "warning", snapshot="s", **WEST),
                alert("PaletteExporterRateLimited", "warning", instance="a"),
                alert("SomebodyElses", "warning", **EAST),
            ],
            id="an unreadable cluster holds back what is said of it",
        ),
        pytest.param(
            alert("PaletteClusterStale", "critical", **EAST),
            [alert("PaletteSnapshotTooOld", "info", snapshot="s", **EAST)],
            [
                alert("PaletteSnapshotTooOld", "info", snapshot="s", **WEST),
            ],
            id="so does one whose refresh hangs",
        ),
        pytest.param(
            alert("PaletteClusterUnreadable", "warning", part="discovery"),
            [alert("PaletteSnapshotFailed", "warning", snapshot="s", **EAST)],
            [
                alert("PaletteClusterUnreadable", "warning", **EAST),
                alert("PaletteExporterRateLimited", "warning", instance="a"),
                alert("PaletteExporterShardMissing", "critical", job="palette-snapshot-exporter"),
            ],
            id="a failing discovery holds back nothing that names no cluster either",
        ),
        pytest.param(
            alert("PaletteExporterDown", "critical", job="palette-snapshot-exporter"),
            [
                alert("PaletteSnapshotFailed", "warning", snapshot="s", **EAST),
                alert("PaletteClusterUnreadable", "warning", **WEST),
                alert("PaletteExporterShardMissing", "critical", job="palette-snapshot-exporter"),
            ],
            [
                alert("SomebodyElses", "critical"),
                alert("PaletteSnapshotFailed", "warning", prometheus="another", **EAST),
            ],
            id="without any exporter everything they said is held back",
        ),
        pytest.param(
            alert("PaletteExporterDown", "warning", instance="a"),
            [alert("PaletteSnapshotFailed", "warning", snapshot="s", **WEST)],
            [
                alert("PaletteClusterUnreadable", "warning", **WEST),
                alert("PaletteSnapshotFailed", "warning", snapshot="s", **EAST),
            ],
            id="while another exporter is up its alerts are heard",
        ),
        pytest.param(
            alert("PaletteExporterDown", "critical", job="palette", namespace="one"),
            [alert("PaletteExporterShardMissing", "critical", job="palette", namespace="one")],
            [
                alert("PaletteExporterShardMissing", "critical", job="palette", namespace="two"),
                alert("PaletteClusterStale", "critical", **WEST),
                alert("PaletteVMSnapshotObjectiveMissed", "critical", vm="db", **EAST),
            ],
            id="one of several installations that is down hides nothing of the others",
        ),
        pytest.param(
            alert("PaletteNothingWatched", "critical", job="palette"),
            [
                alert("PaletteClusterGone", "warning", **EAST),
                alert("PaletteDiscoveryFailing", "warning", job="palette", namespace="one"),
            ],
            [alert("PaletteExporterRateLimited", "warning", instance="a")],
            id="where nothing is watched that every cluster is gone is a consequence",
        ),
        pytest.param(
            alert("PaletteNothingWatched", "critical", job="palette", namespace="one"),
            [alert("PaletteDiscoveryFailing", "warning", job="palette", namespace="one")],
            [
                alert("PaletteDiscoveryFailing", "warning", job="palette", namespace="two"),
                alert("PaletteClusterStale", "critical", **WEST),
            ],
            id="one of several installations that watches nothing hides no cluster",
        ),
        pytest.param(
            alert("PaletteClusterGone", "warning", **EAST),
            [alert("PaletteVMSnapshotObjectiveMissed", "critical", vm="db", **EAST)],
            [
                alert("PaletteVMSnapshotObjectiveMissed", "critical", vm="db", **WEST),
                alert("PaletteClusterUnreadable", "warning", **EAST),
            ],
            id="a cluster that left the list holds back what is said of it",
        ),
        pytest.param(
            alert("PaletteClusterVMsAtRisk", "critical", **EAST),
            [
                alert("PaletteClusterVMsAtRisk", "warning", **EAST),
                alert("PaletteVMSnapshotObjectiveMissed", "critical", vm="db", **EAST),
                alert("PaletteSnapshotFailed", "warning", vm="db", **EAST),
            ],
            [
                alert("PaletteVMSnapshotObjectiveMissed", "critical", vm="db", **WEST),
                alert("PaletteClusterVMsVanished", "warning", **EAST),
            ],
            id="a cause of a whole cluster holds back those of its VMs",
        ),
        pytest.param(
            alert("PaletteClusterVMsAtRisk", "warning", **EAST),
            [alert("PaletteSnapshotFailed", "warning", vm="db", **EAST)],
            [alert("PaletteVMSnapshotObjectiveMissed", "critical", vm="db", **EAST)],
            id="what wakes nobody holds back nothing that would",
        ),
        pytest.param(
            alert("PaletteVMSnapshotObjectiveMissed", "critical", **EAST, **DB),
            [
                alert("PaletteVMWithoutRestorableSnapshot", "warning", **EAST, **DB),
                alert("PaletteVMVolumesUnknown", "info", **EAST, **DB),
            ],
            [
                alert("PaletteSnapshotFailed", "warning", **EAST, **DB),
                alert("PaletteVMWithoutRestorableSnapshot", "warning", **WEST, **DB),
                alert("PaletteVMWithoutRestorableSnapshot", "warning", **EAST, **DB, **ERP),
            ],
            id="a missed objective holds back what it includes of the same VM",
        ),
    ],
)
async def test_inhibition(
    source: Labels,
    held_back: list[Labels],
    heard: list[Labels],
    tmp_path: Path,
) -> None:
    alerts = [source, *held_back, *heard]
    async with (
        alertmanager(tmp_path, loaded(CONFIG.read_text())) as url,
        aiohttp.ClientSession(url) as session,
    ):
        await send(session, alerts)
        await until_held(session, held_back)
        assert await held(session, alerts) == held_back
