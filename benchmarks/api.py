"""Measures how a large fleet is read within the API's limits, and prints one table.

The simulated Palette enforces the real limits (50 requests a second, 250 in one burst) and the
exporter has its defaults (40 and 50). Takes about two minutes.
"""

import asyncio
import importlib.metadata
import math
import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from exporter.runtime.run import run
from exporter.settings import load
from tests.palette_server.server import API_KEY, PaletteServer, Request
from tests.palette_server.world import World

CLUSTERS, VMS, SNAPSHOTS = 40, 6_600, 20_000
PAGE, RATE, BURST = 50, 40, 50
OTHER_CLIENT = 25
"""Requests a second that another client takes, half of what there is."""

CLUSTER_CALLS = "/v1/spectroclusters"


def least_requests(world: World) -> int:
    """Return the pages of all lists, and one request to find the clusters."""
    return 1 + sum(
        math.ceil(len(world.snapshots(cluster.uid)) / PAGE)
        + math.ceil(len(world.vms(cluster.uid)) / PAGE)
        for cluster in world.clusters()
    )


async def read(palette: PaletteServer, *, seconds: float, interval: str) -> list[Request]:
    """Run the exporter for so many seconds, and return what Palette was asked."""
    settings = load(
        flags={
            "web": {"listen_address": "127.0.0.1:0"},
            "log": {"level": "error"},
            "refresh": {"interval": interval, "stale_after": "2h"},
        },
        environ={"SPECTROCLOUD_HOST": palette.url, "SPECTROCLOUD_APIKEY": API_KEY},
    )
    running = asyncio.create_task(run(settings))
    await asyncio.sleep(seconds)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return [each for each in palette.requests if each.status is not None]


def sustained(requests: Sequence[Request]) -> float:
    """Return the requests a second after the first burst, while there was work."""
    times = sorted(each.at for each in requests if each.raw_path.startswith(CLUSTER_CALLS))
    return (len(times) - BURST - 1) / (times[-1] - times[BURST])


async def alone(world: World, needed: int) -> None:
    """Read the fleet once, without other clients."""
    async with PaletteServer(world) as palette:
        requests = await read(palette, seconds=needed / RATE + 5, interval="1h")
    codes = Counter(each.status for each in requests)
    rate = sustained(requests)
    print("one round, nobody else about")
    print(f"  requests                {len(requests)} of at most {needed}")
    print(f"  requests a second       {rate:.1f} = {rate / RATE:.1%} of the configured {RATE}")
    print(f"  answered 429            {codes[429]}")


async def beside_another(world: World) -> None:
    """Read it again and again while another client takes half of the budget."""
    async with PaletteServer(world) as palette:
        other = asyncio.create_task(take_half(palette))
        started = time.monotonic()
        requests = await read(palette, seconds=90, interval="1s")
        took = time.monotonic() - started
        other.cancel()
    refused = sum(each.status == 429 for each in requests)
    lists = [each for each in requests if each.raw_path.startswith(CLUSTER_CALLS)]
    begun = Counter(each.raw_path for each in lists if each.page == 1 and each.status == 200)
    print(f"another client takes {OTHER_CLIENT} requests a second, {took:.0f} s")
    print(f"  requests a second       {len(requests) / took:.1f}")
    print(f"  answered 429            {refused} of {len(requests)} = {refused / len(requests):.2%}")
    print(f"  rounds completed        {min(begun.values()) - 1} by every cluster")


async def take_half(palette: PaletteServer) -> None:
    """Spend what another client would, ten times a second."""
    spent, started = 0, time.monotonic()
    while True:
        due = int((time.monotonic() - started) * OTHER_CLIENT)
        palette.take(CLUSTER_CALLS, due - spent)
        spent = due
        await asyncio.sleep(0.1)


async def main() -> None:
    """Print both tables."""
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; "
        f"aiohttp {importlib.metadata.version('aiohttp')}"
    )
    print("takes about two minutes")
    world = World.fleet(clusters=CLUSTERS, vms=VMS, snapshots=SNAPSHOTS, now=time.time())
    print(f"{CLUSTERS} clusters, {VMS} virtual machines, {SNAPSHOTS} snapshots")
    await alone(world, least_requests(world))
    await beside_another(world)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
