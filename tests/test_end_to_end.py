"""The exporter as a process that watches a changing fleet, as for a new user."""

import json
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from exporter.demo.cases import CLUSTER_CASES
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import (
    SCRIPT,
    Running,
    Series,
    binary,
    eventually,
    finished,
    get,
    labels_of,
    ready,
    running,
    scrape,
    series,
)
from tests.web.running import target

LISTEN = "--web.listen-address=127.0.0.1:0"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
PACE = 20.0
"""How many times faster than usual the fleet of the configured targets changes."""


@asynccontextmanager
async def demo(tmp_path: Path) -> AsyncIterator[tuple[Running, str]]:
    """The built-in demo, without configuration."""
    flags = ("--demo", LISTEN, "--refresh.interval=1s", "--discovery.interval=1s")
    async with running(*flags, directory=tmp_path, command=SCRIPT) as exporter:
        yield exporter, await exporter.url()


@asynccontextmanager
async def configured(tmp_path: Path) -> AsyncIterator[tuple[Running, str]]:
    """A file that names every snapshot of a fleet, served over HTTP."""
    started = time.time()
    world = World(now=started, pace=PACE)
    targets = [
        target(document, cluster.uid, project_uid=cluster.project_uid)
        for cluster in world.clusters()
        for document in world.snapshots(cluster.uid)
    ]
    (tmp_path / "key").write_text(API_KEY)
    async with PaletteServer(world) as palette:
        tree = {
            "palette": {"url": palette.url, "api_key_file": "key"},
            "refresh": {"interval": "1s", "stale_after": "10s"},
            "web": {"listen_address": "127.0.0.1:0"},
            "targets": targets,
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(tree))
        check = finished(f"--config.file={path}", "--config.check")
        assert (check.returncode, check.stderr) == (0, "")
        async with running(f"--config.file={path}", directory=tmp_path) as exporter:
            yield exporter, await exporter.url()


WAYS = {"demo": demo, "configured": configured}


@pytest.fixture(params=WAYS)
async def watched(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Running, str]]:
    async with WAYS[request.param](tmp_path) as (exporter, url):
        await eventually(lambda: ready(url))
        yield exporter, url


def of_snapshots(found: Series) -> Series:
    """Return the series of snapshots without their age, which changes with time."""
    return {
        key: value
        for key, value in found.items()
        if key[0].startswith("palette_vm_snapshot_") and not key[0].endswith("_age_seconds")
    }


async def test_a_changing_fleet_is_reported_correctly(watched: tuple[Running, str]) -> None:
    """One start for all assertions."""
    exporter, url = watched
    text = await scrape(url)
    found = series(text)
    reports_enough(found)
    names_the_field(text)
    await both_formats_agree(url)

    async def changed() -> bool:
        """Return whether snapshots were added or removed, or changed their state."""
        return of_snapshots(series(await scrape(url))) != of_snapshots(found)

    await eventually(changed)
    prints_nothing_in_promtool(await scrape(url))
    assert await exporter.stop() == 0
    assert not [line for line in exporter.log if line["level"] == "error"]


def reports_enough(found: Series) -> None:
    ready = labels_of(found, "palette_vm_snapshot_ready")
    assert len({each["cluster_uid"] for each in ready}) >= 3
    assert len({each["cluster_name"] for each in ready}) >= 3
    assert not {each["cluster_name"] for each in ready} & {each["cluster_uid"] for each in ready}
    machines = {(each["cluster_uid"], each["namespace"], each["vm"]) for each in ready}
    listed = labels_of(found, "palette_vm_info")
    assert len(listed or machines) >= 40
    assert len(ready) >= 120
    values = {value for (name, _), value in found.items() if name == "palette_vm_snapshot_ready"}
    assert values == {0.0, 1.0}
    ups = {
        dict(labels)["cluster_name"]: value
        for (name, labels), value in found.items()
        if name == "palette_cluster_up"
    }
    assert len(ups) >= 3
    unread = {name for name, up in ups.items() if not up}
    assert unread in (set(), {each.name for each in CLUSTER_CASES})


def names_the_field(text: str) -> None:
    """Every family has one header, and a family of snapshots names its source."""
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert text.count("# HELP ") == len(helps) == len(kinds)
    for name, meaning in helps.items():
        if name.startswith("palette_vm_snapshot_") and "objective" not in name:
            assert re.search(r"\b(metadata|spec|status)\.[a-z]", meaning), name


async def both_formats_agree(url: str) -> None:
    plain = of_snapshots(series(await scrape(url)))
    status, text = await get(f"{url}/metrics", Accept=OPENMETRICS)
    assert status == 200
    parse: Callable[[str], Any] = parse_openmetrics
    samples = [sample for family in parse(text) for sample in family.samples]
    keys = [(sample.name, frozenset(sample.labels.items())) for sample in samples]
    assert len(keys) == len(set(keys))
    # A refresh between the two answers can change a little.
    assert len(plain.keys() & set(keys)) > 0.9 * len(plain)


def prints_nothing_in_promtool(text: str) -> None:
    promtool = binary("promtool")
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_the_demo_logs_as_json_too(tmp_path: Path) -> None:
    flags = ("--demo", LISTEN, "--log.format=json", "--log.level=debug")
    async with running(*flags, directory=tmp_path) as exporter:

        async def lines() -> list[dict[str, Any]]:
            whole, _, _ = exporter.stderr.read_text().rpartition("\n")
            return [json.loads(line) for line in whole.split("\n") if line]

        async def planned() -> bool:
            return any(line["msg"] == "plan" for line in await lines())

        await eventually(planned)
        assert await exporter.stop() == 0
        told = await lines()
    assert [told[0]["msg"], told[-1]["msg"]] == ["starting", "stopping"]
    assert told[0]["discovery"] is True
    assert {"time", "level", "msg"} <= set.intersection(*(set(line) for line in told))
