"""A signal ends the exporter without an error, whatever its clients do."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.ending.test_ending import LISTEN, config, tenant
from tests.palette_server.server import PaletteServer
from tests.process import Running, running
from tests.web.guard.guarded import WebFile


@asynccontextmanager
async def connected(
    host: str, port: int, tls: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=2**14)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


METRICS = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

Client = Callable[[str, int, ssl.SSLContext | None], Awaitable[None]]


async def scraper(host: str, port: int, tls: ssl.SSLContext | None) -> None:
    """Scrape in a loop, with a new connection for every tenth scrape."""
    async with connected(host, port, tls) as (reader, writer):
        for encoding in ("gzip", "identity") * 5:
            head = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {encoding}\r\n\r\n"
            writer.write(head.encode())
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(answer.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)


async def keeper(host: str, port: int, tls: ssl.SSLContext | None) -> None:
    """Send one request and keep the connection open."""
    async with connected(host, port, tls) as (reader, writer):
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"healthy\n")
        await reader.read()


async def slow_reader(host: str, port: int, tls: ssl.SSLContext | None) -> None:
    """Request all metrics repeatedly, and read some bytes at a time."""
    async with connected(host, port, tls) as (reader, writer):
        while True:
            writer.write(METRICS)
            if not await reader.read(100):
                break
            await asyncio.sleep(0.1)


async def leaver(host: str, port: int, tls: ssl.SSLContext | None) -> None:
    """Request all metrics, and reset the connection in the middle of the answer."""
    async with connected(host, port, tls) as (reader, writer):
        writer.write(METRICS)
        await reader.read(100)


async def silent(host: str, port: int, tls: ssl.SSLContext | None) -> None:
    """Send nothing, or only the beginning of a TLS handshake."""
    async with connected(host, port, None) as (reader, writer):
        if tls is not None:
            writer.write(b"\x16\x03\x01")
        await reader.read()


async def uploader(host: str, port: int, tls: ssl.SSLContext | None) -> None:
    """Send a body without end."""
    async with connected(host, port, tls) as (_, writer):
        writer.write(b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"5\r\nxxxxx\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)


CLIENTS: tuple[Client, ...] = (scraper, keeper, slow_reader, leaver, silent, uploader)


@asynccontextmanager
async def clients(
    kinds: tuple[Client, ...], url: str, tls: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Run five clients of each kind in this block; each restarts when it is disconnected."""
    host, _, port = url.removeprefix("http://").partition(":")

    async def again(kind: Client) -> None:
        while True:
            with suppress(OSError, EOFError):
                await kind(host, int(port), tls)
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(again(kind)) for kind in kinds for _ in range(5)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def assert_silent(exporter: Running) -> None:
    assert "Traceback" not in exporter.stderr.read_text()
    assert not [line for line in exporter.log if line["level"] not in ("info", "warning")]
    assert exporter.log[-1]["msg"] == "stopping"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "kinds",
    [*((each,) for each in CLIENTS), CLIENTS],
    ids=lambda kinds: "+".join(k.__name__ for k in kinds),
)
async def test_a_signal_ends_it_quietly_whatever_clients_do(
    kinds: tuple[Client, ...], scheme: str, tmp_path: Path
) -> None:
    web_file = WebFile(tmp_path)
    web_file.write(**({"tls_server_config": web_file.issue()} if scheme == "https" else {}))
    tls = web_file.client() if scheme == "https" else None
    async with (
        PaletteServer(tenant(2000), limits=None) as palette,
        running(
            config(tmp_path, palette.url),
            LISTEN,
            f"--web.config.file={web_file.path}",
            directory=tmp_path,
        ) as exporter,
    ):
        url = await exporter.url()
        await exporter.line("first round complete")
        async with clients(kinds, url, tls):
            await asyncio.sleep(1)
            assert await exporter.stop() == 0
        assert_silent(exporter)
