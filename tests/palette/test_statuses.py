"""The meaning of each status, and the headers of a request."""

from urllib.parse import unquote

import pytest
from aiohttp import web

from exporter.palette.errors import (
    Expired,
    Forbidden,
    InvalidResponse,
    NotFound,
    PaletteError,
    ProxyFailed,
    RateLimited,
    ServerError,
    Timeout,
    Unauthorized,
)
from tests.palette.conftest import (
    KEY,
    ONE,
    UID,
    VMS,
    MakeTransport,
    Record,
    Serve,
    answers,
    ok,
    status,
)


@pytest.mark.parametrize(
    ("code", "error", "attempts"),
    [
        (204, InvalidResponse, 1),
        (206, InvalidResponse, 1),
        (304, InvalidResponse, 1),
        (400, InvalidResponse, 1),
        (401, Unauthorized, 1),
        (403, Forbidden, 1),
        (404, NotFound, 1),
        (407, ProxyFailed, 1),
        (408, Timeout, 4),
        (410, Expired, 1),
        (418, InvalidResponse, 1),
        (429, RateLimited, 4),
        (500, ServerError, 1),
        (501, ServerError, 1),
        (502, ServerError, 4),
        (503, ServerError, 4),
        (504, ServerError, 4),
    ],
)
async def test_each_status_has_its_error_and_only_passing_ones_are_retried(
    serve: Serve,
    transport_to: MakeTransport,
    record: Record,
    code: int,
    error: type[PaletteError],
    attempts: int,
) -> None:
    handler, seen = answers(status(code))
    with pytest.raises(error) as caught:
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert type(caught.value) is error
    assert len(seen) == attempts
    assert record.requests == [(VMS, str(code))] * attempts


def test_every_error_has_one_of_the_reasons_that_metrics_know() -> None:
    kinds: list[type[PaletteError]] = PaletteError.__subclasses__()
    assert {kind.reason for kind in kinds} == {
        "unauthorized",
        "forbidden",
        "not_found",
        "rate_limited",
        "server_error",
        "timeout",
        "connection",
        "invalid_response",
    }
    assert Expired.reason == "invalid_response"


async def test_an_expired_token_is_known_by_its_code_too(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, _ = answers(status(400, b'{"code": "ResourceExpired"}'))
    with pytest.raises(Expired):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)


async def test_a_failure_that_passes_is_not_seen_by_the_caller(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(status(503), status(429), ok(b"[1]"))
    assert await transport_to(await serve(handler)).get(VMS, bytes, path=UID) == b"[1]"
    assert record.codes == ["503", "429", "200"]


async def test_no_retry_where_the_caller_has_no_time_for_it(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, seen = answers(status(503))
    with pytest.raises(ServerError):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID, retry_for=0)
    assert len(seen) == 1


async def test_an_empty_body_is_an_error_and_no_empty_list(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, seen = answers(ok(b""))
    with pytest.raises(InvalidResponse, match="empty body"):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert len(seen) == 1


async def test_an_error_shows_code_and_reference_but_never_the_message(
    serve: Serve, transport_to: MakeTransport
) -> None:
    body = b'{"code":"ResourceNotFound","ref":"9f-12ab","message":"key %s","details":"x"}'
    handler, _ = answers(status(404, body % KEY.encode()))
    base = await serve(handler)
    with pytest.raises(NotFound) as caught:
        await transport_to(base).get(VMS, bytes, path=UID)
    host = base.removeprefix("http://")
    assert str(caught.value) == (
        f"GET {VMS} at {host} was answered with 404 (ResourceNotFound, ref 9f-12ab)"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"<html>404</html>",
        b"[]",
        b'{"code": 7, "ref": {}}',
        b'{"code": "a b", "ref": "\\n"}',
        b"\xff",
        b"[" * 60_000,
        b'{"code": "%s"}' % KEY.encode(),
        b'{"code": "canary", "ref": "x%sx"}' % KEY.encode(),
        b'{"code": "canary", "ref": "x-key-7f3a9-x"}',
    ],
)
async def test_an_error_body_of_any_kind_changes_no_message(
    serve: Serve, transport_to: MakeTransport, body: bytes
) -> None:
    handler, _ = answers(status(404, body))
    with pytest.raises(NotFound, match=r"was answered with 404$"):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)


async def test_the_headers_have_the_credential_and_the_project(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, seen = answers(ok())
    transport = transport_to(await serve(handler))
    await transport.get(VMS, bytes, path=UID, project_uid="p1")
    await transport.get(VMS, bytes, path=UID)
    assert seen[0].headers["ApiKey"] == KEY
    assert seen[0].headers["ProjectUid"] == "p1"
    assert seen[0].headers["Accept"] == "application/json"
    assert seen[0].headers["User-Agent"] == "tests/1.0"
    assert "ProjectUid" not in seen[1].headers


@pytest.mark.parametrize(
    "name",
    ["a b", '"quoted"', "a\nb", "größe", "雪", "?a=1#b", "a;b+c&d", "..a"],
)
async def test_names_arrive_as_they_are(
    serve: Serve, transport_to: MakeTransport, name: str
) -> None:
    paths: list[list[str]] = []
    namespaces: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        raw = request.rel_url.raw_path.split("/")
        paths.append([unquote(part) for part in raw])
        namespaces.append(request.query["namespace"])
        return web.Response(body=b"{}")

    await transport_to(await serve(handler) + "/palette/").get(
        ONE,
        bytes,
        path={"uid": "u1", "vmName": name, "snapshotName": name},
        query=[("namespace", name)],
    )
    assert paths == [["", "palette", "v1", "spectroclusters", "u1", "vms", name, "snapshot", name]]
    assert namespaces == [name]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../../other/vms/db", "a\\b", "..%2F..%2Fother", "50%", "a\n/b"]
)
async def test_a_name_that_would_change_the_path_is_never_sent(
    serve: Serve, transport_to: MakeTransport, name: str
) -> None:
    handler, seen = answers(ok())
    with pytest.raises(NotFound):
        await transport_to(await serve(handler)).get(VMS, bytes, path={"uid": name})
    assert seen == []


async def test_a_project_that_would_add_a_header_is_never_sent(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, seen = answers(ok())
    with pytest.raises(NotFound):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID, project_uid="a\r\nX: 1")
    assert seen == []


async def test_cookies_are_not_kept(serve: Serve, transport_to: MakeTransport) -> None:
    handler, seen = answers(lambda: web.Response(body=b"{}", headers={"Set-Cookie": "a=b"}))
    transport = transport_to(await serve(handler))
    await transport.get(VMS, bytes, path=UID)
    await transport.get(VMS, bytes, path=UID)
    assert "Cookie" not in seen[1].headers
