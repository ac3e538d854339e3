"""Measures the memory, processor time and requests of an exporter, and prints one table.

The exporter runs as a process of its own, as users run it, against a simulated Palette in another.
Only its rate and interval are raised, so that rounds follow each other quickly.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import (
    GZIP,
    MIB,
    answered,
    cpu,
    curl,
    fetch,
    fleet,
    free_port,
    machine,
    started,
)

SCRAPES = 5
RATE = 40
"""Requests a second, by default."""

HEAD = (
    "snapshots     VMs  requests  at 40/s   samples       text     memory  "
    "a round   changed   a scrape"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The resources for a fleet; peak memory in bytes, processor time in seconds.

    cpu_round, cpu_changed: of a round in which nothing changed, and one in which all snapshots did.
    """

    snapshots: int
    requests: int
    samples: int
    text: int
    memory: int
    cpu_round: float
    cpu_changed: float
    cpu_scrape: float

    @property
    def row(self) -> str:
        """The figures as a row of the table."""
        return (
            f"{self.snapshots:>9} {self.snapshots // 3:>7} {self.requests:>9} "
            f"{self.requests / RATE:>6.1f} s {self.samples:>9} {self.text / MIB:>6.1f} MiB "
            f"{self.memory / MIB:>6.0f} MiB {self.cpu_round:>7.2f} s {self.cpu_changed:>7.2f} s "
            f"{self.cpu_scrape:>8.3f} s"
        )


@asynccontextmanager
async def exporter(palette: str, interval: int) -> AsyncIterator[tuple[int, str]]:
    """Run the exporter until the end of the block; yield its pid and URL once it has read all."""
    address = f"127.0.0.1:{free_port()}"
    async with started(
        *(sys.executable, "-m", "exporter", f"--web.listen-address={address}"),
        *(f"--refresh.interval={interval}s", f"--palette.requests-per-second={RATE * 100}"),
        *(f"--palette.burst={RATE * 100}", "--log.level=error"),
        environment={"SPECTROCLOUD_HOST": palette, "SPECTROCLOUD_APIKEY": "demo"},
    ) as process:
        await answered(f"http://{address}/-/ready")
        yield process.pid, f"http://{address}/metrics"


def peak(pid: int) -> int:
    """Return the most bytes that a process has had in memory."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def interval_for(snapshots: int) -> int:
    """Return the seconds from one round to the next: enough for several rounds."""
    return 10 + snapshots // 2_000


async def measure(snapshots: int) -> Needs:
    """Measure one size of fleet, three snapshots to a machine."""
    interval = interval_for(snapshots)
    async with fleet(snapshots) as (palette, change), exporter(palette, interval) as (pid, url):
        # The first round is over, the second not due: nothing else goes on.
        before = cpu(pid)
        for _ in range(SCRAPES):
            await curl(url, *GZIP)
        cpu_scrape = (cpu(pid) - before) / SCRAPES
        await asyncio.sleep(interval)
        # Each cluster is refreshed once in an interval.
        before = cpu(pid)
        await asyncio.sleep(interval)
        cpu_round = cpu(pid) - before
        await change()
        before = cpu(pid)
        await asyncio.sleep(interval)
        cpu_changed = cpu(pid) - before
        text = await asyncio.to_thread(fetch, url)
        planned = re.search(rb"^palette_exporter_round_seconds (\S+)$", text, re.MULTILINE)
        assert planned
        return Needs(
            snapshots=snapshots,
            requests=round(float(planned[1]) * RATE * 100),
            samples=text.count(b"\n") - text.count(b"\n#"),
            text=len(text),
            memory=peak(pid),
            cpu_round=cpu_round,
            cpu_changed=cpu_changed,
            cpu_scrape=cpu_scrape,
        )


async def main() -> None:
    """Print a row for every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 20_000, 50_000])
    print(machine())
    print(HEAD)
    for size in parser.parse_args().sizes:
        print((await measure(size)).row, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
