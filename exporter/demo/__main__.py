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
    """Serve until SIGTERM or SIGINT; return 1 if the port cannot be listened on."""
    parser = argparse.ArgumentParser(prog="python -m exporter.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"Default: {PORT}; 0: any.")
    port = parser.parse_args().port
    try:
        asyncio.run(_serve(port))
    except OSError as error:
        reason = f"--port: {HOST}:{port}: {error.strerror}. Use --port=0 for a free one."
        print(reason, file=sys.stderr)  # noqa: T201
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
A simulated Palette, in which snapshots come and go. Its clusters:

{clusters}

In another terminal:

  export SPECTROCLOUD_HOST={palette.url} SPECTROCLOUD_APIKEY={API_KEY}

Ctrl-C to stop; nothing is kept."""


if __name__ == "__main__":
    raise SystemExit(main())
