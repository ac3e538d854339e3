"""The exporter connects to Palette and to nothing else."""

import sys
import time
from pathlib import Path

from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import eventually, get, ready, running

GUARD = """
import sys
def audit(event, args):
    if event in ("socket.connect", "socket.sendto") and args[1][0] != "127.0.0.1":
        raise PermissionError(f"denied: {{event}} {{args[1]}}")
    if event == "socket.getaddrinfo" and args[0] not in (None, "127.0.0.1", b"127.0.0.1"):
        raise PermissionError(f"denied: {{event}} {{args[0]}}")
    if event in ("socket.connect", "socket.getaddrinfo"):
        with open({path!r}, "a") as seen:
            seen.write(f"{{args[1]}}\\n")
sys.addaudithook(audit)
"""
"""Denies every connection to another machine, and records the others."""


async def test_it_connects_to_palette_only(tmp_path: Path) -> None:
    record = tmp_path / "connections.txt"
    (tmp_path / "sitecustomize.py").write_text(GUARD.format(path=str(record)))
    world = World.fleet(clusters=1, vms=2, snapshots=4, now=time.time())
    async with PaletteServer(world, limits=None) as palette:
        environ = {
            "PYTHONPATH": str(tmp_path),
            "SPECTROCLOUD_HOST": palette.url,
            "SPECTROCLOUD_APIKEY": API_KEY,
        }
        flags = ("--refresh.interval=1s", "--web.listen-address=127.0.0.1:0", "--log.format=logfmt")
        command = (sys.executable, "-m", "exporter")
        async with running(*flags, directory=tmp_path, environ=environ, command=command) as process:
            url = await process.url()
            await eventually(lambda: ready(url))
            for path in ("/", "/metrics", "/docs/runbooks.md", "/api/v1/status"):
                assert (await get(url + path))[0] == 200, path
            assert await process.stop() == 0
        port = palette.url.rpartition(":")[2]
        assert port in record.read_text()
        errors = [line for line in process.log if line["level"] in ("warning", "error")]
        assert [line for line in errors if "denied" in str(line)] == []
