"""Measures the status page of a large fleet, and prints one table.

The exporter runs in its own process, against a simulated Palette in another; curl requests the
page over loopback.
"""

import argparse
import asyncio
import statistics
from collections.abc import Awaitable, Callable

from benchmarks.processes import MIB, Exporter, exporter, fleet, machine, resident

ASKED = {
    "all": "/",
    "last page": "/?page=999999",
    "one state": "/?state=fine",
    "a search": "/?q=nightly-001",
    "JSON": "/api/v1/status",
    "a VM": "/vms/6540a1b2c3d4e5f600000001/team-0/vm-0000",
}
ROUNDS = 9


async def first_byte(url: str) -> tuple[float, int]:
    """Return the seconds until the first byte of an answer, and how many bytes it has."""
    form = "%{time_starttransfer} %{size_download}\n"
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--fail", "--output", "/dev/null", "--write-out", form, url),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"curl cannot fetch {url}: {process.returncode}")
    seconds, size = out.decode().split()
    return float(seconds), int(size)


async def load(base: str, seconds: float) -> None:
    """Request all pages repeatedly, from another process."""
    urls = " ".join(f"'{base}{path}'" for path in ASKED.values())
    script = f"while :; do curl -s -o /dev/null {urls.replace(' ', ' -o /dev/null ')}; done"
    process = await asyncio.create_subprocess_exec("timeout", str(seconds), "sh", "-c", script)
    await process.wait()


async def measure(running: Exporter, refreshed: Callable[[], Awaitable[None]]) -> dict[str, str]:
    """Return the figures of one size. refreshed: changes everything and waits for its refresh."""
    rows = {}
    for name, path in ASKED.items():
        took = [await first_byte(running.url + path) for _ in range(ROUNDS)]
        median, worst = statistics.median(each for each, _ in took), max(took)[0]
        rows[f"{name}: first byte, median and worst"] = f"{median * 1e3:.1f} {worst * 1e3:.1f} ms"
        rows[f"{name}: body"] = f"{took[0][1] / 1000:.0f} kB"
    cold = []
    for _ in range(3):
        await refreshed()
        cold.append((await first_byte(running.url + "/"))[0])
    rows["all: first byte after a refresh that changed all"] = f"{max(cold) * 1e3:.1f} ms"
    async with running.watched() as longest:
        await load(running.url, 4.0)
    rows["longest stall while pages are requested"] = f"{longest[0] * 1e3:.1f} ms"
    async with running.watched() as longest:
        await refreshed()
    rows["longest stall while all changes"] = f"{longest[0] * 1e3:.1f} ms"
    return rows


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshots", type=int, default=20_000)
    parser.add_argument("--vms", type=int, default=6_666)
    parser.add_argument("--clusters", type=int, default=40)
    parser.add_argument("--interval", type=int, default=15, help="seconds between two refreshes")
    arguments = parser.parse_args()
    interval = arguments.interval
    print(machine())
    async with (
        fleet(arguments.snapshots, vms=arguments.vms, clusters=arguments.clusters) as (
            palette,
            change,
        ),
        exporter(palette, interval=f"{interval}s", objectives='[{"max_age": "8d"}]') as running,
    ):

        async def refreshed() -> None:
            await change()
            await asyncio.sleep(2 * interval + 2)

        print(f"{arguments.snapshots} snapshots on {arguments.clusters} clusters")
        print(f"  {resident(running.pid) / MIB:.0f} MiB resident")
        for name, value in (await measure(running, refreshed)).items():
            print(f"  {name:52} {value}")


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
