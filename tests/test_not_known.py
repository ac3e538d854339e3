"""No output reports safety that is not known: each output, in each state of Palette.

The exporter, the report, Prometheus with the shipped rules and the simulated Palette are real
processes or servers. Only the times of the rules are shortened, so that an hour is 24 s.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.deploy import hurried
from tests.monitoring import prometheus_with_rules, query
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import (
    binary,
    eventually,
    finished,
    get,
    ready,
    running,
    scrape,
    series,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

EAST, WEST = "6540a1b2c3d4e5f600000001", "6540a1b2c3d4e5f600000002"
PROJECTS = {EAST: "65f0c0ffee00000000000001", WEST: "65f0c0ffee00000000000002"}
VMS = frozenset({(uid, f"db-0{number}") for uid in PROJECTS for number in range(1, 4)})
PATIENCE = 120.0
"""Timeout in seconds until a state is visible on a busy machine."""

DEADLINE = "palette_vm_snapshot_objective_deadline_timestamp_seconds"


def fleet(now: float) -> World:
    """Return two clusters, each with three protected virtual machines."""
    world = World.empty(now=now)
    for uid, project in PROJECTS.items():
        world.add_cluster(uid, f"cluster-{uid[-1]}", project)
    for uid, name in sorted(VMS):
        world.put_vm(uid, vm_document(name=name))
        document = snapshot_document(name=f"{name}-nightly", vm=name, requested_at=now - 3600)
        world.put_snapshot(uid, document)
    return world


async def _wrong_key(palette: PaletteServer) -> None:
    palette.api_keys.clear()


async def _down(palette: PaletteServer) -> None:
    await palette.stop()


async def _empty_dashboard(palette: PaletteServer) -> None:
    for uid in PROJECTS:
        palette.world.remove_cluster(uid)


async def _project_lost(palette: PaletteServer) -> None:
    palette.forbidden_projects.add(PROJECTS[WEST])


async def _no_vms(palette: PaletteServer) -> None:
    for uid in PROJECTS:
        palette.world.delete_namespace(uid, "vms")


async def _unreadable_times(palette: PaletteServer) -> None:
    world = palette.world
    for uid in PROJECTS:
        for document in world.vms(uid):
            document["metadata"]["creationTimestamp"] = "long ago"
            world.put_vm(uid, document)
        for document in world.snapshots(uid):
            document["metadata"]["creationTimestamp"] = "2026-11-17 13:27:14 +0000 UTC"
            document["status"]["creationTime"] = "2026-11-17 13:27:14 +0000 UTC"
            world.put_snapshot(uid, document)


@dataclass(frozen=True, kw_only=True)
class State:
    """A state of Palette.

    `spoil` creates it: before the exporter starts, or `later`, after everything was well.
    `protected`: the VMs that are still known to be protected.
    `alerts`: one of them fires; `severity`: the worst that fires.
    """

    spoil: Callable[[PaletteServer], Awaitable[None]]
    later: bool = False
    protected: frozenset[tuple[str, str]] = frozenset()
    alerts: frozenset[str] = field(default_factory=frozenset)
    severity: str = "critical"


STATES: dict[str, State] = {
    "wrong key": State(spoil=_wrong_key, alerts=frozenset({"PaletteNothingWatched"})),
    "Palette down at the start": State(spoil=_down, alerts=frozenset({"PaletteNothingWatched"})),
    "Palette down for an hour": State(
        spoil=_down, later=True, alerts=frozenset({"PaletteClusterStale"})
    ),
    "empty dashboard": State(spoil=_empty_dashboard, alerts=frozenset({"PaletteNothingWatched"})),
    "one project lost": State(
        spoil=_project_lost,
        later=True,
        protected=frozenset(each for each in VMS if each[0] == EAST),
        alerts=frozenset({"PaletteClusterStale"}),
    ),
    "VM lists empty": State(
        spoil=_no_vms,
        later=True,
        alerts=frozenset({"PaletteClusterVMsVanished"}),
        severity="warning",
    ),
    "all times unreadable": State(
        spoil=_unreadable_times, alerts=frozenset({"PaletteVMSnapshotObjectiveMissed"})
    ),
}


@dataclass(frozen=True, kw_only=True)
class Surfaces:
    """All outputs at one moment: metrics, page, JSON, alerts, and the exit code of the report."""

    protected: frozenset[tuple[str, str]]
    headline: str
    status: Any
    alerts: frozenset[tuple[str, str]]
    report: tuple[int, Any]


def protected_by_metrics(text: str) -> frozenset[tuple[str, str]]:
    """Return the VMs that meet their objective, by the query of the README."""
    found, now = series(text), time.time()
    return frozenset(
        (labels["cluster_uid"], labels["vm"])
        for (name, pairs), value in found.items()
        if name == DEADLINE and value >= now
        for labels in [dict(pairs)]
    )


def settings(palette: PaletteServer, directory: Path) -> Path:
    path = directory / "config.yaml"
    tree = {
        "palette": {"url": palette.url, "api_key": API_KEY, "timeout": "1s"},
        "refresh": {"interval": "1s", "stale_after": "3s"},
        "discovery": {"enabled": True, "interval": "2s"},
        "objectives": [{"max_age": "26h"}],
        "web": {"listen_address": "127.0.0.1:0"},
    }
    path.write_text(yaml.safe_dump(tree))
    return path


async def seen(url: str, prometheus: str, config: Path) -> Surfaces:
    """Collect all outputs."""
    page_status, page = await get(f"{url}/")
    json_status, status = await get(f"{url}/api/v1/status")
    assert (page_status, json_status) == (200, 200)
    headline = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    assert headline
    firing = await query(prometheus, 'ALERTS{alertstate="firing",alertname=~"Palette.+"}')
    arguments = (f"--config.file={config}", "--report=json")
    done = await asyncio.to_thread(partial(finished, *arguments, within=PATIENCE))
    return Surfaces(
        protected=protected_by_metrics(await scrape(url)),
        headline=headline[1],
        status=json.loads(status),
        alerts=frozenset(
            (each["metric"]["alertname"], each["metric"]["severity"]) for each in firing
        ),
        report=(done.returncode, json.loads(done.stdout)["summary"]),
    )


def assert_well(found: Surfaces) -> None:
    assert found.protected == VMS
    assert found.headline == "All 6 VMs are protected"
    assert found.status["verdict"] == "protected"
    assert not found.alerts
    assert found.report[0] == 0


def assert_not_well(found: Surfaces, state: State) -> None:
    assert found.protected == state.protected
    assert not found.headline.startswith("All "), found.headline
    assert re.search(r"not|No |None|Nothing|never", found.headline), found.headline
    assert found.status["verdict"] in {"unknown", "not_protected"}
    assert (found.status["fleet"]["vms_protected"] or 0) == len(state.protected)
    assert state.alerts & {name for name, _ in found.alerts}, found.alerts
    assert state.severity in {severity for _, severity in found.alerts}
    code, summary = found.report
    assert code == 1
    assert summary["all_protected"] is False
    assert summary["protected"] == len(state.protected)


async def watch(state: State, directory: Path) -> None:
    """Create a state, wait for its alert, and collect all outputs."""
    async with AsyncExitStack() as stack:
        palette = await stack.enter_async_context(PaletteServer(fleet(time.time()), limits=None))
        config = settings(palette, directory)
        if not state.later:
            await state.spoil(palette)
        exporter = await stack.enter_async_context(
            running(f"--config.file={config}", directory=directory)
        )
        started = await exporter.line("starting", within=PATIENCE)
        url = f"http://{started['listen']}"
        await eventually(lambda: ready(url), within=PATIENCE)
        scraping = hurried.scraping(directory, [url.removeprefix("http://")])
        scraping["global"]["evaluation_interval"] = "2s"  # seven servers, next to each other
        hurry_seconds(directory / "hurried-clusters.yaml")
        prometheus = await prometheus_with_rules(stack, directory, scraping)
        if state.later:
            await seen_for(prometheus, seconds=6)
            assert_well(await seen(url, prometheus, config))
            await state.spoil(palette)

        async def firing() -> bool:
            found = await query(prometheus, 'ALERTS{alertstate="firing"}')
            return bool(state.alerts & {each["metric"]["alertname"] for each in found})

        await eventually(firing, within=PATIENCE)
        assert_not_well(await seen(url, prometheus, config), state)
        assert exporter.process.returncode is None


def hurry_seconds(rules: Path) -> None:
    """Shorten the times that are numbers of seconds in the rules of clusters."""
    shorter = {"3600": "24", "600": "4"}
    text = re.sub(r"(?<=[ >])(3600|600)\b", lambda found: shorter[found[1]], rules.read_text())
    rules.write_text(text)


async def seen_for(prometheus: str, *, seconds: int) -> None:
    """Wait until Prometheus has scraped the fleet for some seconds."""
    expression = f"min(count_over_time(palette_cluster_up[{2 * seconds}s])) >= {seconds}"
    await eventually(lambda: query(prometheus, expression), within=PATIENCE)


async def test_nothing_says_that_all_is_well_while_it_is_not_known(tmp_path: Path) -> None:
    """Several states at the same time, because each takes as long as its alert."""
    binary("prometheus")
    room = asyncio.Semaphore(7)

    async def result(name: str) -> str:
        directory = tmp_path / name.replace(" ", "-")
        directory.mkdir()
        async with room:
            try:
                await watch(STATES[name], directory)
            except AssertionError as error:
                return f"{name}: {error}"
            return ""

    assert not [each for each in await asyncio.gather(*map(result, STATES)) if each]
