"""The exporter connects to Palette and to nothing else."""

import sys
import time
from pathlib import Path

from exporter.demo.world import World
from tests.palette_server.server import API_KEY, PaletteServer
from tests.process import eventually, get, ready, running

GUARD = """
import atexit, socket, sys
seen = open({path!r}, "a", buffering=1)
def audit(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        seen.write(f"{{event}} {{args[1:] if event != 'socket.getaddrinfo' else args[:2]}}\\n")
sys.addaudithook(audit)
"""


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
        lines = record.read_text().splitlines()
        assert [line for line in lines if port not in line and "127.0.0.1" not in line] == []
