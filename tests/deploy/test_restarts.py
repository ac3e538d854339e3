"""The notifications after restarts, and of a cluster that leaves the list and one that flaps.

A simulated Palette, the exporter as a process, Prometheus with the shipped rules, Alertmanager
with the shipped routes and the example for owners. Only times are shortened.
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.deploy import hurried
from tests.deploy.receiver import Alert, Receiver, alert, listening
from tests.deploy.test_notifications import with_owner_route
from tests.monitoring import alertmanager, prometheus, query
from tests.palette_server import faults
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import binary, eventually, free_port, ready, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from exporter.demo.calls import Call

DAY = 86_400.0
EAST, WEST, NORTH = (f"6540a1b2c3d4e5f60000000{number}" for number in (1, 2, 3))
NAMES = {EAST: "prod-east", WEST: "prod-west", NORTH: "prod-north"}
OWNER = "team-db"
PATIENCE = 90.0
"""Timeout of each step in seconds, on a busy machine."""

FLAGS = (
    # Prometheus keeps an alert over a restart for four times as long.
    "--rules.alert.resend-delay=15s",
    "--scrape.discovery-reload-interval=1s",
    # Shortened like the ranges of the rules, so that samples from before a restart expire.
    "--query.lookback-delta=5s",
)

FASTER = 60.0
"""As in hurried.py, and long enough for the first scrape after a restart on a busy machine."""


class Service:
    """A process that can be restarted with the same address and files."""

    def __init__(self, start: Callable[[], AbstractAsyncContextManager[object]]) -> None:
        self._start = start
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Service:
        await self._running.enter_async_context(self._start())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    async def restart(self) -> None:
        await self._running.aclose()
        await self._running.enter_async_context(self._start())


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    world: World
    palette: PaletteServer
    receiver: Receiver
    prometheus_url: str
    services: dict[str, Service]

    def lose_snapshots(self, cluster: str, vm: str) -> None:
        self.world.delete_snapshot(cluster, "vms", f"{vm}-nightly")

    async def heard(self, receiver: str, labels: Alert) -> None:
        """Wait until a receiver gets a firing alert."""

        async def arrived() -> bool:
            return (receiver, labels, "firing") in self.receiver.reported

        await eventually(arrived, within=PATIENCE)


def missed(cluster: str, vm: str, **labels: str) -> Alert:
    place = {"cluster_uid": cluster, "cluster_name": NAMES[cluster], "namespace": "vms", "vm": vm}
    return alert("PaletteVMSnapshotObjectiveMissed", "critical", **place, **labels)


def about(name: str, cluster: str) -> Alert:
    return alert(name, "warning", cluster_uid=cluster, cluster_name=NAMES[cluster])


def healthy(now: float) -> World:
    """Three clusters of six VMs; app-1 has an owner."""
    world = World.empty(now=now)
    for uid, name in NAMES.items():
        world.add_cluster(uid, name, f"65f0{uid[-4:]}")
        for number in range(6):
            vm = f"app-{number}"
            labels = {"owner": OWNER} if number == 1 else {}
            world.put_vm(uid, vm_document(name=vm, created_at=now - 300 * DAY, labels=labels))
            world.put_snapshot(
                uid, snapshot_document(name=f"{vm}-nightly", vm=vm, requested_at=now - 3600)
            )
    return world


@asynccontextmanager
async def operation(world: World, directory: Path) -> AsyncIterator[Operation]:
    """Run everything, and yield it."""
    binary("prometheus")
    binary("alertmanager", "prometheus-alertmanager")
    receiver = Receiver()
    exporter_port, prometheus_port, manager_port = free_port(), free_port(), free_port()
    async with AsyncExitStack() as stack:
        palette = await stack.enter_async_context(PaletteServer(world, limits=None))
        at = await stack.enter_async_context(listening(receiver))
        flag = f"--config.file={settings(palette, directory, exporter_port)}"
        routing = hurried.routing(at, with_owner_route())
        scraping = hurried.scraping(
            directory,
            [f"127.0.0.1:{exporter_port}"],
            f"127.0.0.1:{manager_port}",
            faster=FASTER,
        )
        services = {
            "exporter": Service(lambda: running(flag, directory=directory)),
            "alertmanager": Service(lambda: alertmanager(directory, routing, port=manager_port)),
            "prometheus": Service(
                lambda: prometheus(directory, scraping, *FLAGS, port=prometheus_port)
            ),
        }
        for name, service in services.items():
            await stack.enter_async_context(service)
            if name == "exporter":
                await eventually(lambda: answers(exporter_port), within=PATIENCE)
        yield Operation(
            world=world,
            palette=palette,
            receiver=receiver,
            prometheus_url=f"http://127.0.0.1:{prometheus_port}",
            services=services,
        )


async def answers(port: int) -> bool:
    try:
        return await ready(f"http://127.0.0.1:{port}")
    except OSError:
        return False


def settings(palette: PaletteServer, directory: Path, port: int) -> Path:
    tree = {
        "palette": {"url": palette.url, "api_key": API_KEY, "requests_per_second": 1000},
        "refresh": {"interval": "1s"},
        "web": {"listen_address": f"127.0.0.1:{port}"},
        "discovery": {"enabled": True, "interval": "1s"},
        "objectives": [{"max_age": "26h"}],
        "labels": {"owner": "owner"},
    }
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


async def test_each_fault_is_notified_once_in_spite_of_restarts(tmp_path: Path) -> None:
    """One start for all steps; nothing is repaired, so nothing may be resolved."""
    async with operation(healthy(time.time()), tmp_path) as all_of_it:
        expected = await the_owner_and_on_call_hear_of_a_missed_objective(all_of_it)
        for vm, service in (
            ("app-2", "exporter"),
            ("app-3", "prometheus"),
            ("app-4", "alertmanager"),
        ):
            await all_of_it.services[service].restart()
            # When the next fault has arrived, the consequences of the restart have arrived, too.
            all_of_it.lose_snapshots(EAST, vm)
            await all_of_it.heard("on-call", missed(EAST, vm))
            expected.add(("on-call", missed(EAST, vm)))
            assert set(said(all_of_it, "firing")) == expected, service
            assert said(all_of_it, "resolved") == [], service
        await a_cluster_leaves_the_list(all_of_it)
        await a_cluster_flaps(all_of_it)
        expected |= {
            ("working-hours", about("PaletteClusterGone", WEST)),
            ("working-hours", about("PaletteClusterUnreadable", NORTH)),
        }
        assert set(said(all_of_it, "firing")) == expected
        assert said(all_of_it, "resolved") == []


def said(operation: Operation, status: str) -> list[tuple[str, Alert]]:
    """Return the receivers of each alert.

    A missed objective holds back that nothing is restorable. If the two arrive apart on a busy
    machine, the shortened group_wait is too short for that, so this is left out.
    """
    return [
        (name, labels)
        for name, labels, heard in operation.receiver.reported
        if heard == status
        if ("alertname", "PaletteVMWithoutRestorableSnapshot") not in labels
    ]


async def the_owner_and_on_call_hear_of_a_missed_objective(
    operation: Operation,
) -> set[tuple[str, Alert]]:
    """Break something in each cluster; return the alerts that arrive."""
    expected = set()
    for cluster in NAMES:
        operation.lose_snapshots(cluster, "app-1")
        labels = missed(cluster, "app-1", owner=OWNER)
        expected |= {(OWNER, labels), ("on-call", labels)}
    for receiver, labels in expected:
        await operation.heard(receiver, labels)
    assert set(said(operation, "firing")) == expected
    return expected


async def a_cluster_leaves_the_list(operation: Operation) -> None:
    operation.world.remove_cluster(WEST)
    await operation.heard("working-hours", about("PaletteClusterGone", WEST))
    # Nothing is known about its VMs: their alerts keep firing.
    found = await query(
        operation.prometheus_url,
        f'ALERTS{{alertname="PaletteVMSnapshotObjectiveMissed", cluster_uid="{WEST}"}}',
    )
    assert len(found) == 1


async def a_cluster_flaps(operation: Operation) -> None:
    """Four refreshes of five fail."""

    def fails(call: Call) -> bool:
        return call.cluster_uid == NORTH and time.time() % 10 > 2

    operation.palette.faults.add(fails, faults.status(500))
    unreadable = about("PaletteClusterUnreadable", NORTH)
    await operation.heard("working-hours", unreadable)
    began = time.monotonic()

    async def several_rounds() -> bool:
        assert said(operation, "resolved") == []
        return time.monotonic() - began > 20

    await eventually(several_rounds, within=PATIENCE)
