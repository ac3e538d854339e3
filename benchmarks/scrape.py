"""How fast scrapes are answered, and what a fleet costs; one table from one run.

The exporter runs as it is, in this process, against a simulated Palette in another. Others are
asked for the same bytes: nginx sends them as a file, Go's client as Debian's pushgateway, and
prometheus-client prints the same families. All are fetched by curl over loopback.
"""

import argparse
import asyncio
import gc
import gzip
import importlib.metadata
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from benchmarks.refresh import costs
from exporter.runtime import run
from exporter.settings import load

DEVNULL = asyncio.subprocess.DEVNULL
PORT, NGINX_PORT, PUSH_PORT = 10981, 10982, 10983
ROUNDS = 7
GZIP = ("--header", "Accept-Encoding: gzip")  # taken as it comes: curl inflates nothing
MIB = 2**20


NGINX = """\
pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; daemon off;
events {{}}
http {{
  access_log off; default_type text/plain; sendfile on;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  gzip on; gzip_comp_level 1; gzip_types text/plain;
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


@dataclass
class Figures:
    """What was measured at one size; times in seconds."""

    snapshots: int
    samples: int = 0
    size: int = 0
    rows: dict[str, str] = field(default_factory=dict)


def resident(pid: int | str = "self") -> int:
    """Return the bytes a process has in memory, this one unless told which."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def curl(url: str, *options: str) -> float:
    """Fetch a URL and return the seconds that took, as curl tells them."""
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--fail", "--output", "/dev/null", "--write-out", "%{time_total}"),
        *options,
        url,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"curl cannot fetch {url}")
    return float(out)


async def fastest(url: str, *options: str) -> float:
    """Return the median of some fetches, one after the other."""
    return statistics.median([await curl(url, *options) for _ in range(ROUNDS)])


@asynccontextmanager
async def fleet(
    snapshots: int, *, clusters: int = 40
) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """Yield the URL of a Palette with a fleet, and what lets all of it change."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.fleet"),
        f"--snapshots={snapshots}",
        f"--vms={snapshots // 3}",
        f"--clusters={clusters}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    stdin, stdout = process.stdin, process.stdout

    async def change() -> None:
        stdin.write(b"\n")
        await stdout.readline()

    yield (await stdout.readline()).decode().strip(), change
    stdin.close()
    await process.wait()


@dataclass
class Heartbeat:
    """Watches how long the event loop is held."""

    longest: float = 0.0

    async def beat(self) -> None:
        """Sleep a millisecond at a time, and note by how much that was too long."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - before - 0.001)


async def healthy_p99(seconds: float) -> float:
    """Return the 99th percentile of answers to /-/healthy, asked by another process."""
    program = (
        "import http.client,time,sys\n"
        f"end=time.time()+{seconds}; took=[]\n"
        f"c=http.client.HTTPConnection('127.0.0.1',{PORT})\n"
        "while time.time()<end:\n"
        " t=time.perf_counter(); c.request('GET','/-/healthy'); c.getresponse().read()\n"
        " took.append(time.perf_counter()-t); time.sleep(0.002)\n"
        "took.sort(); print(took[int(len(took)*0.99)])\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return float(out)


@asynccontextmanager
async def exporter(url: str, **refresh: str) -> AsyncIterator[float]:
    """Run the exporter in this process; yield the seconds until its first round was over."""
    settings = load(
        flags={
            "web": {"listen_address": f"127.0.0.1:{PORT}"},
            "log": {"level": "error"},
            "refresh": {"interval": refresh.get("interval", "1h"), "stale_after": "2h"},
            "palette": {
                "requests_per_second": refresh.get("rate", "100000"),
                "burst": refresh.get("burst", "100000"),
            },
        },
        environ={
            "SPECTROCLOUD_HOST": url,
            "SPECTROCLOUD_APIKEY": "demo",
            "PALETTE_EXPORTER_OBJECTIVES": refresh.get("objectives", "[]"),
        },
    )
    started = time.perf_counter()
    running = asyncio.create_task(run(settings))
    while not await answers("/-/ready"):  # noqa: ASYNC110 - asked over HTTP
        await asyncio.sleep(0.05)
    try:
        yield time.perf_counter() - started
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def answers(path: str) -> bool:
    """Tell whether the exporter answers 200 there."""
    try:
        await curl(f"http://127.0.0.1:{PORT}{path}")
    except RuntimeError:
        return False
    return True


@asynccontextmanager
async def nginx(text: Path) -> AsyncIterator[str]:
    """Serve a file, with gzip at level 1 for those who ask for it; yield its URL."""
    folder = text.parent
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=NGINX_PORT))
    async with program(
        NGINX_PORT, "nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"
    ):
        yield f"http://127.0.0.1:{NGINX_PORT}/{text.name}"


@asynccontextmanager
async def pushgateway(text: Path) -> AsyncIterator[str]:
    """Hold the same families in Go's client; yield the URL of its metrics."""
    pushed = text.with_name("pushed")
    _keep_ours(text, pushed)
    async with program(
        PUSH_PORT, "prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{PUSH_PORT}"
    ):
        base = f"http://127.0.0.1:{PUSH_PORT}/metrics"
        await curl(f"{base}/job/bench", "--request", "PUT", "--data-binary", f"@{pushed}")
        yield base


def _keep_ours(text: Path, pushed: Path) -> None:
    """Leave out what the pushgateway tells of itself."""
    lines = (line for line in text.read_bytes().splitlines(keepends=True) if b"palette_" in line)
    pushed.write_bytes(b"".join(lines))


