"""Large, slow and malformed requests are refused, and slow clients do not hold up others."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from exporter.web.app import served
from exporter.web.guard import connections, listener
from exporter.web.guard.access import ConcurrencyLimit
from exporter.web.guard.connections import LARGEST_BODY
from exporter.web.guard.web_config import WebConfig
from tests.process import eventually, running
from tests.web.guard.guarded import WebFile, ask, basic, guarded, hashed
from tests.web.running import Exporter

MANY = connections.MOST_CONNECTIONS + 300


@pytest.fixture
async def exporter() -> AsyncIterator[Exporter]:
    async with guarded() as exporter:
        yield exporter


def address(url: str) -> tuple[str, int]:
    host, port = url.partition("://")[2].split(":")
    return host, int(port)


@asynccontextmanager
async def connected(
    url: str, content: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection and send bytes; read at most 64 KiB ahead."""
    reader, writer = await asyncio.open_connection(*address(url), limit=2**15)
    try:
        with suppress(ConnectionError):
            writer.write(content)
            await writer.drain()
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def raw(url: str, content: bytes) -> bytes:
    """Send bytes and return everything that arrives until the connection is closed."""
    async with connected(url, content) as (reader, _), asyncio.timeout(15):
        got = b""
        with suppress(ConnectionError):
            while more := await reader.read(2**16):
                got += more
        return got


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 1000


