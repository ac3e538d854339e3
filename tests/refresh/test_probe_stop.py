"""A probe that hangs does not delay the end of the exporter."""

import asyncio
from pathlib import Path

import aiohttp
import yaml

from tests.harness import EAST, put, target, tenant, until
from tests.palette_server import faults
from tests.palette_server.server import API_KEY, PaletteServer
from tests.probes import probe
from tests.process import eventually, ready, running

ASKED = {"cluster_uid": EAST, "namespace": "vms", "vm": "db-01", "snapshot": "nightly"}


async def test_a_probe_that_hangs_does_not_delay_the_end(tmp_path: Path) -> None:
    world = tenant()
    put(world, "db-01", "nightly")
    async with PaletteServer(world, limits=None) as palette:
        tree = {
            "palette": {"url": palette.url, "api_key": API_KEY, "timeout": "60s"},
            "targets": [target(EAST)],
            "web": {"listen_address": "127.0.0.1:0"},
        }
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump(tree))
        async with running(f"--config.file={config}", directory=tmp_path) as exporter:
            url = await exporter.url()
            await eventually(lambda: ready(url))
            hanging = palette.faults.add("get_snapshot", faults.hang())
            asker = asyncio.ensure_future(probe(url, ASKED, seconds="60"))
            await until(lambda: hanging.hits == 1)
            assert await exporter.stop() == 0
            assert "Traceback" not in exporter.stderr.read_text()
            await asyncio.wait([asker])
            assert isinstance(asker.exception(), aiohttp.ClientError)
