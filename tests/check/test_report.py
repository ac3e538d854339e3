"""`--report` as auditors run it: rows, exit codes and formats, from a real process."""

import asyncio
import csv
import io
import json
import os
import pty
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.check.report import COLUMNS
from exporter.demo import volumes
from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.harness import EAST, EAST_PROJECT, WEST, WEST_PROJECT
from tests.palette_server import faults
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import MODULE, ROOT, environment, finished

HOUR = 3600.0
OBJECTIVES = [{"namespace": "scratch", "exempt": True}, {"max_age": "26h"}]


@dataclass(frozen=True, slots=True)
class Printed:
    """The output and the exit code of the command."""

    code: int
    stdout: str
    stderr: str

    @property
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.stdout)))

    @property
    def tree(self) -> Any:
        return json.loads(self.stdout)


@asynccontextmanager
async def fleet() -> AsyncIterator[PaletteServer]:
    """A protected virtual machine in each of two clusters, and one that is exempt."""
    now = time.time()
    world = World.empty(now=now)
    for uid, name, project in ((EAST, "east", EAST_PROJECT), (WEST, "west", WEST_PROJECT)):
        world.add_cluster(uid, name, project)
        labels = {"example.com/owner": f"team-{name}"}
        world.put_vm(uid, vm_document(name="db-01", labels=labels))
        world.put_snapshot(uid, snapshot_document(requested_at=now - HOUR))
    world.put_vm(EAST, vm_document(name="agent-01", namespace="scratch"))
    async with PaletteServer(world, limits=None) as palette:
        yield palette


def report(directory: Path, palette: PaletteServer, how: str = "csv", **sections: Any) -> Printed:
    path = directory / "config.yaml"
    tree = {
        "palette": {"url": palette.url, "timeout": "1s"},
        "discovery": {"enabled": True},
        "objectives": OBJECTIVES,
        "labels": {"owner": "example.com/owner"},
        **sections,
    }
    path.write_text(yaml.safe_dump(tree))
    key = {"SPECTROCLOUD_APIKEY": API_KEY}
    done = finished(f"--report={how}", f"--config.file={path}", environ=key)
    assert "Traceback" not in done.stderr
    return Printed(done.returncode, done.stdout, done.stderr)


async def printed(directory: Path, palette: PaletteServer, *how: str, **sections: Any) -> Printed:
    return await asyncio.to_thread(report, directory, palette, *how, **sections)


async def test_a_protected_fleet_ends_with_0_in_each_format(tmp_path: Path) -> None:
    async with fleet() as palette:
        text = await printed(tmp_path, palette, "text")
        table = await printed(tmp_path, palette, "csv")
        tree = (await printed(tmp_path, palette, "json")).tree
    assert (text.code, text.stderr) == (0, "")
    assert "3 virtual machines: 0 not protected, 0 unknown, 2 protected, 1 exempt." in text.stdout
    assert text.stdout.endswith("Result: every virtual machine is protected.\n")
    assert table.code == 0
    assert tuple(table.rows[0]) == COLUMNS == tuple(tree["vms"][0])
    first = tree["vms"][0]
    assert (first["cluster"], first["cluster_uid"], first["namespace"]) == ("east", EAST, "vms")
    assert (first["vm"], first["owner"], first["verdict"]) == ("db-01", "team-east", "protected")
    assert first["objective_seconds"] == 26 * 3600
    assert first["unprotected_volumes"] == []
    assert tree["summary"]["vms"] == len(table.rows) == 3
    assert [row["verdict"] for row in table.rows] == [vm["verdict"] for vm in tree["vms"]]


def without_a_volume(palette: PaletteServer) -> None:
    disks = (volumes.ROOT, volumes.without_class("datadisk", "nfs"))
    palette.world.put_vm(WEST, vm_document(name="db-01", volumes=disks))
    left_out = snapshot_document(
        requested_at=time.time() - HOUR, included=["rootdisk"], excluded=["datadisk"]
    )
    palette.world.put_snapshot(WEST, left_out)


def without_a_snapshot(palette: PaletteServer) -> None:
    palette.world.delete_snapshot(WEST, "vms", "db-01-nightly")


def without_a_time(palette: PaletteServer) -> None:
    (document,) = palette.world.snapshots(WEST)
    document["status"]["creationTime"] = "yesterday"
    palette.world.put_snapshot(WEST, document)


