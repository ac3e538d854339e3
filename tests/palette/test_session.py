"""Connections: their lifetime, when a new one is used, and when DNS is queried again."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from exporter.palette.auth import ApiKey
from exporter.palette.budget import Budget
from exporter.palette.errors import InvalidResponse, PaletteError, ServerError
from exporter.palette.request import Access
from exporter.palette.session import LIFETIME, Session
from exporter.palette.transport import Transport
from tests.palette.conftest import KEY, UID, VMS, Handler, MakeTransport, Record, Serve, ok, status
from tests.palette.raw import raw_server


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def aging(clock: Clock) -> AsyncIterator[Session]:
    session = Session("tests/1.0", clock=clock)
    yield session
    await session.close()


@pytest.fixture
def transport_at(aging: Session, record: Record) -> Callable[[str], Transport]:
    def make(base_url: str) -> Transport:
        access = Access(base_url=base_url, credential=ApiKey(KEY), timeout=10.0)
        return Transport(aging, access, Budget(10_000, 10_000), record)

    return make


def noting_ports(*responses: Callable[[], web.StreamResponse]) -> tuple[Handler, list[int]]:
    """Return a handler that gives these answers in turn and repeats the last, and client ports."""
    ports: list[int] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport
        ports.append(request.transport.get_extra_info("peername")[1])
        return responses[min(len(ports), len(responses)) - 1]()

    return handler, ports


async def test_a_connection_is_reused_and_gets_less_than_five_minutes_old(
    serve: Serve, transport_at: Callable[[str], Transport], clock: Clock
) -> None:
    handler, ports = noting_ports(ok())
    transport = transport_at(await serve(handler))
    began: dict[int, float] = {}
    for second in range(0, 1000, 10):
        clock.now = second
        await transport.get(VMS, bytes, path=UID)
        assert clock.now - began.setdefault(ports[-1], clock.now) < LIFETIME < 300
    assert len(set(ports)) == 5


@pytest.mark.parametrize("code", [429, 500, 501, 502, 503, 504])
async def test_after_a_429_or_a_5xx_a_fresh_connection_is_used(
    serve: Serve, transport_at: Callable[[str], Transport], code: int
) -> None:
    handler, ports = noting_ports(ok(), status(code, b"{}"), ok())
    transport = transport_at(await serve(handler))
    await transport.get(VMS, bytes, path=UID)
    with pytest.raises(PaletteError):
        await transport.get(VMS, bytes, path=UID, retry_for=0)
    await transport.get(VMS, bytes, path=UID)
    assert ports[0] == ports[1] != ports[2]


@pytest.mark.parametrize("code", [429, 502, 503, 504])
async def test_a_retry_uses_no_connection_that_was_open_before(
    serve: Serve, transport_at: Callable[[str], Transport], code: int
) -> None:
    together = asyncio.Barrier(5)
    ports: list[int] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport
        ports.append(request.transport.get_extra_info("peername")[1])
        if len(ports) <= 5:
            await together.wait()
        return status(code)() if len(ports) == 6 else ok()()

    transport = transport_at(await serve(handler))
    await asyncio.gather(*(transport.get(VMS, bytes, path=UID) for _ in range(5)))
    await transport.get(VMS, bytes, path=UID)
    assert len(ports) == 7
    assert ports[5] in ports[:5]
    assert ports[6] not in ports[:6]


@pytest.mark.parametrize("code", [400, 403, 404])
async def test_after_an_answer_of_palettes_own_the_connection_is_reused(
    serve: Serve, transport_at: Callable[[str], Transport], code: int
) -> None:
    handler, ports = noting_ports(status(code, b"{}"), ok())
    transport = transport_at(await serve(handler))
    with pytest.raises(PaletteError):
        await transport.get(VMS, bytes, path=UID)
    await transport.get(VMS, bytes, path=UID)
    assert len(set(ports)) == 1


async def test_a_request_in_flight_keeps_its_connection_when_others_fail(
    serve: Serve, transport_at: Callable[[str], Transport]
) -> None:
    arrived, answer = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/slow/vms"):
            arrived.set()
            await answer.wait()
            return ok(b"[1]")()
        return status(503)()

    transport = transport_at(await serve(handler))
    slow = asyncio.create_task(transport.get(VMS, bytes, path={"uid": "slow"}))
    await arrived.wait()
    with pytest.raises(ServerError):
        await transport.get(VMS, bytes, path=UID)
    answer.set()
    assert await slow == b"[1]"


class Moving:
    """Resolves the name palette.test; the system resolves all others."""

    def __init__(self, ask: Callable[..., Awaitable[Any]]) -> None:
        self.address = "127.0.0.2"
        self.asked = 0
        self._ask = ask

    async def __call__(self, host: str, *args: Any, **kwargs: Any) -> Any:
        if host != "palette.test":
            return await self._ask(host, *args, **kwargs)
        self.asked += 1
        return await self._ask(self.address, *args, **kwargs)


async def test_a_name_that_moves_is_followed_at_once_where_the_old_address_answers_503(
    transport_at: Callable[[str], Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    names = Moving(loop.getaddrinfo)
    monkeypatch.setattr(loop, "getaddrinfo", names)
    moved = False

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport
        address = request.transport.get_extra_info("sockname")[0]
        return status(503)() if moved and address == "127.0.0.2" else ok(address.encode())()

    runner = web.ServerRunner(web.Server(answer))  # type: ignore[arg-type]
    await runner.setup()
    with socket.create_server(("0.0.0.0", 0)) as listener:
        await web.SockSite(runner, listener).start()
        transport = transport_at(f"http://palette.test:{listener.getsockname()[1]}")
        assert await transport.get(VMS, bytes, path=UID) == b"127.0.0.2"
        moved, names.address = True, "127.0.0.3"
        assert await transport.get(VMS, bytes, path=UID) == b"127.0.0.3"
        assert names.asked == 2
        await runner.cleanup()


# --- informational answers


@pytest.mark.parametrize(("name", "length"), [("Content-Security-Policy", 9_000), ("X", 60_000)])
async def test_a_header_of_many_kilobytes_is_read(
    serve: Serve, transport_to: MakeTransport, name: str, length: int
) -> None:
    large = {name: "x" * length}

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=b"[1]", headers=large)

    assert await transport_to(await serve(handler)).get(VMS, bytes, path=UID) == b"[1]"


async def test_hundreds_of_headers_are_read(serve: Serve, transport_to: MakeTransport) -> None:
    many = {f"X-Waf-{number}": "x" for number in range(500)}

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=b"[1]", headers=many)

    assert await transport_to(await serve(handler)).get(VMS, bytes, path=UID) == b"[1]"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (b"X: " + b"x" * 70_000 + b"\r\n", "has a header longer than 65536 bytes"),
        (b"X: x\r\n" * 2000, "has more than 1024 headers"),
    ],
)
async def test_too_much_of_headers_is_called_that(
    transport_to: MakeTransport, headers: bytes, words: str
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + headers + b"\r\n{}"
    async with raw_server(answer) as (base, served):
        with pytest.raises(InvalidResponse, match=words):
            await transport_to(base).get(VMS, bytes, path=UID)
    assert served.count == 1


INFORMATIONAL = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


async def test_a_few_informational_answers_are_passed_over(transport_to: MakeTransport) -> None:
    answer = INFORMATIONAL * 20 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    async with raw_server(answer) as (base, _):
        assert await transport_to(base).get(VMS, bytes, path=UID) == b"{}"


async def test_informational_answers_without_end_are_an_error_and_no_timeout(
    transport_to: MakeTransport,
) -> None:
    async with raw_server(INFORMATIONAL * 10_000, hang=True) as (base, served):
        with pytest.raises(InvalidResponse, match="more than 32 informational answers"):
            await transport_to(base, timeout=60).get(VMS, bytes, path=UID)
    assert served.count == 1
