"""Connections that break, hang, or fail verification."""

import asyncio
import socket

import pytest
from aiohttp import web

from exporter.palette.auth import ApiKey, Headers
from exporter.palette.errors import (
    ConnectionFailed,
    InvalidResponse,
    NotFound,
    Timeout,
)
from exporter.palette.request import Access, Request
from exporter.palette.response import error_of
from tests.palette.conftest import (
    KEY,
    UID,
    VMS,
    MakeTransport,
    Record,
    Serve,
)
from tests.palette.raw import raw_server


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", "broke off in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "broke off in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Len", "was lost"),
        (b"", "was lost"),
    ],
)
async def test_an_answer_that_breaks_off_is_tried_again_and_then_a_lost_connection(
    transport_to: MakeTransport, record: Record, answer: bytes, words: str
) -> None:
    async with raw_server(answer) as (base, served):
        with pytest.raises(ConnectionFailed, match=words):
            await transport_to(base).get(VMS, bytes, path=UID)
    assert served.count == 4
    assert record.codes == ["error"] * 4


async def test_each_retry_of_a_lost_connection_is_counted(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    seen = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal seen
        seen += 1
        if seen > 1:
            assert request.transport
            request.transport.abort()
        return web.Response(body=b"{}")

    transport = transport_to(await serve(handler))
    await transport.get(VMS, bytes, path=UID)
    with pytest.raises(ConnectionFailed, match="was lost"):
        await transport.get(VMS, bytes, path=UID)
    assert seen == 1 + 4
    assert record.codes == ["200"] + ["error"] * 4


async def test_an_answer_that_is_no_http_is_invalid(transport_to: MakeTransport) -> None:
    async with raw_server(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as (base, served):
        with pytest.raises(InvalidResponse, match="not HTTP"):
            await transport_to(base).get(VMS, bytes, path=UID)
    assert served.count == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
    ],
)
async def test_a_server_that_hangs_at_any_stage_runs_into_the_timeout(
    transport_to: MakeTransport, record: Record, answer: bytes
) -> None:
    async with raw_server(answer, hang=True) as (base, served):
        with pytest.raises(Timeout, match=r"no complete answer in 0.5 s"):
            await transport_to(base, timeout=0.5).get(VMS, bytes, path=UID)
    assert served.count
    assert record.codes == ["error"] * 4


async def test_a_server_that_never_accepts_runs_into_the_timeout(
    transport_to: MakeTransport,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Timeout):
            await transport_to(base, timeout=0.1).get(VMS, bytes, path=UID, retry_for=0)


async def test_a_body_that_drips_runs_into_the_timeout(
    serve: Serve, transport_to: MakeTransport
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.02)
        return response

    with pytest.raises(Timeout):
        await transport_to(await serve(handler), timeout=0.2).get(VMS, bytes, path=UID, retry_for=0)


async def test_an_error_whose_body_hangs_is_still_that_error(transport_to: MakeTransport) -> None:
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n{"
    async with raw_server(answer, hang=True) as (base, _):
        with pytest.raises(NotFound):
            await transport_to(base).get(VMS, bytes, path=UID)


async def test_a_cancelled_call_ends_at_once_and_leaves_no_connection(
    transport_to: MakeTransport,
) -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\n", hang=True) as (base, served):
        transport = transport_to(base)
        call = asyncio.create_task(transport.get(VMS, bytes, path=UID))
        await served.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert served.count == 1
        await served.hung_up()


async def test_a_transport_that_is_closed_already_is_a_lost_connection() -> None:
    # uvloop raises a plain OSError here, where asyncio raises a subclass.
    access = Access(base_url="https://palette", credential=ApiKey(KEY), timeout=1.0)
    request = Request(
        method="GET", endpoint=VMS, url=access.url(VMS), access=access, headers=Headers()
    )
    error = error_of(RuntimeError("unable to perform operation on <TCPTransport>"), request)
    assert isinstance(error, ConnectionFailed)
    assert error.retryable
