"""An exporter as a process, and its memory, open files, tasks and series."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.process import ROOT, environment, eventually, logfmt, ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    import aiohttp

PAGE = os.sysconf("SC_PAGE_SIZE")

UNLIKE = ("_age_seconds", "last_success_timestamp_seconds", "refresh_duration_seconds")
"""Ends of the names of series that change with time or with each refresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The resources of a process at a moment; resident: bytes; files: open, with connections."""

    resident: int
    files: int
    connections: int
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A running exporter; log: the file of its log."""

    process: asyncio.subprocess.Process
    url: str
    log: Path

    async def sample(self) -> Sample:
        """Measure the process."""
        tasks = await self.ask("tasks")
        proc = Path(f"/proc/{self.process.pid}")
        files = list(_open_files(proc / "fd"))
        return Sample(
            resident=int((proc / "statm").read_text().split()[1]) * PAGE,
            files=len(files),
            connections=sum(each.startswith("socket:") for each in files),
            tasks=tasks,
        )

    async def ask(self, question: str) -> int:
        """Return what tests/soak/exporter.py answers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{question}\n".encode())
        return int(await asyncio.wait_for(self.process.stdout.readline(), 30))

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Prevent refreshes from beginning in this block."""
        await self.ask("pause")
        yield
        await self.ask("resume")

    async def series(self, session: aiohttp.ClientSession) -> set[str]:
        """Return the lines about the fleet, without values that change with time."""
        text = await scraped(session, self.url)
        return {
            line
            for line in text.split("\n")
            if line.startswith(("palette_vm_", "palette_cluster_"))
            and not line.partition("{")[0].endswith(UNLIKE)
        }


def _open_files(descriptors: Path) -> Iterator[str]:
    for each in descriptors.iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            yield str(each.readlink())


async def scraped(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str] | None = None
) -> str:
    """Return the text of a scrape, which must be whole."""
    async with session.get(f"{url}/metrics", headers=headers) as response:
        assert response.status == 200
        text = await response.text()
    assert text.endswith("\n")
    return text


@asynccontextmanager
async def watched(config: Path, speed: float, origin: float, log: Path) -> AsyncIterator[Watched]:
    """Start an exporter, wait until it is ready, and end it."""
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.soak.exporter", str(config), str(speed), str(origin)),
            cwd=ROOT,
            env=environment({}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )

    async def listening() -> str:
        assert process.returncode is None, _lines(log)
        started = (line["listen"] for line in _lines(log) if line["msg"] == "starting")
        return next((f"http://{address}" for address in started), "")

    try:
        url = await eventually(listening, within=60)
        await eventually(lambda: ready(url), within=60)
        yield Watched(process=process, url=url, log=log)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _lines(log: Path) -> list[dict[str, str]]:
    whole, _, _ = log.read_text().rpartition("\n")
    return [logfmt(line) for line in whole.split("\n") if line]
