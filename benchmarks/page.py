"""How fast the status page is answered for a large fleet, and what it costs; one table.

The exporter runs as it is, in this process, against a simulated Palette in another; curl asks for
the page over loopback.
"""

import argparse
import asyncio
import gc
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from benchmarks.scrape import DEVNULL, PORT, Heartbeat, exporter, fleet, machine, resident

BASE = f"http://127.0.0.1:{PORT}"
ASKED = {
    "all": "/",
    "last page": "/?page=999999",
    "one state": "/?state=fine",
    "a search": "/?q=nightly-001",
    "JSON": "/api/v1/status",
    "a VM": "/vms/6540a1b2c3d4e5f600000001/team-0/vm-0000",
}
ROUNDS = 9


async def first_byte(path: str) -> tuple[float, int]:
    """Return the seconds until the first byte of an answer, and how many bytes it has."""
    form = "%{time_starttransfer} %{size_download}\n"
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--fail", "--output", "/dev/null", "--write-out", form, BASE + path),
        stdout=asyncio.subprocess.PIPE,
        stderr=DEVNULL,
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"curl cannot fetch {path}: {process.returncode}")
    seconds, size = out.decode().split()
    return float(seconds), int(size)


@asynccontextmanager
async def beating() -> AsyncIterator[Heartbeat]:
    """Watch the event loop; what starting a program costs is no stall of ours."""
    heart = Heartbeat()
    task = asyncio.create_task(heart.beat())
    await asyncio.sleep(0.05)
    heart.longest = 0.0
    yield heart
    task.cancel()


async def load(seconds: float) -> None:
    """Ask for all of the pages, again and again, from another process."""
    urls = " ".join(f"'{BASE}{path}'" for path in ASKED.values())
    script = f"while :; do curl -s -o /dev/null {urls.replace(' ', ' -o /dev/null ')}; done"
    process = await asyncio.create_subprocess_exec("timeout", str(seconds), "sh", "-c", script)
    await process.wait()


async def measure(snapshots: int, refreshed: Callable[[], Awaitable[None]]) -> dict[str, str]:
    """Return the figures of one size. refreshed: lets all change and waits for its refresh."""
    rows = {}
    for name, path in ASKED.items():
        took = [await first_byte(path) for _ in range(ROUNDS)]
        median, worst = statistics.median(each for each, _ in took), max(took)[0]
        rows[f"{name}: first byte, median and worst"] = f"{median * 1e3:.1f} {worst * 1e3:.1f} ms"
        rows[f"{name}: body"] = f"{took[0][1] / 1000:.0f} kB"
    cold = []
    for _ in range(3):
        await refreshed()
        cold.append((await first_byte("/"))[0])
    rows["all: first byte after a refresh that changed all"] = f"{max(cold) * 1e3:.1f} ms"
    async with beating() as heart:
        asking = asyncio.create_task(load(4.0))
        await asyncio.sleep(0.5)
        heart.longest = 0.0
        await asking
    rows["longest stall while pages are asked for"] = f"{heart.longest * 1e3:.1f} ms"
    async with beating() as heart:
        await refreshed()
    rows["longest stall while all changes"] = f"{heart.longest * 1e3:.1f} ms"
    return rows


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshots", type=int, default=20_000)
    parser.add_argument("--clusters", type=int, default=40)
    arguments = parser.parse_args()
    print(machine())
    gc.collect()
    base = resident()
    async with (
        fleet(arguments.snapshots, clusters=arguments.clusters) as (palette, change),
        exporter(palette, interval="15s", rate="40", burst="50", objectives='[{"max_age": "8d"}]'),
    ):

        async def refreshed() -> None:
            await change()
            await asyncio.sleep(32)

        print(f"{arguments.snapshots} snapshots on {arguments.clusters} clusters")
        print(f"  {(resident() - base) / arguments.snapshots / 1024:.2f} KiB resident a snapshot")
        for name, value in (await measure(arguments.snapshots, refreshed)).items():
            print(f"  {name:52} {value}")


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
