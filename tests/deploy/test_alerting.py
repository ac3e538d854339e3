"""From Palette to the receiver of alerts, through everything that is shipped, with real programs.

A simulated Palette, the exporter as a process, Prometheus with the shipped scrape configuration
and rules, Alertmanager with the shipped routes, and a receiver. Only times are shortened.
"""

from __future__ import annotations

import json
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from exporter.demo import stages
from exporter.demo.documents import requested, vm_document
from exporter.demo.stages import snapshot_document
from tests.deploy import hurried
from tests.deploy.receiver import WATCHDOG, Alert, Receiver, alert, listening
from tests.monitoring import alertmanager, prometheus_with_rules, query
from tests.palette_server import faults
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import Running, binary, eventually, get, ready, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAY = 86_400.0
EAST, WEST = "6540a1b2c3d4e5f600000001", "6540a1b2c3d4e5f600000002"
NAMES = {EAST: "prod-east", WEST: "prod-west"}
JOB = "palette-snapshot-exporter"
OBJECTIVE = "26h"
PATIENCE = 60.0
"""Timeout of each step in seconds, on a busy machine."""

RESEND = "--rules.alert.resend-delay=500ms"


def of(cluster: str, **labels: str) -> dict[str, str]:
    return {"cluster_uid": cluster, "cluster_name": NAMES[cluster], **labels}


OLD_IN_THE_EAST, OLD_IN_THE_WEST = (
    alert(
        "PaletteSnapshotTooOld",
        "info",
        **of(cluster, namespace="vms", vm="archive-01"),
    )
    for cluster in (EAST, WEST)
)
TROUBLES = {
    alert(
        "PaletteSnapshotFailed", "warning", **of(EAST, namespace="vms", vm="db-01")
    ): "working-hours",
    alert(
        "PaletteNamedSnapshotMissing",
        "warning",
        **of(EAST, namespace="vms", vm="db-01", snapshot="before-upgrade"),
    ): "working-hours",
    alert(
        "PaletteVMSnapshotObjectiveMissed", "critical", **of(EAST, namespace="vms", vm="web-01")
    ): "on-call",
    alert("PaletteClusterUnreadable", "warning", **of(WEST)): "working-hours",
}
"""The faults below, and the receiver of each alert."""

EXPLAINED = alert(
    "PaletteVMWithoutRestorableSnapshot", "warning", **of(EAST, namespace="vms", vm="web-01")
)
"""Alerts that the missed objective of the same VM inhibits."""

