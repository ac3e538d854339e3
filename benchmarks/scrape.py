"""How fast scrapes are answered, and what a fleet costs; one table from one run.

The exporter runs as a process of its own, against a simulated Palette in another. Others are
asked for the same bytes in turn with it: nginx sends them as a file, Go's client as Debian's
pushgateway, and prometheus-client prints the same families. All are fetched by curl over loopback.
"""

import argparse
import asyncio
import gzip
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

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
    pushgateway,
    resident,
    started,
)
from benchmarks.table import Column, Figure, lines, ms, times, us

ROUNDS = 5
WATCHED = 4.0
"""Seconds in which five scrapes at once are kept up."""

AT_THE_LIMIT = 12.0
"""Seconds in which the exporter reads as fast as Palette lets it."""

PAGES_PER_SECOND = 50.0
BASE = 60 * MIB
"""Bytes that an exporter may need for itself."""

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

OTHERS = {"nginx": nginx, "prometheus-pushgateway": pushgateway}
"""Who serves a file of the same text; programs that may not be installed."""


class Parsed(Collector):
    """Families read from a text, for prometheus-client to print."""

    def __init__(self, text: str) -> None:
        self._families = list(text_string_to_metric_families(text))

    def collect(self) -> Iterator[object]:  # type: ignore[override]
        """Yield the families."""
        return iter(self._families)


def prometheus_client(text: str) -> tuple[float, float]:
    """Return the seconds that prometheus-client takes to print the text, and to compress it."""
    registry = CollectorRegistry()
    registry.register(Parsed(text))
    begin = time.perf_counter()
    printed = generate_latest(registry)
    between = time.perf_counter()
    gzip.compress(printed, 6)
    return between - begin, time.perf_counter() - between


def file_of(text: bytes, folder: Path) -> Path:
    """Return a file with a text, which all may read: nginx does so as somebody else."""
    folder.chmod(0o755)
    path = folder / "metrics.txt"
    path.write_bytes(text)
    return path


@asynccontextmanager
async def contestants(ours: str, text: bytes, largest: int) -> AsyncIterator[dict[str, str]]:
    """Yield who can be asked for the text, and where.

    largest: bytes of text up to which Go's client is asked: it takes gigabytes for more.
    """
    urls = {"ours": ours}
    async with AsyncExitStack() as stack:
        for name, serving in OTHERS.items():
            if shutil.which(name) and (name == "nginx" or len(text) <= largest):
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                urls[name] = await stack.enter_async_context(serving(file_of(text, Path(folder))))
        yield urls


async def compare(ours: str, text: bytes, *, all_others: bool) -> Column:
    """Ask all for the same, one after the other and again; return the medians."""
    rows: Column = {}
    async with contestants(ours, text, len(text) if all_others else 0) as urls:
        for encoding, options in (("plain", ()), ("gzip", GZIP)):
            took: dict[str, list[float]] = {name: [] for name in urls}
            for _ in range(ROUNDS):
                for name, url in urls.items():
                    took[name].append(await curl(url, *options))
            medians = {name: statistics.median(found) for name, found in took.items()}
            rows[f"scrape, {encoding}"] = ms(medians["ours"])
            for name in OTHERS:
                label = f"  {name} takes"
                if name in medians:
                    rows[f"{label} {encoding}"] = times(medians[name] / medians["ours"])
                else:
                    rows[f"{label} {encoding}"] = "-" if shutil.which(name) else "not installed"
    if all_others:
        seconds = await asyncio.to_thread(prometheus_client, text.decode())
        plain, packed = rows["scrape, plain"], rows["scrape, gzip"]
        assert isinstance(plain, Figure)
        assert isinstance(packed, Figure)
        rows["  prometheus-client takes plain"] = times(seconds[0] * 1e3 / plain.value)
        rows["  prometheus-client takes gzip (level 6)"] = times(sum(seconds) * 1e3 / packed.value)
    return rows


async def concurrently(running: Exporter) -> Column:
    """Keep up five scrapes at once, and watch the event loop and /-/healthy."""
    rows: Column = {}
    for encoding, options in (("plain", ""), ("gzip", "-H 'Accept-Encoding: gzip'")):
        fetch_one = f"curl -s -o /dev/null {options} {running.metrics} &"
        script = f"while :; do {fetch_one * 5} wait; done"
        async with started("timeout", str(WATCHED + 5), "sh", "-c", script):
            await asyncio.sleep(0.5)
            async with running.watched() as longest:
                p99 = await healthy_p99(running, WATCHED)
        rows[f"longest stall, 5 scrapes at once, {encoding}"] = ms(longest[0])
        rows[f"  /-/healthy p99 meanwhile, {encoding}"] = ms(p99)
    return rows


