"""Floods of clients that are not authenticated: the process lives, stays small, and answers."""

import asyncio
import re
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.web.guard.connections import MOST_CONNECTIONS
from tests.process import Running, eventually, get, running
from tests.web.guard.guarded import WebFile, hashed

MOST = 512 * 2**20
"""Maximum memory in bytes at any time: the limit of the shipped manifests."""

SECONDS = 0.5
"""The duration of a flood."""

GROWTH = 40 * 2**20
"""Bytes by which the process can be larger afterwards."""

POST = b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
GET = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
STREAMS = {
    "malformed": (b"", b"\x16\x03\x01" * 20_000),
    "malformed requests": (b"", b"GET / HTTP/1.1\r\nHost: x\r\nBad\0: y\r\n\r\n" * 100),
    "upgrade": (UPGRADE, b"x" * 60_000),
    "chunked": (POST, b"ea60\r\n" + b"x" * 60_000 + b"\r\n"),
    "no chunks": (POST, b"zz\r\n" * 10_000),
    "pipelined": (b"", GET * 500),
    "endless head": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"Accept: " + b"a," * 4000 + b"\r\n"),
}
"""Name -> the first bytes of a connection, and the bytes that it repeats."""


def resident(process: Running, field: str = "VmRSS") -> int:
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


async def assert_small(process: Running, before: int) -> None:
    assert resident(process, "VmHWM") < MOST

    async def is_small() -> bool:
        return resident(process) - before < GROWTH

    # Freed memory goes back to the system every 15 seconds.
    await eventually(is_small, within=30)


async def stream(
    url: str, begin: bytes, more: bytes, until: float, tls: ssl.SSLContext | None = None
) -> None:
    """Send on one connection after the other; none is closed properly."""
    host, port = url.partition("://")[2].split(":")
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        with suppress(OSError, TimeoutError):
            _, writer = await asyncio.open_connection(host, int(port), ssl=tls)
            try:
                writer.write(begin)
                while loop.time() < until:
                    writer.write(more)
                    await asyncio.wait_for(writer.drain(), 1)
            finally:
                writer.transport.abort()


async def answers(url: str, tls: ssl.SSLContext | None = None) -> bool:
    with suppress(OSError, TimeoutError, aiohttp.ClientError):
        return (await get(f"{url}/-/healthy", tls))[0] in (200, 401)
    return False


@pytest.mark.parametrize("protection", ["none", "users", "TLS"])
async def test_streams_leave_nothing_behind(tmp_path: Path, protection: str) -> None:
    web_file = WebFile(tmp_path)
    keys: dict[str, Any] = {"users": {"basic_auth_users": {"a": hashed("pw")}}}
    keys["TLS"] = {"tls_server_config": web_file.issue()}
    web_file.write(**keys.get(protection, {}))
    tls = web_file.client() if protection == "TLS" else None
    flags = ("--demo", "--web.listen-address=127.0.0.1:0", f"--web.config.file={web_file.path}")
    loop = asyncio.get_running_loop()
    async with running(*flags, directory=tmp_path) as process:
        url = await process.url()
        url = url.replace("http:", "https:") if tls else url
        await process.line("first round complete")
        before = resident(process)
        for begin, more in STREAMS.values():
            until = loop.time() + SECONDS
            await asyncio.gather(*(stream(url, begin, more, until, tls) for _ in range(80)))
            await eventually(lambda: answers(url, tls))
        await assert_small(process, before)
        assert not [line for line in process.log if line["level"] == "error"]
        assert await process.stop() == 0


async def test_short_connections_do_not_block_others(tmp_path: Path) -> None:
    """More connections than fit; many close as soon as they are accepted."""
    flags = ("--demo", "--web.listen-address=127.0.0.1:0")
    loop = asyncio.get_running_loop()
    async with running(*flags, directory=tmp_path) as process:
        url = await process.url()
        await process.line("first round complete")
        host, port = url.removeprefix("http://").split(":")

        async def leave(until: float) -> None:
            while loop.time() < until:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection(host, int(port))
                    writer.write(POST + b"1\r\nx\r\n")
                    writer.transport.abort()
                await asyncio.sleep(0)

        before, until = resident(process), loop.time() + 4 * SECONDS
        endless = b"1\r\nx\r\n"
        await asyncio.gather(
            *(stream(url, POST, endless, until) for _ in range(MOST_CONNECTIONS - 4)),
            *(leave(until) for _ in range(60)),
        )
        await eventually(lambda: answers(url))
        await assert_small(process, before)
        assert not [line for line in process.log if line["level"] == "error"]
        assert await process.stop() == 0


async def test_short_connections_are_forgotten(tmp_path: Path) -> None:
    flags = ("--demo", "--web.listen-address=127.0.0.1:0")
    async with running(*flags, directory=tmp_path) as process:
        url = await process.url()
        await process.line("first round complete")
        host, port = url.removeprefix("http://").split(":")

        async def probe(count: int) -> None:
            for _ in range(count):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(GET)
                assert (await reader.readuntil(b"healthy\n")).startswith(b"HTTP/1.1 200 ")
                writer.close()

        await probe(500)
        before = resident(process)
        await asyncio.gather(*(probe(250) for _ in range(20)))
        # Remembered connections took two KiB each.
        assert resident(process) - before < 5000 * 2**10
        assert await process.stop() == 0


async def test_idle_connections_leave_files_for_others(tmp_path: Path) -> None:
    few = ("prlimit", "--nofile=120", sys.executable, "-m", "exporter")
    async with running(
        "--demo", "--web.listen-address=127.0.0.1:0", directory=tmp_path, command=few
    ) as process:
        url = await process.url()
        host, port = url.removeprefix("http://").split(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(400)]
        assert (await get(f"{url}/metrics"))[0] == 200
        assert (await get(f"{url}/-/healthy"))[0] == 200
        for _, writer in idle:
            writer.transport.abort()
        assert await process.stop() == 0


async def test_bodies_that_are_cut_off_leave_no_trace(tmp_path: Path) -> None:
    """Also while the exporter is full and reads none of them."""
    flags = ("--demo", "--web.listen-address=127.0.0.1:0", "--web.max-requests=1")
    async with running(*flags, directory=tmp_path) as process:
        url = await process.url()
        host, port = url.removeprefix("http://").split(":")

        async def cut_off(number: int) -> None:
            for round_ in range(20):
                with suppress(OSError):
                    _, writer = await asyncio.open_connection(host, int(port))
                    try:
                        writer.write(POST.replace(b"POST", b"GET") + b"5\r\nxx")
                        await writer.drain()
                        await asyncio.sleep(0.003 * ((number + round_) % 4))
                        writer.write(b"" if round_ % 3 else b"zz\r\n\r\nqq")
                        await writer.drain()
                    finally:
                        writer.transport.abort()

        await asyncio.gather(*(cut_off(number) for number in range(20)))
        await eventually(lambda: answers(url))
        assert await process.stop() == 0
        assert "Traceback" not in process.stderr.read_text()
        assert not [line for line in process.log if line["level"] == "error"]
