"""Nothing that is absent looks like safety: each state as users meet it, in a real process.

Every state is seen on the page, in the JSON, in the metrics and in the report.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from exporter.demo.world import World
from tests.harness import EAST, EAST_PROJECT, WEST, WEST_PROJECT
from tests.palette_server import faults
from tests.palette_server.server import API_KEY, PaletteServer
from tests.process import Series, eventually, finished, get, ready, running, scrape, series

UNREADABLE = "2027-01-15 08:00:00 +0000 UTC"
TIMES = {"creationTimestamp", "creationTime", "lastTransitionTime", "time"}


def good_fleet() -> World:
    """Two clusters whose VMs all have a good snapshot of an hour ago."""
    now = time.time()
    world = World.empty(now=now)
    for uid, name, project in ((EAST, "east", EAST_PROJECT), (WEST, "west", WEST_PROJECT)):
        world.add_cluster(uid, name, project)
        world.put_vm(uid, vm_document(name="db-01"))
        world.put_snapshot(uid, snapshot_document(requested_at=now - 3600))
    return world


def without_times(document: Any) -> Any:
    """Return a document in which no time can be read."""
    if isinstance(document, dict):
        return {
            key: UNREADABLE if key in TIMES and isinstance(value, str) else without_times(value)
            for key, value in document.items()
        }
    return [*map(without_times, document)] if isinstance(document, list) else document


def empty(document: Any) -> Any:
    return {**document, "items": []}


async def nothing(palette: PaletteServer) -> None:
    del palette


async def stopped(palette: PaletteServer) -> None:
    await palette.stop()


async def one_project_lost(palette: PaletteServer) -> None:
    palette.forbidden_projects.add(WEST_PROJECT)


def changed(endpoint: str, change: Callable[[Any], Any]) -> Callable[[PaletteServer], Any]:
    async def act(palette: PaletteServer) -> None:
        palette.faults.add(endpoint, faults.transform(change))

    return act


async def all_times_unreadable(palette: PaletteServer) -> None:
    for endpoint in ("list_snapshots", "list_vms"):
        palette.faults.add(endpoint, faults.transform(without_times))


async def vm_lists_empty(palette: PaletteServer) -> None:
    for endpoint in ("list_snapshots", "list_vms"):
        palette.faults.add(endpoint, faults.transform(empty))


@dataclass(frozen=True, kw_only=True)
class State:
    """What is wrong, before the exporter starts or once it has read everything.

    protected: VMs that are still protected; None where it is not even known how many VMs exist.
    headline: what the first line says.
    """

    before: Callable[[PaletteServer], Any] = nothing
    after: Callable[[PaletteServer], Any] = nothing
    key: str = API_KEY
    protected: int | None
    headline: str


STATES = {
    "wrong key": State(key="wrong", protected=None, headline="Nothing is known; discovery has"),
    "down at the start": State(
        before=stopped, protected=None, headline="Nothing is known; discovery has failed"
    ),
    "down for longer than series are kept": State(
        after=stopped, protected=0, headline="None of 2 VMs is known to be protected since"
    ),
    "empty dashboard": State(
        before=changed("list_clusters", lambda document: {**document, "items": []}),
        protected=None,
        headline="Palette lists no cluster with virtual machines",
    ),
    "dashboard empty later": State(
        after=changed("list_clusters", lambda document: {**document, "items": []}),
        protected=None,
        headline="Palette lists no cluster with virtual machines",
    ),
    "one project lost": State(
        after=one_project_lost, protected=1, headline="1 more is not known to be protected since"
    ),
    "VM lists empty": State(after=vm_lists_empty, protected=0, headline="No VM is watched"),
    "all times unreadable": State(
        before=all_times_unreadable, protected=0, headline="2 of 2 VMs are not protected"
    ),
}


@asynccontextmanager
async def in_state(state: State, directory: Path) -> AsyncIterator[tuple[str, Path]]:
    """Bring an exporter into a state; yield its address and its configuration."""
    async with PaletteServer(good_fleet(), limits=None) as palette:
        path = directory / "config.yaml"
        (directory / "key").write_text(state.key)
        tree = {
            "palette": {"url": palette.url, "api_key_file": "key", "timeout": "1s"},
            "refresh": {"interval": "1s", "stale_after": "2s"},
            "discovery": {"enabled": True, "interval": "1s"},
            "objectives": [{"max_age": "26h"}],
            "web": {"listen_address": "127.0.0.1:0"},
        }
        path.write_text(yaml.safe_dump(tree))
        await state.before(palette)
        async with running(f"--config.file={path}", directory=directory) as exporter:
            url = await exporter.url()
            await eventually(lambda: ready(url), within=60)
            await state.after(palette)
            yield url, path


async def status(url: str) -> Any:
    code, text = await get(f"{url}/api/v1/status")
    assert code == 200
    return json.loads(text)


def protected_by_metrics(found: Series) -> int:
    """Return how many VMs the metrics call protected: an objective that is not missed."""
    name = "palette_vm_snapshot_objective_deadline_timestamp_seconds"
    return sum(value > time.time() for (each, _), value in found.items() if each == name)


@pytest.mark.parametrize("name", STATES)
async def test_what_is_absent_never_looks_like_safety(name: str, tmp_path: Path) -> None:
    state = STATES[name]
    async with in_state(state, tmp_path) as (url, path):

        async def settled() -> bool:
            return state.headline in (await status(url))["headline"]

        await eventually(settled, within=60)
        found = await status(url)
        assert found["verdict"] != "protected"
        assert found["fleet"]["vms_protected"] == state.protected
        _, page = await get(f"{url}/")
        first = re.search(r"<h1[^>]*>(.*?)</h1>", page)
        assert first
        assert state.headline in unescape(first[1])
        assert not re.search(r"All [\d,]+ VMs", page)
        assert protected_by_metrics(series(await scrape(url))) == (state.protected or 0)
        done = await asyncio.to_thread(finished, f"--config.file={path}", "--report=json")
        assert done.returncode == 1, done.stdout


async def test_a_good_fleet_looks_good(tmp_path: Path) -> None:
    state = State(protected=2, headline="All 2 VMs are protected")
    async with in_state(state, tmp_path) as (url, path):
        found = await status(url)
        assert (found["headline"], found["verdict"]) == (state.headline, "protected")
        assert protected_by_metrics(series(await scrape(url))) == 2
        done = await asyncio.to_thread(finished, f"--config.file={path}", "--report=json")
        assert done.returncode == 0, done.stdout
