"""No error shows a credential."""

import traceback

import pytest
from aiohttp import web

from exporter.palette.errors import (
    ConnectionFailed,
    PaletteError,
)
from tests.palette.conftest import (
    KEY,
    PROXY_PASSWORD,
    UID,
    VMS,
    Handler,
    MakeTransport,
    Serve,
    answers,
    ok,
    status,
)
from tests.palette.raw import raw_server


def whole_text(error: BaseException) -> str:
    """Return everything that a careless handler could print: arguments, chain and tracebacks."""
    seen: list[BaseException | None] = []
    parts: list[str] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is None or current in seen:
            continue
        seen.append(current)
        waiting += [current.__cause__, current.__context__]
        told = traceback.TracebackException.from_exception(current)
        parts += [repr(current), str(current), repr(vars(current)), *told.format()]
    return "\n".join(parts)


def echoing(code: int) -> Handler:
    """Return a handler that repeats the credential in every place it can."""

    async def handler(request: web.Request) -> web.Response:
        secret = request.headers.get("ApiKey", "")
        document = {"code": secret, "ref": secret, "message": secret, "details": secret}
        headers = {"X-Echo": secret, "Location": f"http://{secret}.example/{secret}"}
        return web.json_response(document, status=code, headers=headers, reason=secret)

    return handler


@pytest.mark.parametrize("code", [204, 302, 400, 401, 403, 404, 407, 410, 429, 500, 503])
async def test_no_answer_brings_the_credential_into_an_error(
    serve: Serve, transport_to: MakeTransport, code: int
) -> None:
    transport = transport_to(await serve(echoing(code)))
    with pytest.raises(PaletteError) as caught:
        await transport.get(VMS, bytes, path=UID, project_uid="p1")
    assert KEY not in whole_text(caught.value)
    assert KEY not in repr(transport) + repr(transport.access)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage %s\r\n\r\n",
        b"HTTP/1.1 200 %s\r\nX: %s\r\nContent-Length: 99\r\n\r\n%s",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 22\r\n\r\n%s---",
        b"HTTP/1.1 200 OK\r\n\0%s: %s\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
    ],
)
async def test_no_broken_connection_brings_the_credential_into_an_error(
    transport_to: MakeTransport, answer: bytes
) -> None:
    async with raw_server(answer.replace(b"%s", KEY.encode())) as (base, _):
        with pytest.raises(PaletteError) as caught:
            await transport_to(base.replace("//", f"//u:{PROXY_PASSWORD}@")).get(
                VMS, bytes, path=UID
            )
    text = whole_text(caught.value)
    assert KEY not in text
    assert PROXY_PASSWORD not in text


@pytest.mark.parametrize("target", ["https://localhost:1", "http://palette.invalid"])
async def test_no_failed_connection_brings_a_secret_into_an_error(
    transport_to: MakeTransport, target: str
) -> None:
    for proxy_url in (None, f"http://u:{PROXY_PASSWORD}@127.0.0.1:1"):
        with pytest.raises(ConnectionFailed) as caught:
            await transport_to(target, proxy=proxy_url).get(VMS, bytes, path=UID)
        text = whole_text(caught.value)
        assert KEY not in text
        assert PROXY_PASSWORD not in text


async def test_retries_are_neither_printed_nor_logged(
    serve: Serve,
    transport_to: MakeTransport,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler, _ = answers(status(503), ok())
    await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
