"""``python -m exporter.demo``: a simulated Palette to try a configuration against."""

import argparse
import asyncio
import signal
import sys
import time

from exporter.demo.api import API_KEY, DemoPalette
from exporter.demo.world import World

HOST, PORT = "127.0.0.1", 10190


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 where the port cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m exporter.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"Default: {PORT}; 0: any.")
    port = parser.parse_args().port
    try:
        asyncio.run(_serve(port))
    except OSError as error:
        print(f"port {port} of {HOST} cannot be had: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _serve(port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    palette = DemoPalette(World.demo(now=time.time()))
    try:
        await palette.start(HOST, port)
        print(_welcome(palette), flush=True)  # noqa: T201
        await stop.wait()
    finally:
        await palette.stop()


def _welcome(palette: DemoPalette) -> str:
    clusters = "\n".join(
        f"  {cluster.uid}  {cluster.name:<12}  project {cluster.project_uid}"
        for cluster in palette.world.clusters()
    )
    return f"""\
A simulated Palette with these clusters, whose snapshots come and go:

{clusters}

  export SPECTROCLOUD_HOST={palette.url} SPECTROCLOUD_APIKEY={API_KEY}

Ctrl-C ends it; nothing is kept."""


if __name__ == "__main__":
    raise SystemExit(main())