@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy", "/none"])
async def test_large_bodies_are_refused(exporter: Exporter, path: str) -> None:
    for body in (b"x" * (LARGEST_BODY + 1), io.BytesIO(bytes(5_000_000)), pieces(100)):
        refused = await ask(exporter.url, path, "POST", data=body)
        assert refused.status == 413
        assert str(LARGEST_BODY) in refused.text
    for body in (b"x" * LARGEST_BODY, pieces(3)):
        assert (await ask(exporter.url, path, "POST", data=body)).status in (404, 405)


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 999999999\r\n\r\n",
        b"Content-Length: 999999999\r\n\r\n" + b"x" * 200_000,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"5000\r\n" + b"x" * 0x5000 + b"\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"ffffff\r\n" + b"x" * 200_000,
    ],
    ids=["absent", "present", "chunked", "one chunk"],
)
async def test_after_413_the_connection_is_closed(exporter: Exporter, body: bytes) -> None:
    started = asyncio.get_running_loop().time()
    answer = await raw(exporter.url, b"POST /metrics HTTP/1.1\r\nHost: x\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert asyncio.get_running_loop().time() - started < 10


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 500 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + (b"Accept: " + b"a," * 4000 + b"\r\n") * 96 + b"\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nS3CR3T\0: 1\r\n\r\n",
        b"S3CR3T nonsense\r\n\r\n",
        b"S3CR3T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /S3CR3T HTTP/9.9\r\nHost: x\r\n\r\n",
    ],
    ids=["line", "header", "headers", "all", "no host", "name", "nonsense", "method", "version"],
)
async def test_a_malformed_request_is_400_and_not_repeated(
    tmp_path: Path, request_head: bytes
) -> None:
    web_file = WebFile(tmp_path)
    web_file.write(http_server_config={"headers": {"X-Frame-Options": "deny"}})
    async with guarded(web_file) as exporter:
        answer = await raw(exporter.url, request_head + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        assert answer.count(b"HTTP/1.") == 1
        assert b"\r\nServer: palette-snapshot-exporter\r\n" in answer
        assert b"\r\nX-Frame-Options: deny\r\n" in answer
        assert answer.endswith(b"\r\n\r\n400 Bad Request\n")
        for leaked in (b"aiohttp", b"Python", b"S3CR3T"):
            assert leaked not in answer
        assert (await ask(exporter.url)).status == 200
        assert not [line for line in exporter.log if line["log_level"] != "info"]


async def test_an_incomplete_request_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST_WITHIN", 0.5)
    healthy = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    async with guarded() as exporter, connected(exporter.url, healthy) as (reader, writer):
        assert (await reader.readuntil(b"healthy\n")).startswith(b"HTTP/1.1 200 ")
        for content in (b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: "):
            assert await raw(exporter.url, content) == b""
        # After a first request, a client can wait longer with the next one.
        writer.write(healthy)
        assert (await reader.readuntil(b"healthy\n")).startswith(b"HTTP/1.1 200 ")


async def test_an_incomplete_tls_handshake_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(listener, "HANDSHAKE_WITHIN", 0.5)
    web_file = WebFile(tmp_path)
    web_file.write(tls_server_config=web_file.issue())
    async with guarded(web_file) as exporter:
        assert await raw(exporter.url, b"\x16\x03\x01") == b""
        assert [line for line in exporter.log if line["event"] == "TLS handshake failed"]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_idle_connections_leave_room_for_others(tmp_path: Path, scheme: str) -> None:
    web_file = WebFile(tmp_path)
    web_file.write(**({"tls_server_config": web_file.issue()} if scheme == "https" else {}))
    client = web_file.client()
    flags = ("--demo", "--web.listen-address=127.0.0.1:0", f"--web.config.file={web_file.path}")
    async with running(*flags, directory=tmp_path) as process:
        url = (await process.url()).replace("http", scheme)
        async with AsyncExitStack() as stack:
            for number in range(MANY):
                begun = b"GET / HTTP/1.1\r\n" if number % 2 and scheme == "http" else b"\x16"
                await stack.enter_async_context(connected(url, begun))
            for path in ("/-/healthy", "/metrics", "/"):
                assert (await ask(url, path, ssl=client)).status == 200
            assert descriptors(process.process.pid) < connections.MOST_CONNECTIONS + 50
        assert (await ask(url, "/-/healthy", ssl=client)).status == 200
        assert await process.stop() == 0


def descriptors(pid: int) -> int:
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


async def test_a_rate_limit_of_the_file_holds(tmp_path: Path) -> None:
    web_file = WebFile(tmp_path)
    users = {"a": hashed("pw")}
    web_file.write(rate_limit={"interval": "1h", "burst": 3}, basic_auth_users=users)
    async with guarded(web_file) as exporter:
        answers = [await ask(exporter.url, headers=basic("a", "pw")) for _ in range(5)]
        assert [each.status for each in answers] == [200, 200, 200, 429, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0
        web_file.write(rate_limit={"interval": 0}, basic_auth_users=users)

        async def is_answered() -> bool:
            return (await ask(exporter.url, headers=basic("a", "pw"))).status == 200

        await eventually(is_answered)


SIZE = 32 * 2**20
"""Bytes of an answer that no socket's buffers hold."""


class Served:
    """A guarded server whose answers are large; streamed: written in pieces, or all at once."""

    def __init__(self, most: int, *, streamed: bool) -> None:
        self.app = web.Application()
        self.limit = ConcurrencyLimit(lambda: most)
        large = self._pieces if streamed else self._whole
        self.app.router.add_get("/large", self.limit.limited(large))
        self.app.router.add_get("/small", self.limit.limited(self._small))
        self.app.on_response_prepare.append(connections.note_sending)
        self._stack = AsyncExitStack()

    async def _pieces(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = SIZE
        with suppress(ConnectionError):
            await response.prepare(request)
            for _ in range(SIZE // 2**16):
                await response.write(bytes(2**16))
        return response

    async def _whole(self, request: web.Request) -> web.Response:
        del request
        return web.Response(body=bytes(SIZE))

    async def _small(self, request: web.Request) -> web.Response:
        del request
        return web.Response(text="small")

    async def __aenter__(self) -> str:
        serving = served(self.app, WebConfig, "127.0.0.1", 0)
        (address,) = await self._stack.enter_async_context(serving)
        return f"http://{address}"

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()


LARGE = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"


async def slow_reader(url: str, stack: AsyncExitStack) -> asyncio.StreamReader:
    """Request the large answer and read only its beginning."""
    reader, _ = await stack.enter_async_context(connected(url, LARGE))
    status = await reader.readline()
    assert status.startswith(b"HTTP/1.1 200 ")
    return reader


@pytest.mark.parametrize("streamed", [True, False])
async def test_past_the_limit_it_is_503_until_an_answer_is_sent(streamed: bool) -> None:
    async with Served(most=2, streamed=streamed) as url, AsyncExitStack() as stack:
        readers = [await slow_reader(url, stack) for _ in range(2)]
        refused = await ask(url, "/small")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert "web.max_requests" in refused.text
        for reader in readers:
            await reader.readuntil(b"\r\n\r\n")
            assert len(await reader.readexactly(SIZE)) == SIZE

        async def is_answered() -> bool:
            return (await ask(url, "/small")).status == 200

        await eventually(is_answered)


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_reader_that_does_not_read_is_disconnected(
    monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    monkeypatch.setattr(connections, "SENT_WITHIN", 1.0)
    async with Served(most=1, streamed=streamed) as url, AsyncExitStack() as stack:
        reader = await slow_reader(url, stack)

        async def is_answered() -> bool:
            return (await ask(url, "/small")).status == 200

        await eventually(is_answered)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(SIZE)


async def test_a_plain_client_at_a_tls_port_learns_nothing(tmp_path: Path) -> None:
    web_file = WebFile(tmp_path)
    web_file.write(tls_server_config=web_file.issue())
    async with guarded(web_file) as exporter:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await ask(exporter.url)
