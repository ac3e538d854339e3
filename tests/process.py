"""The exporter as a process, queried over HTTP and ended by signals."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.forked import Forked

ROOT = Path(__file__).parent.parent
MODULE = (sys.executable, "-m", "exporter")
SCRIPT = (str(Path(sys.executable).parent / "palette-snapshot-exporter"),)
DEV = (sys.executable, "-X", "dev", "-m", "exporter")
STOPS_WITHIN = 5.0

T = TypeVar("T")

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Name and labels of each series -> its value."""


async def eventually(check: Callable[[], Awaitable[T]], *, within: float = 15.0) -> T:
    """Return the first truthy result of check; fails after a number of seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        began = loop.time()
        if found := await check():
            return found
        assert loop.time() < deadline, f"{check} gives {found!r} after {within} s"
        await asyncio.sleep(max(0.05, 2 * (loop.time() - began)))


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the exporter's variables, and with extra."""
    ours = ("PALETTE_EXPORTER_", "SPECTROCLOUD_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **extra}


def finished(
    *arguments: str,
    command: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    within: float = 30.0,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; fails if that takes more seconds.

    command: by default the exporter, without its start.
    """
    if not command:
        with TemporaryDirectory() as directory:
            stdout, stderr = outputs(Path(directory))
            process = forked(arguments, environ, stdout, stderr)
            try:
                code = process.wait_for(within)
            finally:
                process.kill()
            return subprocess.CompletedProcess(
                arguments, code, stdout.read_text(), stderr.read_text()
            )
    return subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env=environment(environ or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running process; stdout and stderr: the files of its output."""

    process: asyncio.subprocess.Process | Forked
    stdout: Path
    stderr: Path

    @property
    def log(self) -> list[dict[str, str]]:
        """Return the log lines so far, which are logfmt, by key."""
        whole, _, _ = self.stderr.read_text().rpartition("\n")
        return [logfmt(line) for line in whole.split("\n") if line]

    def logged(self, msg: str) -> list[dict[str, str]]:
        """Return the log lines with this message."""
        return [line for line in self.log if line["msg"] == msg]

    async def line(self, msg: str, *, within: float = 15.0) -> dict[str, str]:
        """Wait for a log line with this message and return it."""

        async def found() -> list[dict[str, str]]:
            assert self.process.returncode is None, self.stderr.read_text()
            return self.logged(msg)

        return (await eventually(found, within=within))[0]

    async def url(self) -> str:
        """Wait until it listens and return its base URL."""
        return f"http://{(await self.line('starting'))['listen']}"

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it by a signal and return its exit code; fails if that takes too long."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), STOPS_WITHIN)


@asynccontextmanager
async def running(
    *arguments: str,
    directory: Path,
    command: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    arrange: Callable[[], object] | None = None,
) -> AsyncIterator[Running]:
    """Start a process, and end it with the block; directory: for its output.

    command: by default the exporter, without its start; arrange: is called in it first.
    """
    stdout, stderr = outputs(directory)
    process: asyncio.subprocess.Process | Forked
    if not command:
        process = forked(arguments, environ, stdout, stderr, arrange)
    else:
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = await asyncio.create_subprocess_exec(
                *command,
                *arguments,
                cwd=ROOT,
                env=environment(environ or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                # A process in the background gets no SIGINT, nor do its children.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
    try:
        yield Running(process=process, stdout=stdout, stderr=stderr)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def outputs(directory: Path) -> tuple[Path, Path]:
    """Return the files for what a process prints and logs."""
    return directory / "stdout.txt", directory / "stderr.txt"


def forked(
    arguments: Sequence[str],
    environ: Mapping[str, str] | None,
    stdout: Path,
    stderr: Path,
    arrange: Callable[[], object] | None = None,
) -> Forked:
    """Start the exporter, as it is after its imports."""
    environ = environment(environ or {})
    assert not any(name.startswith("PYTHON") for name in environ), "it takes a command"
    return Forked(arguments, environ=environ, stdout=stdout, stderr=stderr, arrange=arrange)


_PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"=]*)(?: |$)')


def logfmt(line: str) -> dict[str, str]:
    """Parse a line of logfmt, with quotes as in Go and JSON; fails for anything else."""
    pairs: dict[str, str] = {}
    position = 0
    while position < len(line):
        found = _PAIR.match(line, position)
        assert found, f"not logfmt at {position}: {line!r}"
        name, value = found.groups()
        assert name not in pairs, f"{name} twice: {line!r}"
        pairs[name] = json.loads(value) if value.startswith('"') else value
        position = found.end()
    assert {"time", "level", "msg"} <= pairs.keys(), line
    return pairs


async def get(url: str, tls: ssl.SSLContext | None = None, /, **headers: str) -> tuple[int, str]:
    """Return the status and the text of an answer."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(url, headers=headers, ssl=tls or True) as answer,
    ):
        return answer.status, await answer.text()


async def scrape(url: str) -> str:
    """Return the text of the metrics."""
    status, text = await get(f"{url}/metrics")
    assert status == 200
    return text


async def ready(url: str) -> bool:
    """Return whether every first refresh has ended."""
    return (await get(f"{url}/-/ready"))[0] == 200


def series(text: str) -> Series:
    """Return the series of a text; fails if one is repeated."""
    parse: Callable[[str], Any] = text_string_to_metric_families
    found: Series = {}
    for family in parse(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} stands twice"
            found[key] = sample.value
    return found


def labels_of(found: Series, name: str) -> list[dict[str, str]]:
    """Return the labels of every series of this name."""
    return [dict(labels) for family, labels in found if family == name]


def free_port() -> int:
    """Return a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def binary(*names: str) -> str:
    """Return the first program that is installed; skips the test without one, but fails in CI."""
    for name in names:
        if found := shutil.which(name):
            return found
    message = f"{names[0]} is not installed"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