DOWN = alert("PaletteExporterDown", "critical", job=JOB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The running parts: URLs of Prometheus and Alertmanager, and the other objects."""

    prometheus: str
    alertmanager: str
    palette: PaletteServer
    exporter: Running
    receiver: Receiver

    async def alerts(self, **parameters: str) -> set[Alert]:
        """Return Alertmanager's alerts that match a filter, such as inhibited=false."""
        text = "&".join(f"{name}={value}" for name, value in parameters.items())
        _, answer = await get(f"{self.alertmanager}/api/v2/alerts?{text}")
        found = {frozenset(each["labels"].items()) for each in json.loads(answer)}
        return found - {WATCHDOG}

    async def inhibited(self) -> set[Alert]:
        return await self.alerts() - await self.alerts(inhibited="false")

    async def pending_or_firing(self) -> list[dict[str, Any]]:
        return await query(self.prometheus, 'ALERTS{alertname=~"Palette.+"}')


@asynccontextmanager
async def operation(world: World, directory: Path) -> AsyncIterator[Operation]:
    """Run everything, and yield it."""
    # First, because a test that is skipped must start nothing.
    binary("prometheus")
    binary("alertmanager", "prometheus-alertmanager")
    receiver = Receiver()
    async with AsyncExitStack() as stack:
        palette = await stack.enter_async_context(PaletteServer(world, limits=None))
        at = await stack.enter_async_context(listening(receiver))
        manager = await stack.enter_async_context(alertmanager(directory, hurried.routing(at)))
        flag = f"--config.file={settings(palette, directory)}"
        exporter = await stack.enter_async_context(running(flag, directory=directory))
        url = await exporter.url()
        await eventually(lambda: ready(url), within=PATIENCE)
        config = hurried.scraping(directory, [bare(url)], bare(manager))
        yield Operation(
            prometheus=await prometheus_with_rules(stack, directory, config, RESEND),
            alertmanager=manager,
            palette=palette,
            exporter=exporter,
            receiver=receiver,
        )


def bare(url: str) -> str:
    return url.removeprefix("http://")


def settings(palette: PaletteServer, directory: Path) -> Path:
    named = {"namespace": "vms", "vm": "db-01", "snapshot": "before-upgrade"}
    clusters = [{"cluster_uid": uid, "cluster_name": name} for uid, name in NAMES.items()]
    tree = {
        "palette": {"url": palette.url, "api_key": API_KEY, "requests_per_second": 1000},
        "refresh": {"interval": "1s"},
        "web": {"listen_address": "127.0.0.1:0"},
        "targets": [*clusters, {**clusters[0], **named}],
        "objectives": [{"max_age": OBJECTIVE}],
    }
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def healthy(now: float) -> World:
    """Two clusters without problems, except for an old snapshot in each."""
    world = World.empty(now=now)
    for uid, name in NAMES.items():
        world.add_cluster(uid, name, f"65f0{uid[-4:]}")
    for cluster, vm, name, age in (
        (EAST, "db-01", "db-01-nightly", 3600.0),
        (EAST, "db-01", "before-upgrade", 2 * DAY),
        (EAST, "web-01", "web-01-nightly", 3600.0),
        *(
            (cluster, "archive-01", f"archive-01-{name}", age)
            for cluster in (EAST, WEST)
            for name, age in (("nightly", 3600.0), ("yearly", 40 * DAY))
        ),
    ):
        world.put_vm(cluster, vm_document(name=vm, created_at=now - 300 * DAY))
        world.put_snapshot(cluster, snapshot_document(name=name, vm=vm, requested_at=now - age))
    return world


def break_everything(palette: PaletteServer, now: float) -> None:
    world = palette.world
    asked = requested(name="db-01-adhoc", vm="db-01", at=now - 400)
    world.put_snapshot(EAST, stages.failed(stages.started(asked, now - 398, "u"), now - 99))
    world.delete_snapshot(EAST, "vms", "before-upgrade")
    world.delete_snapshot(EAST, "vms", "web-01-nightly")
    palette.faults.add(WEST, faults.status(500))


def mend_everything(palette: PaletteServer, now: float) -> None:
    world = palette.world
    palette.faults.clear()
    world.delete_snapshot(EAST, "vms", "db-01-adhoc")
    for vm, name in (("db-01", "before-upgrade"), ("web-01", "web-01-nightly")):
        world.put_snapshot(EAST, snapshot_document(name=name, vm=vm, requested_at=now - 60))


async def test_each_receiver_gets_its_alerts(tmp_path: Path) -> None:
    """One start for all steps: healthy, broken, repaired, and the exporter killed."""
    async with operation(healthy(time.time()), tmp_path) as running:
        await only_old_snapshots_are_found(running)
        break_everything(running.palette, time.time())
        await each_trouble_arrives_and_what_is_inhibited_does_not(running)
        mend_everything(running.palette, time.time())
        await what_is_mended_is_resolved(running)
        await running.exporter.stop()
        await only_the_missing_exporter_is_reported(running)


async def only_old_snapshots_are_found(running: Operation) -> None:
    """When these have fired, every other alert would have fired, too; none has been sent yet."""
    await eventually(running.alerts, within=PATIENCE)
    assert await running.alerts() == {OLD_IN_THE_EAST, OLD_IN_THE_WEST}
    found = {each["metric"]["alertname"] for each in await running.pending_or_firing()}
    assert found == {"PaletteSnapshotTooOld"}
    assert running.receiver.reported == []


async def each_trouble_arrives_and_what_is_inhibited_does_not(running: Operation) -> None:
    """The alert of the west fired with that of the east, before the west was unreadable."""
    reported = running.receiver.heard
    expected = {**TROUBLES, OLD_IN_THE_EAST: "digest"}

    async def held_back() -> bool:
        return await running.inhibited() == {OLD_IN_THE_WEST, EXPLAINED}

    async def all_arrived() -> bool:
        return reported("firing").keys() >= expected.keys()

    await eventually(held_back, within=PATIENCE)
    await eventually(all_arrived, within=PATIENCE)
    assert reported("firing") == expected
    assert reported("resolved") == {}
    firing = {each["metric"]["alertname"] for each in await running.pending_or_firing()}
    assert firing == {dict(each)["alertname"] for each in (*expected, EXPLAINED)}


async def what_is_mended_is_resolved(running: Operation) -> None:
    reported = running.receiver.heard

    async def all_resolved() -> bool:
        return reported("resolved").keys() >= TROUBLES.keys()

    async def heard_now() -> bool:
        return OLD_IN_THE_WEST in reported("firing")

    await eventually(all_resolved, within=PATIENCE)
    # An inhibited alert can arrive as resolved, in a group with others that were sent.
    assert reported("resolved") in (TROUBLES, {**TROUBLES, EXPLAINED: "working-hours"})
    await eventually(heard_now, within=PATIENCE)
    assert reported("firing") == {
        **TROUBLES,
        **dict.fromkeys((OLD_IN_THE_EAST, OLD_IN_THE_WEST), "digest"),
    }


async def only_the_missing_exporter_is_reported(running: Operation) -> None:
    receiver = running.receiver
    receiver.reported.clear()

    async def reported() -> bool:
        return bool(receiver.reported)

    await eventually(reported, within=PATIENCE)
    assert receiver.reported == [("on-call", DOWN, "firing")]
