"""The exporter as users run it, with a heartbeat that notes how long the event loop is held.

On standard input, each line begins or ends a watch; what ends one is answered with the longest
hold in it, in seconds. When the input ends, the exporter stops.
"""

import argparse
import asyncio
import os
import sys
import time
from contextlib import suppress

import uvloop

from exporter.runtime.run import run
from exporter.settings import load

BEAT = 0.001
"""Seconds from one beat of the heart to the next."""


class Heartbeat:
    """Watches how long the event loop is held, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def beat(self) -> None:
        """Sleep a little at a time, and note by how much that was too long."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(BEAT)
            self.longest = max(self.longest, time.perf_counter() - before - BEAT)


async def obey(lines: asyncio.StreamReader) -> None:
    """Watch as the lines want it, to their end."""
    while await lines.readline():
        heart = Heartbeat()
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(heart.beat())
            await lines.readline()
            beating.cancel()
        print(heart.longest, flush=True)


async def main() -> None:
    """Run the exporter until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--interval", required=True)
    parser.add_argument("--rate", type=float, required=True)
    wanted = parser.parse_args()
    settings = load(
        flags={
            "web": {"listen_address": wanted.address},
            "log": {"level": "error"},
            "refresh": {"interval": wanted.interval, "stale_after": "2h"},
            "palette": {"requests_per_second": wanted.rate, "burst": round(wanted.rate)},
        },
        environ=dict(os.environ),
    )
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run(settings))
        await obey(lines)
        running.cancel()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(main())
