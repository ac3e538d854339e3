"""All faults at the same time, on a real process with the usual loop and clock."""

import os
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.faults.health import healthy_throughout
from tests.faults.test_matrix import MATRIX
from tests.harness import Scrape, put
from tests.palette_server.faultbook import Match
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import eventually, ready, running, scrape

GOOD = ("good-1", "good-2")
BAD = {f"bad-{number}": row for number, row in enumerate(MATRIX) if "429" not in row.name}
"""A 429 slows the whole process down, as it should, and would hide the other faults."""

ENDLESS = {uid for uid, row in BAD.items() if row.name == "endless new items"}
"""Ten thousand pages take longer than this test: an endless refresh has not failed yet."""

UP, VMS = "palette_cluster_up", "palette_vm_info"
LAST_SUCCESS = "palette_cluster_last_success_timestamp_seconds"


def computing(pid: int) -> Callable[[], float]:
    """Return a function that returns the processor time of a process in seconds."""

    def computed() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    return computed


def fleet() -> World:
    world = World.empty()
    for uid in (*GOOD, *BAD):
        world.add_cluster(uid, f"name-of-{uid}", "65f0c1")
        for number in range(3):
            put(world, f"vm-{number}", f"nightly-{number}", cluster=uid)
    return world


async def test_all_faults_at_once_neither_block_the_process_nor_stale_other_clusters(
    tmp_path: Path,
) -> None:
    (tmp_path / "key").write_text(API_KEY)
    (tmp_path / "key").chmod(0o600)
    async with PaletteServer(fleet(), limits=None) as palette:
        tree = {
            "palette": {
                "url": palette.url,
                "api_key_file": "key",
                "timeout": "1s",
                "requests_per_second": 300,
                "burst": 300,
            },
            "refresh": {"interval": "1s", "stale_after": "2s"},
            "web": {"listen_address": "127.0.0.1:0"},
            "targets": [
                {"cluster_uid": uid, "cluster_name": f"name-of-{uid}"} for uid in (*GOOD, *BAD)
            ],
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(tree))
        async with running(f"--config.file={path}", directory=tmp_path) as exporter:
            url = await exporter.url()
            await eventually(lambda: ready(url))

            async def reported() -> Scrape:
                return Scrape.of(await scrape(url))

            async def up() -> set[str]:
                rows = (await reported()).rows(UP, "cluster_uid")
                return {uid for uid, value in rows.items() if value}

            async def last_success() -> float:
                rows = (await reported()).rows(LAST_SUCCESS, "cluster_uid")
                return min(rows[uid] for uid in GOOD)

            async def only_the_good_are_left() -> bool:
                left = {row[0] for row in (await reported()).rows(VMS, "cluster_uid", "vm")}
                return left == {*GOOD} >= await up() - ENDLESS

            assert await up() == {*GOOD, *BAD}
            # Thirty faults at once are more work than that, in small pieces;
            # on a busy machine, an answer can wait for several of them.
            computed = computing(exporter.process.pid)
            async with healthy_throughout(url, computed=computed, but=0.05):
                for uid, row in BAD.items():
                    palette.faults.add(Match(cluster_uid=uid), row.fault)
                await eventually(only_the_good_are_left)
                before = await last_success()

                async def refreshed() -> bool:
                    return await last_success() >= before + 2

                await eventually(refreshed)
                palette.faults.clear()

                async def all_up() -> bool:
                    return await up() == {*GOOD, *BAD}

                await eventually(all_up)
            assert await exporter.stop() == 0
            assert not [line for line in exporter.log if line["level"] == "error"]
