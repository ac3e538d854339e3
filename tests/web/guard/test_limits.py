"""What is asked for past all measure is turned away, and whoever dawdles holds up nobody."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from exporter.web.guard import concurrency_limit as gate
from exporter.web.guard import listener as entrance
from exporter.web.guard.concurrency_limit import Gate
from exporter.web.guard.limits import LARGEST_BODY
from tests.process import eventually, running
from tests.web.guard.guarded import WebFile, ask, basic, guarded, hashed
from tests.web.running import Exporter

MANY = entrance.MOST_CONNECTIONS + 300


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
    """Open a connection and send bytes on it; read no more than 64 KiB ahead."""
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
    """Send bytes and return all that comes back until the connection is closed."""
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


async def test_a_body_that_does_not_come_is_not_waited_for(exporter: Exporter) -> None:
    head = b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n"
    assert (await raw(exporter.url, head)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 500 + b"\r\n",
    ],
    ids=["line", "header", "headers"],
)
async def test_long_and_many_headers_are_refused(exporter: Exporter, request_head: bytes) -> None:
    assert b" 400 " in (await raw(exporter.url, request_head)).partition(b"\r\n")[0]
    assert (await ask(exporter.url)).status == 200
    assert not [line for line in exporter.log if line["log_level"] != "info"]


async def test_a_request_that_never_comes_whole_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(entrance, "REQUEST_WITHIN", 0.5)
    healthy = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    async with guarded() as exporter, connected(exporter.url, healthy) as (reader, writer):
        assert (await reader.readuntil(b"healthy\n")).startswith(b"HTTP/1.1 200 ")
        for content in (b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: "):
            assert await raw(exporter.url, content) == b""
        # Who has asked before may take its time until the next request.
        writer.write(healthy)
        assert (await reader.readuntil(b"healthy\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_tls_handshake_that_never_ends_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(entrance, "HANDSHAKE_WITHIN", 0.5)
    web_file = WebFile(tmp_path)
    web_file.write(tls_server_config=web_file.issue())
    async with guarded(web_file) as exporter:
        assert await raw(exporter.url, b"\x16\x03\x01") == b""
        assert [line for line in exporter.log if line["event"] == "a TLS handshake failed"]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_there_is_room_whoever_sits_on_connections(tmp_path: Path, scheme: str) -> None:
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
            assert descriptors(process.process.pid) < entrance.MOST_CONNECTIONS + 50
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
        assert (await ask(exporter.url, headers=basic("a", "pw"))).status == 200


SIZE = 32 * 2**20
"""Bytes of an answer that no socket's buffers hold."""


class Gated:
    """A server with a gate, whose answers are large."""

    def __init__(self, most: int) -> None:
        self.gate = Gate(most)
        self.app = web.Application()
        self.app.router.add_get("/large", self.gate.counted(self._large))
        self.app.router.add_get("/small", self.gate.counted(self._small))
        self.app.on_response_prepare.append(self.gate.sending)

    async def _large(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = SIZE
        await response.prepare(request)
        for _ in range(SIZE // 2**16):
            await response.write(bytes(2**16))
        return response

    async def _small(self, request: web.Request) -> web.Response:
        del request
        return web.Response(text="small")

    async def __aenter__(self) -> str:
        self._runner = web.AppRunner(self.app, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0]
        return f"http://{host}:{port}"

    async def __aexit__(self, *exc_info: object) -> None:
        await self._runner.cleanup()


LARGE = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_past_the_limit_it_is_503_and_a_slow_reader_does_not_keep_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "SLOW_AFTER", 0.5)
    server = Gated(most=2)
    async with server as url, AsyncExitStack() as stack:
        readers = [await slow_reader(url, stack) for _ in range(2)]
        refused = await ask(url, "/small")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert "web.max_requests" in refused.text

        async def let_in() -> bool:
            return (await ask(url, "/small")).status == 200

        await eventually(let_in)
        # They are not cut short for it.
        for reader in readers:
            await reader.readuntil(b"\r\n\r\n")
            assert len(await reader.readexactly(SIZE)) == SIZE
        await eventually(lambda: emptied(server.gate))


async def slow_reader(url: str, stack: AsyncExitStack) -> asyncio.StreamReader:
    """Ask for the large answer and read only its beginning."""
    reader, _ = await stack.enter_async_context(connected(url, LARGE))
    status = await reader.readline()
    assert status.startswith(b"HTTP/1.1 200 ")
    return reader


async def emptied(gate: Gate) -> bool:
    return (gate.answering, gate.slow) == (0, 0)


async def test_slow_readers_are_bounded_and_given_up_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "SLOW_AFTER", 0.2)
    monkeypatch.setattr(gate, "GIVEN_UP_AFTER", 3.0)
    server = Gated(most=1)
    async with server as url, AsyncExitStack() as stack:
        readers: list[asyncio.StreamReader] = []

        async def another() -> bool:
            with suppress(AssertionError):
                readers.append(await slow_reader(url, stack))
                return True
            return False

        for _ in range(gate.SLOW_READERS + 1):
            await eventually(another)
        assert (await ask(url, "/small")).status == 503
        await eventually(lambda: emptied(server.gate))
        assert (await ask(url, "/small")).status == 200
        for reader in readers:
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readexactly(SIZE)


async def test_a_plain_client_at_a_tls_port_learns_nothing(tmp_path: Path) -> None:
    web_file = WebFile(tmp_path)
    web_file.write(tls_server_config=web_file.issue())
    async with guarded(web_file) as exporter:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await ask(exporter.url)
