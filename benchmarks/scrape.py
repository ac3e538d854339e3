"""Measures scrapes and the resources of a fleet, and prints one table.

The exporter runs as a process of its own, against a simulated Palette in another. nginx sends the
same bytes as a file, in turn with it. Both are fetched by curl over loopback.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.processes import (
    GZIP,
    MIB,
    Exporter,
    answered,
    cpu,
    curl,
    exporter,
    fetch,
    fleet,
    free_port,
    machine,
    nginx,
    resident,
    started,
)
from benchmarks.table import Column, Figure, lines, ms, times, us

ROUNDS = 7
WATCHED = 4.0
"""Seconds during which five scrapers ask again and again."""

BASE = 60 * MIB
"""Bytes that an exporter needs without a fleet."""

HEALTH_PROBE = """
import http.client, sys, time
end = time.time() + float(sys.argv[2])
took = []
connection = http.client.HTTPConnection(sys.argv[1])
while time.time() < end:
    before = time.perf_counter()
    connection.request("GET", "/-/healthy")
    connection.getresponse().read()
    took.append(time.perf_counter() - before)
    time.sleep(0.002)
took.sort()
print(took[int(len(took) * 0.99)])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A fleet, and the settings under ``labels`` as JSON."""

    snapshots: int
    vms: int
    clusters: int
    labels: str = "{}"

    @property
    def title(self) -> str:
        """The head of its column."""
        return f"{self.snapshots:,}{'+' if self.labels != '{}' else ''}"


SIZES = (
    Size(snapshots=1_000, vms=333, clusters=40),
    Size(snapshots=10_000, vms=3_333, clusters=40),
    Size(
        snapshots=10_000,
        vms=3_333,
        clusters=40,
        labels='{"owner": "example.com/owner", "vm": ["tier", "app.kubernetes.io/part-of"]}',
    ),
    Size(snapshots=20_000, vms=6_666, clusters=1),
    Size(snapshots=200_000, vms=20_000, clusters=200),
)


def file_of(text: bytes, folder: Path) -> Path:
    """Return a file with a text that all can read: nginx reads it as another user."""
    folder.chmod(0o755)
    path = folder / "metrics.txt"
    path.write_bytes(text)
    return path


async def compare(ours: str, text: bytes) -> Column:
    """Fetch the same from the exporter and nginx in turn; return the medians."""
    if not shutil.which("nginx"):
        return {"nginx": "not installed"}
    rows: Column = {}
    with tempfile.TemporaryDirectory() as folder:
        async with nginx(file_of(text, Path(folder))) as file:
            for encoding, options in (("plain", ()), ("gzip", GZIP)):
                took = [
                    (await curl(ours, *options), await curl(file, *options)) for _ in range(ROUNDS)
                ]
                own, other = map(statistics.median, zip(*took, strict=True))
                rows[f"scrape, {encoding}"] = ms(own)
                rows[f"  of nginx's time, {encoding}"] = times(own / other)
    return rows


async def scrape_cpu(running: Exporter, seconds: float = 2.0) -> float:
    """Return the processor seconds of a gzip scrape."""
    before, end, count = cpu(running.pid), time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        await curl(running.metrics, *GZIP)
        count += 1
    return (cpu(running.pid) - before) / count


async def concurrently(running: Exporter) -> Column:
    """Scrape five times at once, again and again; watch the event loop and /-/healthy."""
    fetch_one = f"curl -s -o /dev/null -H 'Accept-Encoding: gzip' {running.metrics} &"
    script = f"while :; do {fetch_one * 5} wait; done"
    async with started("timeout", str(WATCHED + 5), "sh", "-c", script):
        await asyncio.sleep(0.5)
        async with running.watched() as longest:
            p99 = await healthy_p99(running, WATCHED)
    return {
        "longest stall, 5 gzip scrapes at once": ms(longest[0]),
        "  /-/healthy p99 meanwhile": ms(p99),
    }


async def healthy_p99(running: Exporter, seconds: float) -> float:
    """Return the 99th percentile of answers to /-/healthy, asked by another process."""
    host = running.url.removeprefix("http://")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HEALTH_PROBE, host, str(seconds)), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return float(out)


async def measure(size: Size) -> Column:
    """Measure one size of fleet."""
    async with (
        fleet(size.snapshots, vms=size.vms, clusters=size.clusters) as (palette, _),
        exporter(palette, labels=size.labels) as running,
    ):
        memory = resident(running.pid)
        text = await asyncio.to_thread(fetch, running.metrics)
        column: Column = {
            "clusters": f"{size.clusters}",
            "samples": Figure(text.count(b"\n") - text.count(b"\n#"), "{:,.0f}"),
            "text": Figure(len(text) / MIB, "{:.1f} MiB"),
            "first round, at no limit": Figure(running.first_round, "{:.1f} s"),
            "resident": Figure(memory / MIB, "{:.0f} MiB"),
            "  a snapshot, beyond 60 MiB": Figure(
                max(memory - BASE, 0) / size.snapshots / 1024, "{:.2f} KiB"
            ),
        }
        column |= await compare(running.metrics, text)
        column["CPU of a gzip scrape"] = ms(await scrape_cpu(running))
        column |= await concurrently(running)
        column["resident after all scrapes"] = Figure(resident(running.pid) / MIB, "{:.0f} MiB")
    return column | await refresh_costs(size)


async def refresh_costs(size: Size) -> Column:
    """Measure what refreshes cost, in a process that has nothing else to do."""
    command = (sys.executable, "-m", "benchmarks.refresh", *map(str, _numbers(size)))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    changed, unchanged, longest = map(float, out.split())
    return {
        "refresh, CPU a changed snapshot": us(changed),
        "refresh, CPU an unchanged snapshot": us(unchanged),
        "refresh, CPU of the longest step": ms(longest),
    }


def _numbers(size: Size) -> tuple[int, int, int]:
    # Costs grow with the snapshots of a cluster and not with the clusters.
    part = min(1.0, 20_000 / size.snapshots)
    return round(size.snapshots * part), round(size.vms * part), max(1, round(size.clusters * part))


async def idle() -> dict[str, str]:
    """Start the exporter with nothing to read; return the time and memory that this takes."""
    command = (sys.executable, "-m", "exporter")
    begin = time.perf_counter()
    async with started(*command, "--version") as version:
        await version.wait()
        printed = time.perf_counter() - begin
    nobody = {"SPECTROCLOUD_HOST": "http://127.0.0.1:1", "SPECTROCLOUD_APIKEY": "none"}
    address = f"127.0.0.1:{free_port()}"
    begin = time.perf_counter()
    async with started(*command, f"--web.listen-address={address}", environment=nobody) as process:
        await answered(f"http://{address}/-/healthy")
        healthy = time.perf_counter() - begin
        memory = resident(process.pid)
    return {
        "--version": f"{printed:.2f} s",
        "/-/healthy after": f"{healthy:.2f} s",
        "resident when idle": f"{memory / MIB:.0f} MiB",
    }


async def main() -> None:
    """Print a table with a column for every size; + marks labels.owner and two labels.vm."""
    parser = argparse.ArgumentParser(description=__doc__)
    titles = [size.title for size in SIZES]
    parser.add_argument("--sizes", nargs="+", choices=titles, default=titles)
    wanted = parser.parse_args().sizes
    print(machine())
    for name, value in (await idle()).items():
        print(f"{name:48}{value:>14}")
    sizes = [size for size in SIZES if size.title in wanted]
    print("\n".join(lines([size.title for size in sizes], [await measure(size) for size in sizes])))


if __name__ == "__main__":
    uvloop.run(main())