WRONG: dict[str, tuple[Callable[[PaletteServer], object], str, str]] = {
    "a data volume is in no snapshot": (
        without_a_volume,
        "not_protected",
        "unprotected_volumes",
    ),
    "a VM has no snapshot": (without_a_snapshot, "not_protected", "objective_missed"),
    "a cluster cannot be read": (
        lambda palette: palette.forbidden_projects.add(WEST_PROJECT),
        "unknown",
        "cluster_unread",
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_whatever_is_not_known_to_be_protected_ends_with_1_and_comes_first(
    case: str, tmp_path: Path
) -> None:
    spoil, verdict, reason = WRONG[case]
    async with fleet() as palette:
        spoil(palette)
        done = await printed(tmp_path, palette)
    assert done.code == 1
    assert done.rows[0]["cluster"] == "west"
    assert done.rows[0]["verdict"] == verdict
    assert reason in done.rows[0]["reasons"].split()


def without_clusters(palette: PaletteServer) -> None:
    for uid in (EAST, WEST):
        palette.world.remove_cluster(uid)


def without_vms(palette: PaletteServer) -> None:
    for uid in (EAST, WEST):
        for namespace in ("vms", "scratch"):
            palette.world.delete_namespace(uid, namespace)


EMPTY: dict[str, Callable[[PaletteServer], object]] = {
    "the key is refused": lambda palette: palette.api_keys.clear(),
    "Palette fails": lambda palette: palette.faults.add(None, faults.status(500)),
    "the dashboard is empty": without_clusters,
    "the clusters have no VM": without_vms,
}


@pytest.mark.parametrize("case", EMPTY)
async def test_nothing_found_is_never_everything_protected(case: str, tmp_path: Path) -> None:
    async with fleet() as palette:
        EMPTY[case](palette)
        done = await printed(tmp_path, palette, "text")
        tree = await printed(tmp_path, palette, "json")
    assert (done.code, tree.code) == (1, 1)
    assert "Result: not everything is protected." in done.stdout
    assert tree.tree["summary"]["all_protected"] is False
    assert tree.tree["vms"] == []


async def test_without_an_objective_the_text_says_that_any_age_counts(tmp_path: Path) -> None:
    async with fleet() as palette:
        without = await printed(tmp_path, palette, "text", objectives=[])
        one = await printed(tmp_path, palette, "text")
    assert "3 virtual machines without an objective for max_age" in without.stdout
    assert "max_age" not in one.stdout


async def test_a_value_that_cannot_be_read_ends_with_1(tmp_path: Path) -> None:
    async with fleet() as palette:
        without_a_time(palette)
        done = await printed(tmp_path, palette, "text")
    assert done.code == 1
    assert "vms/db-01-nightly: status.creationTime is not an RFC 3339 time" in done.stdout


async def test_bad_settings_end_with_2_before_anything_is_read(tmp_path: Path) -> None:
    async with fleet() as palette:
        done = await printed(tmp_path, palette, objectives=[{"max_age": "soon"}])
        assert not palette.requests
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("objectives[0].max_age")


def test_a_large_fleet_is_readable_the_worst_first_and_the_summary_last(tmp_path: Path) -> None:
    """Three thousand VMs in thirty clusters; ten VMs have no snapshot."""

    async def run() -> Printed:
        world = World.fleet(clusters=30, vms=3_000, snapshots=2_990, now=time.time())
        async with PaletteServer(world, limits=None) as palette:
            return await printed(tmp_path, palette, "text", objectives=[{"max_age": "40d"}])

    done = asyncio.run(run())
    lines = done.stdout.splitlines()
    assert done.code == 1
    assert lines[-2] == (
        "3,000 virtual machines: 10 not protected, 0 unknown, 2,990 protected, 0 exempt."
    )
    assert all(line.startswith("not protected  ") for line in lines[1:11])
    assert not any(line.startswith("not protected") for line in lines[11:])
    assert max(map(len, lines)) <= 120


def test_the_demo_has_every_verdict() -> None:
    done = finished("--demo", "--report=json")
    assert (done.returncode, done.stderr) == (1, "")
    summary = json.loads(done.stdout)["summary"]
    assert summary["not_protected"]
    assert summary["unknown"]
    assert summary["protected"]
    assert summary["unread_clusters"] == 4


def test_the_format_is_one_of_three() -> None:
    done = finished("--demo", "--report=xml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--report" in done.stderr


async def test_a_terminal_shows_progress_and_a_file_does_not() -> None:
    """The progress goes to standard error, so that a report in a file stays whole."""
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(*MODULE, "--demo", "--report=csv"),
            cwd=ROOT,
            env=environment({}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=theirs,
        )
        stdout, _ = await asyncio.wait_for(process.communicate(), 60)
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Read 7 of 7 clusters" in shown
    assert stdout.decode().startswith("cluster,cluster_uid,")