async def healthy_p99(running: Exporter, seconds: float) -> float:
    """Return the 99th percentile of answers to /-/healthy, asked by another process."""
    host = running.url.removeprefix("http://")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HEALTH_PROBE, host, str(seconds)), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return float(out)


async def at_the_limit(palette: str) -> Column:
    """Let the exporter read without a pause, as fast as Palette lets it; nothing changes."""
    async with exporter(palette, interval="1s", rate=PAGES_PER_SECOND) as running:
        asked, counted_at = await requests(running), time.perf_counter()
        begin, used = time.perf_counter(), cpu(running.pid)
        await asyncio.sleep(AT_THE_LIMIT)
        share = (cpu(running.pid) - used) / (time.perf_counter() - begin)
        # Counted as a scrape ends; of a large fleet, that takes a while.
        asked = await requests(running) - asked
        rate = asked / (time.perf_counter() - counted_at)
    return {
        "at Palette's limit, pages a second": Figure(rate, "{:.1f}", grows=False),
        "  of one core, HTTP included": Figure(share * 100, "{:.1f} %", grows=False),
    }


async def requests(running: Exporter) -> float:
    """Return how many requests an exporter has sent."""
    text = await asyncio.to_thread(fetch, running.metrics)
    found = re.findall(rb"^palette_exporter_api_requests_total\S* (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


async def measure(snapshots: int, *, all_others: bool) -> Column:
    """Measure one size of fleet."""
    async with fleet(snapshots) as (palette, _):
        async with exporter(palette) as running:
            memory = resident(running.pid)
            text = await asyncio.to_thread(fetch, running.metrics)
            column: Column = {
                "samples": Figure(text.count(b"\n") - text.count(b"\n#"), "{:,.0f}"),
                "text": Figure(len(text) / MIB, "{:.1f} MiB"),
                "first round, at no limit": Figure(running.first_round, "{:.1f} s"),
                "resident": Figure(memory / MIB, "{:.0f} MiB"),
                "  a snapshot, beyond 60 MiB": Figure(
                    max(memory - BASE, 0) / snapshots / 1024, "{:.2f} KiB", grows=False
                ),
            }
            column |= await compare(running.metrics, text, all_others=all_others)
            column |= await concurrently(running)
        column |= await at_the_limit(palette)
    return column | await refresh_costs(snapshots)


async def refresh_costs(snapshots: int) -> Column:
    """Measure what refreshes cost, in a process that has nothing else to do."""
    command = (sys.executable, "-m", "benchmarks.refresh", str(snapshots))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    changed, unchanged = map(float, out.split())
    return {
        "refresh, CPU a changed snapshot": us(changed),
        "refresh, CPU an unchanged snapshot": us(unchanged),
    }


async def idle() -> dict[str, str]:
    """Start the exporter with nothing to read, and tell how long that takes."""
    command = (sys.executable, "-m", "exporter")
    begin = time.perf_counter()
    async with started(*command, "--version") as version:
        await version.wait()
        told = time.perf_counter() - begin
    nobody = {"SPECTROCLOUD_HOST": "http://127.0.0.1:1", "SPECTROCLOUD_APIKEY": "none"}
    address = f"127.0.0.1:{free_port()}"
    begin = time.perf_counter()
    async with started(*command, f"--web.listen-address={address}", environment=nobody) as process:
        await answered(f"http://{address}/-/healthy")
        healthy = time.perf_counter() - begin
        memory = resident(process.pid)
    return {
        "--version": f"{told:.2f} s",
        "/-/healthy after": f"{healthy:.2f} s",
        "resident when idle": f"{memory / MIB:.0f} MiB",
    }


async def main() -> None:
    """Print a table for every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument(
        "--others-up-to",
        type=int,
        default=10_000,
        help="snapshots up to which Go's client and prometheus-client are asked, too: both take "
        "gigabytes for more (default: %(default)s)",
    )
    wanted = parser.parse_args()
    print(machine())
    for name, value in (await idle()).items():
        print(f"{name:48}{value:>14}")
    columns = [await measure(size, all_others=size <= wanted.others_up_to) for size in wanted.sizes]
    print("\n".join(lines(wanted.sizes, columns)))


if __name__ == "__main__":
    uvloop.run(main())
