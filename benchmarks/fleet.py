"""A simulated Palette with a fleet of any size, in a process of its own.

It prints its URL. Each line on its standard input changes all snapshots at once.
"""

import argparse
import asyncio
import sys
import time

from benchmarks.documents import large
from exporter.demo.documents import timestamp
from tests.palette_server.server import PaletteServer
from tests.palette_server.world import World


def change_all(world: World) -> None:
    """Set the time of each snapshot's data to now."""
    for cluster in world.clusters():
        for snapshot in world.snapshots(cluster.uid):
            snapshot["status"]["creationTime"] = timestamp(time.time())
            world.put_snapshot(cluster.uid, snapshot)


async def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, default=40)
    parser.add_argument("--vms", type=int, required=True)
    parser.add_argument("--snapshots", type=int, required=True)
    arguments = parser.parse_args()
    world = World.fleet(
        clusters=arguments.clusters,
        vms=arguments.vms,
        snapshots=arguments.snapshots,
        now=time.time(),
    )
    for cluster in world.clusters():
        for vm in world.vms(cluster.uid):
            world.put_vm(cluster.uid, large(vm))
    async with PaletteServer(world, limits=None) as palette:
        print(palette.url, flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            change_all(world)
            print("changed", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
