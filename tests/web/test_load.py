"""200 scrapers and 30 slow readers at once: every answer is whole or a clean 503."""

import asyncio
import gzip
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import Running, eventually, get, ready, running

SCRAPERS, SLOW_READERS, SNAPSHOTS = 200, 30, 2_000
MEMORY = 150 * 2**20
"""Bytes by which the process can grow during the test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer; body: as sent, without gzip."""

    status: int
    header: dict[str, str]
    body: bytes

    @property
    def series(self) -> int:
        lines = self.body.splitlines()
        return sum(not line.startswith(b"#") for line in lines)


@pytest.fixture
async def exporter(tmp_path: Path) -> AsyncIterator[tuple[Running, str]]:
    fleet = World.fleet(clusters=2, vms=SNAPSHOTS // 3, snapshots=SNAPSHOTS, now=time.time())
    async with (
        PaletteServer(fleet, limits=None) as palette,
        running(
            "--web.listen-address=127.0.0.1:0",
            f"--palette.url={palette.url}",
            "--palette.requests-per-second=10000",
            "--refresh.interval=1h",
            "--refresh.stale-after=1h",
            directory=tmp_path,
            environ={"SPECTROCLOUD_APIKEY": API_KEY},
        ) as process,
    ):
        url = await process.url()
        await eventually(lambda: ready(url), within=30)
        yield process, url


async def scrape(url: str, *, packed: bool, pause: asyncio.Event | None = None) -> Answer:
    """Scrape over a raw connection, to get the exact bytes.

    pause: until it is set, read some hundred bytes at a time, with sleeps in between.
    """
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**15)
    try:
        encoding = "gzip" if packed else "identity"
        writer.write(
            f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {encoding}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        body = bytearray()
        while pause is not None and not pause.is_set() and (more := await reader.read(500)):
            body += more
            await asyncio.sleep(0.05)
        body += await reader.read()
        while more := await reader.read(2**20):
            body += more
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    header = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    assert len(body) == int(header["content-length"]), "cut"
    whole = gzip.decompress(body) if header.get("content-encoding") == "gzip" else bytes(body)
    return Answer(status=int(head[0].split()[1]), header=header, body=whole)


def resident(process: Running) -> int:
    pages = int(Path(f"/proc/{process.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_no_answer_is_wrong_or_cut_under_load(exporter: tuple[Running, str]) -> None:
    process, url = exporter
    expected = (await scrape(url, packed=True)).series
    assert expected > 10 * SNAPSHOTS
    before, fast = resident(process), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        slow = [
            tasks.create_task(scrape(url, packed=False, pause=fast)) for _ in range(SLOW_READERS)
        ]
        scrapers = [
            tasks.create_task(scrape(url, packed=number % 10 > 0)) for number in range(SCRAPERS)
        ]
        healthy = 0
        while not all(each.done() for each in scrapers):
            assert (await get(f"{url}/-/healthy"))[0] == 200
            healthy += 1
            await asyncio.sleep(0.05)
        assert healthy

        async def is_answered() -> bool:
            return (await scrape(url, packed=True)).status == 200

        # The slow readers keep their places, and others get the rest.
        await eventually(is_answered)
        grown = resident(process) - before
        fast.set()
    answers = [each.result() for each in (*slow, *scrapers)]
    statuses = Counter(each.status for each in answers)
    assert set(statuses) <= {200, 503}, statuses
    assert statuses[200] >= 40, statuses
    assert statuses[503] > 0, statuses
    for answer in answers:
        if answer.status == 200:
            assert answer.series == expected
        else:
            assert answer.header["retry-after"] == "1"
            assert answer.body.startswith(b"web.max_requests: ")
    assert (await scrape(url, packed=True)).series == expected
    assert grown < MEMORY, grown
    assert not [line for line in process.log if line["level"] != "info"]