@asynccontextmanager
async def program(port: int, *command: str) -> AsyncIterator[None]:
    """Run a server that listens on a port, and end it."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    for _ in range(100):
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


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
    started = time.perf_counter()
    printed = generate_latest(registry)
    between = time.perf_counter()
    gzip.compress(printed, 6)
    return between - started, time.perf_counter() - between


async def measure(snapshots: int, *, others: bool) -> Figures:
    """Measure one size of fleet."""
    figures = Figures(snapshots)
    url = f"http://127.0.0.1:{PORT}/metrics"
    gc.collect()
    base = resident()
    async with fleet(snapshots) as (palette, _), exporter(palette) as first_round:
        figures.rows["first round"] = f"{first_round:.1f} s"
        plain, packed = await fastest(url), await fastest(url, *GZIP)
        figures.rows["resident, KiB a snapshot"] = f"{(resident() - base) / snapshots / 1024:.2f}"
        figures.rows["scrape plain"] = f"{plain * 1e3:.1f} ms"
        figures.rows["scrape gzip"] = f"{packed * 1e3:.1f} ms"
        await concurrently(url, figures)
        text = await asyncio.to_thread(fetch, url)
        figures.size, figures.samples = len(text), text.count(b"\n") - text.count(b"\n#")
    changed, unchanged = await asyncio.to_thread(costs, snapshots)
    figures.rows["refresh, CPU a changed snapshot"] = f"{changed * 1e6:.1f} us"
    figures.rows["refresh, CPU an unchanged snapshot"] = f"{unchanged * 1e6:.1f} us"
    if others:
        await compare(text, plain, packed, figures)
    return figures


async def idle() -> dict[str, str]:
    """Start the exporter with nothing to read, and tell how long that takes."""
    command = (sys.executable, "-m", "exporter")
    started = time.perf_counter()
    version = await asyncio.create_subprocess_exec(*command, "--version", stdout=DEVNULL)
    await version.wait()
    told = time.perf_counter() - started
    nobody = {"SPECTROCLOUD_HOST": "http://127.0.0.1:1", "SPECTROCLOUD_APIKEY": "none"}
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command,
        f"--web.listen-address=127.0.0.1:{PORT}",
        env={**os.environ, **nobody},
        stderr=DEVNULL,
    )
    while not await answers("/-/healthy"):  # noqa: ASYNC110 - asked over HTTP
        await asyncio.sleep(0.01)
    healthy = time.perf_counter() - started
    memory = resident(process.pid)
    process.terminate()
    await process.wait()
    return {
        "--version": f"{told:.2f} s",
        "/-/healthy after": f"{healthy:.2f} s",
        "resident when idle": f"{memory / MIB:.0f} MiB",
    }


def fetch(url: str) -> bytes:
    """Return what a URL answers, as it is."""
    with urllib.request.urlopen(url) as answer:
        body: bytes = answer.read()
    return body


async def concurrently(url: str, figures: Figures) -> None:
    """Scrape five at a time for a while, and watch the event loop and /-/healthy."""
    heart = Heartbeat()
    beating = asyncio.create_task(heart.beat())
    # From other processes, because starting one holds this loop for longer than a scrape does.
    probing = asyncio.create_task(healthy_p99(4.0))
    fetch_one = f"curl -s -o /dev/null -H 'Accept-Encoding: gzip' {url} &"
    scraping = await asyncio.create_subprocess_exec(
        *("timeout", "5", "sh", "-c", f"while :; do {fetch_one * 5} wait; done")
    )
    await asyncio.sleep(0.5)
    heart.longest = 0.0
    p99 = await probing
    beating.cancel()
    await scraping.wait()
    figures.rows["longest stall, 5 scrapes at once"] = f"{heart.longest * 1e3:.1f} ms"
    figures.rows["/-/healthy p99 meanwhile"] = f"{p99 * 1e3:.1f} ms"


async def compare(text: bytes, plain: float, packed: float, figures: Figures) -> None:
    """Ask the others for the same bytes, and tell the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.txt"
        path.write_bytes(text)
        os.chmod(folder, 0o755)  # noqa: PTH101 - nginx reads it as somebody else
        for name, serving in (("nginx", nginx), ("prometheus-pushgateway", pushgateway)):
            if not shutil.which(name):
                figures.rows[name] = "not installed"
                continue
            async with serving(path) as url:
                theirs = await fastest(url), await fastest(url, *GZIP)
            figures.rows[f"{name} plain"] = versus(theirs[0], plain)
            figures.rows[f"{name} gzip"] = versus(theirs[1], packed)
    printed, compressed = await asyncio.to_thread(prometheus_client, text.decode())
    figures.rows["prometheus-client plain"] = versus(printed, plain)
    figures.rows["prometheus-client gzip (level 6)"] = versus(printed + compressed, packed)


def versus(theirs: float, ours: float) -> str:
    """Say how long the others take, and how many times as long that is."""
    return f"{theirs * 1e3:.1f} ms = {theirs / ours:.2f} times ours"


def machine() -> str:
    """Return what the figures were measured on."""
    packages = ("aiohttp", "isal", "msgspec", "prometheus-client", "uvloop")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {python}; {versions}"


async def main() -> None:
    """Print a table for every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    print(machine())
    for name, value in (await idle()).items():
        print(f"  {name:36} {value}")
    for size in parser.parse_args().sizes:
        figures = await measure(size, others=size == 10_000)
        mib = figures.size / MIB
        print(f"\n{size} snapshots: {figures.samples} samples, {mib:.1f} MiB of text")
        for name, value in figures.rows.items():
            print(f"  {name:36} {value}")


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
