"""The programs that a benchmark starts; all end when it ends."""

import asyncio
import importlib.metadata
import os
import platform
import socket
import sys
import time
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

GZIP = ("--header", "Accept-Encoding: gzip")  # taken as it comes: curl inflates nothing
MIB = 2**20
TICK = os.sysconf("SC_CLK_TCK")
UNLIMITED = 100_000
"""Requests a second, more than the exporter can send."""

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


def machine() -> str:
    """Return the hardware and the versions of the measurement."""
    packages = ("aiohttp", "isal", "msgspec", "prometheus-client", "uvloop")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {python}; {versions}"


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def resident(pid: int) -> int:
    """Return the bytes that a process has in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu(pid: int) -> float:
    """Return the seconds of processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def fetch(url: str) -> bytes:
    """Return what a URL answers, as it is."""
    with urllib.request.urlopen(url) as answer:
        body: bytes = answer.read()
    return body


async def curl(url: str, *options: str) -> float:
    """Fetch a URL and return the seconds that took, as curl measures it."""
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--fail", "--output", "/dev/null", "--write-out", "%{time_total}"),
        *options,
        url,
        stdout=PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"curl cannot fetch {url}")
    return float(out)


async def answered(url: str) -> None:
    """Wait until a URL answers 200."""
    while True:
        with suppress(RuntimeError):
            await curl(url)
            return
        await asyncio.sleep(0.01)


@asynccontextmanager
async def started(
    *command: str, environment: dict[str, str] | None = None, piped: bool = False
) -> AsyncIterator[Process]:
    """Run a program until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **(environment or {})},
        stdin=PIPE if piped else DEVNULL,
        stdout=PIPE if piped else DEVNULL,
        stderr=None if piped else DEVNULL,
        # An interrupt from the keyboard is for the benchmark, which ends the others.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@asynccontextmanager
async def server(port: int, *command: str) -> AsyncIterator[None]:
    """Run a program that listens on a port."""
    async with started(*command) as process:
        while process.returncode is None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        else:
            raise RuntimeError(f"{command[0]} does not start")
        yield


@asynccontextmanager
async def fleet(
    snapshots: int, *, vms: int | None = None, clusters: int = 40
) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """Yield the URL of a Palette with a fleet, and what changes all of it.

    vms: by default a third of the snapshots.
    """
    vms = snapshots // 3 if vms is None else vms
    sizes = (f"--snapshots={snapshots}", f"--vms={vms}", f"--clusters={clusters}")
    async with started(sys.executable, "-m", "benchmarks.fleet", *sizes, piped=True) as process:

        async def change() -> None:
            await _ask(process)

        assert process.stdout
        yield (await process.stdout.readline()).decode().strip(), change


def _tell(process: Process) -> None:
    """Send an empty line to a program."""
    assert process.stdin
    process.stdin.write(b"\n")


async def _ask(process: Process) -> str:
    """Send a line to a program, and return the line that it is answered with."""
    assert process.stdout
    _tell(process)
    return (await process.stdout.readline()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """An exporter in a process of its own; first_round: in seconds, from its start."""

    process: Process
    url: str
    first_round: float

    @property
    def metrics(self) -> str:
        """The URL of its metrics."""
        return f"{self.url}/metrics"

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self.process.pid

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[list[float]]:
        """Watch its event loop; the longest hold, in seconds, is in the list after the block."""
        longest: list[float] = []
        _tell(self.process)
        yield longest
        longest.append(float(await _ask(self.process)))


@asynccontextmanager
async def exporter(
    palette: str,
    *,
    interval: str = "1h",
    rate: float = UNLIMITED,
    objectives: str = "[]",
    labels: str = "{}",
) -> AsyncIterator[Exporter]:
    """Run the exporter against a simulated Palette, and yield it once its first round is over."""
    address = f"127.0.0.1:{free_port()}"
    environment = {
        "SPECTROCLOUD_HOST": palette,
        "SPECTROCLOUD_APIKEY": "demo",
        "PALETTE_EXPORTER_OBJECTIVES": objectives,
        "PALETTE_EXPORTER_LABELS": labels,
    }
    options = (f"--address={address}", f"--interval={interval}", f"--rate={rate}")
    begin = time.perf_counter()
    async with started(
        *(sys.executable, "-m", "benchmarks.watched", *options),
        environment=environment,
        piped=True,
    ) as process:
        await answered(f"http://{address}/-/ready")
        took = time.perf_counter() - begin
        yield Exporter(process=process, url=f"http://{address}", first_round=took)


@asynccontextmanager
async def nginx(text: Path) -> AsyncIterator[str]:
    """Serve a file, with gzip at level 1 for those who ask for it; yield its URL."""
    folder, port = text.parent, free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port))
    async with server(port, "nginx", "-c", str(configuration)):
        yield f"http://127.0.0.1:{port}/{text.name}"
