import asyncio
import socket
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from time import monotonic, time
from urllib.parse import unquote

import pytest
import stamina
import trustme
from aiohttp import web

from exporter.palette.budget import Budget
from exporter.palette.errors import (
    ConnectionFailed,
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
from exporter.palette.session import Session
from tests.palette.conftest import KEY, Handler, MakeTransport, Record, Serve, answers, ok, status
from tests.palette.raw import raw_server

VMS = "/v1/spectroclusters/{uid}/vms"
ONE = "/v1/spectroclusters/{uid}/vms/{vmName}/snapshot/{snapshotName}"
UID = {"uid": "u1"}
PROXY_PASSWORD = "canary-pw-41d8"


# --- what an answer means


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


async def test_an_error_tells_code_and_reference_but_never_the_message(
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


# --- what is sent


async def test_the_headers_say_who_asks_for_which_project(
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


# --- Retry-After


async def test_a_429_holds_back_every_request_until_retry_after(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(status(429, Retry_After="1"), ok())
    transport = transport_to(await serve(handler))
    started = monotonic()
    with pytest.raises(RateLimited):
        await transport.get(VMS, bytes, path=UID, retry_for=0)
    await transport.get(ONE, bytes, path=dict.fromkeys(("uid", "vmName", "snapshotName"), "x"))
    assert monotonic() - started >= 1.0
    assert len(record.waits) == 1
    assert record.waits[0] >= 0.9
    assert record.codes == ["429", "200"]


async def test_a_429_holds_back_nobody_of_another_parent_resource(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(status(429, Retry_After="60"), ok())
    transport = transport_to(await serve(handler))
    with pytest.raises(RateLimited):
        await transport.get(VMS, bytes, path=UID)
    await transport.get("/v1/dashboard/spectroclusters/vms", bytes)
    assert sum(record.waits) < 1.0


async def test_retry_after_is_waited_for_before_the_retry(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, _ = answers(status(503, Retry_After="1"), ok())
    transport = transport_to(await serve(handler))
    started = monotonic()
    with stamina.set_testing(False):
        await transport.get(VMS, bytes, path=UID)
    assert monotonic() - started >= 1.0


async def test_retry_after_as_a_date_is_read_by_the_servers_clock(
    serve: Serve, transport_to: MakeTransport
) -> None:
    an_hour_off = time() + 3600
    late = status(
        503, Retry_After=formatdate(an_hour_off + 1, usegmt=True), Date=formatdate(an_hour_off)
    )
    handler, _ = answers(late, ok())
    transport = transport_to(await serve(handler))
    started = monotonic()
    with stamina.set_testing(False):
        await transport.get(VMS, bytes, path=UID)
    assert monotonic() - started >= 1.0


@pytest.mark.parametrize("code", [429, 503])
async def test_a_retry_after_beyond_the_callers_time_fails_at_once(
    serve: Serve, transport_to: MakeTransport, code: int
) -> None:
    handler, seen = answers(status(code, Retry_After="20"))
    transport = transport_to(await serve(handler))
    with pytest.raises(RateLimited if code == 429 else ServerError):
        await transport.get(VMS, bytes, path=UID, retry_for=10)
    assert len(seen) == 1


async def test_during_a_long_pause_nothing_is_sent_and_nobody_waits(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, seen = answers(status(429, Retry_After="250"))
    transport = transport_to(await serve(handler))
    for _ in range(3):
        with pytest.raises(RateLimited):
            await transport.get(VMS, bytes, path=UID)
    assert len(seen) == 1


@pytest.mark.parametrize("value", ["20", "9" * 40])
async def test_a_pause_of_any_length_is_believed_up_to_a_bound(
    serve: Serve, transport_to: MakeTransport, value: str
) -> None:
    handler, seen = answers(status(429, Retry_After=value), ok())
    with pytest.raises(RateLimited):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID, retry_for=10)
    assert len(seen) == 1


NO_CLOCK_HAS = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"


@pytest.mark.parametrize("value", ["soon", "-5", "1e9", "", "Wed, 99 Foo", "0", NO_CLOCK_HAS])
async def test_a_senseless_retry_after_is_as_good_as_none(
    serve: Serve, transport_to: MakeTransport, value: str
) -> None:
    handler, _ = answers(status(429, Retry_After=value), ok())
    assert await transport_to(await serve(handler)).get(VMS, bytes, path=UID) == b"{}"


async def test_requests_wait_for_their_turn_in_the_budget(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(ok())
    # The last waits longer than a request may take, and that does not count as its time.
    transport = transport_to(await serve(handler), budget=Budget(4, 1), timeout=1)
    started = monotonic()
    await asyncio.gather(*(transport.get(VMS, bytes, path=UID) for _ in range(6)))
    assert monotonic() - started >= 1.25
    assert sum(wait > 0.2 for wait in record.waits) == 5


async def test_waiting_for_the_budget_uses_up_nobodys_retries(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(ok(), status(503), ok())
    transport = transport_to(await serve(handler), budget=Budget(4, 1))
    await transport.get(VMS, bytes, path=UID)
    await transport.get(VMS, bytes, path=UID, retry_for=0.1)
    assert record.codes == ["200", "503", "200"]


# --- redirects


async def test_a_redirect_within_palette_is_followed(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, seen = answers(status(307, Location="/moved%2Fto?a=%25"), ok(b"[1]"))
    assert await transport_to(await serve(handler)).get(VMS, bytes, path=UID) == b"[1]"
    assert seen[1].raw_path == "/moved%2Fto?a=%25"
    assert seen[1].headers["ApiKey"] == KEY
    assert record.codes == ["307", "200"]


async def test_redirects_that_go_round_in_circles_end(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, seen = answers(status(302, Location="/again"))
    with pytest.raises(InvalidResponse, match="redirected more than 3 times"):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert len(seen) == 4


async def test_the_credential_goes_to_no_other_host(
    serve: Serve, transport_to: MakeTransport
) -> None:
    other, stolen = answers(ok())
    other_base = await serve(other)
    handler, _ = answers(status(302, Location=f"{other_base}/v1/x"))
    with pytest.raises(InvalidResponse, match=r"another host, 127.0.0.1:\d+; check palette.url"):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert stolen == []


@pytest.mark.parametrize(
    "location",
    [
        "//evil.example/v1",
        "https://127.0.0.1/",
        "http://[",
        "http://user:pw@{host}/",
        "ftp://x",
        f"http://{KEY}.evil.example/",
        "https://xn--/",
        "http://xn--a.{host}/",
        "http://:x@{host}/",
        "http://user@{host}/",
        "http://{host}:99999/",
        "",
    ],
)
async def test_a_redirect_elsewhere_is_refused_without_repeating_a_secret(
    serve: Serve, transport_to: MakeTransport, location: str
) -> None:
    hosts: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        hosts.append(request.host)
        return web.Response(status=302, headers={"Location": location.format(host=request.host)})

    with pytest.raises(InvalidResponse) as caught:
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert KEY not in str(caught.value)
    if location:
        assert len(hosts) == 1


# --- raw sockets: what no HTTP library would send


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


async def test_a_connection_kept_alive_is_not_tried_twice_behind_the_budgets_back(
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


# --- connections


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_a_name_without_address_says_so(transport_to: MakeTransport, record: Record) -> None:
    with pytest.raises(
        ConnectionFailed, match=r"^the host name palette\.invalid cannot be resolved$"
    ):
        await transport_to("https://palette.invalid").get(VMS, bytes, path=UID)
    assert record.codes == ["error"] * 4


async def test_a_refused_connection_says_so(transport_to: MakeTransport) -> None:
    port = free_port()
    with pytest.raises(
        ConnectionFailed, match=f"^no connection to 127.0.0.1:{port}: connection refused$"
    ):
        await transport_to(f"http://127.0.0.1:{port}").get(VMS, bytes, path=UID)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(context)
    return context


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


async def test_an_unknown_authority_is_refused_with_openssls_words_and_not_retried(
    serve: Serve, transport_to: MakeTransport, tls: ssl.SSLContext, record: Record
) -> None:
    handler, seen = answers(ok())
    base = await serve(handler, tls=tls, host="localhost")
    with pytest.raises(ConnectionFailed, match=r"certificate of localhost:\d+ .*: unable to get"):
        await transport_to(base).get(VMS, bytes, path=UID)
    assert seen == []
    assert record.codes == ["error"]


async def test_a_certificate_for_another_name_is_refused(
    serve: Serve, transport_to: MakeTransport, tls: ssl.SSLContext, ca: trustme.CA
) -> None:
    handler, _ = answers(ok())
    with pytest.raises(ConnectionFailed, match="certificate is not valid for"):
        await transport_to(await serve(handler, tls=tls), ssl=trusting(ca)).get(
            VMS, bytes, path=UID
        )


async def test_a_known_authority_is_trusted(
    serve: Serve, transport_to: MakeTransport, tls: ssl.SSLContext, ca: trustme.CA
) -> None:
    handler, _ = answers(ok())
    base = await serve(handler, tls=tls, host="localhost")
    assert await transport_to(base, ssl=trusting(ca)).get(VMS, bytes, path=UID) == b"{}"


async def test_verification_can_be_switched_off(
    serve: Serve, transport_to: MakeTransport, tls: ssl.SSLContext
) -> None:
    handler, _ = answers(ok())
    assert (
        await transport_to(await serve(handler, tls=tls), ssl=False).get(VMS, bytes, path=UID)
        == b"{}"
    )


async def test_a_client_certificate_is_shown_where_one_is_demanded(
    serve: Serve, transport_to: MakeTransport, tls: ssl.SSLContext, ca: trustme.CA
) -> None:
    tls.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(tls)
    handler, _ = answers(ok())
    base = await serve(handler, tls=tls, host="localhost")
    with pytest.raises(ConnectionFailed, match="closed by the other side"):
        await transport_to(base, ssl=trusting(ca)).get(VMS, bytes, path=UID)
    context = trusting(ca)
    ca.issue_cert("exporter").configure_cert(context)
    assert await transport_to(base, ssl=context).get(VMS, bytes, path=UID) == b"{}"


async def test_tls_to_a_server_without_it_says_so(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(ok())
    base = (await serve(handler)).replace("http:", "https:")
    with pytest.raises(ConnectionFailed, match=r"TLS failed \("):
        await transport_to(base).get(VMS, bytes, path=UID)
    assert record.codes == ["error"]


# --- proxies


@asynccontextmanager
async def proxy(refusal: bytes = b"") -> AsyncIterator[tuple[str, list[bytes]]]:
    """Tunnel CONNECT, pass on absolute URIs, note the heads of the requests."""
    heads: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        if refusal:
            writer.write(refusal)
            writer.close()
            return
        target = head.split(b" ")[1].removeprefix(b"http://").split(b"/")[0].decode()
        host, port = target.split(":")
        upstream, onward = await asyncio.open_connection(host, int(port))
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            onward.write(head)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pump(reader, onward))
            tasks.create_task(pump(upstream, writer))

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    async with server:
        yield f"http://user:{PROXY_PASSWORD}@127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


async def test_plain_http_goes_through_the_proxy(
    serve: Serve, transport_to: MakeTransport, session: Session
) -> None:
    handler, _ = answers(ok())
    base = await serve(handler)
    async with proxy() as (url, heads):
        transport = transport_to(base, proxy=url)
        assert await transport.get(VMS, bytes, path={"uid": "a b"}) == b"{}"
        await session.close()
    assert heads[0].startswith(f"GET {base}/v1/spectroclusters/a%20b/vms HTTP".encode())
    assert b"Proxy-Authorization: Basic" in heads[0]


async def test_https_goes_through_the_proxy_in_a_tunnel(
    serve: Serve, transport_to: MakeTransport, session: Session, tls: ssl.SSLContext, ca: trustme.CA
) -> None:
    handler, _ = answers(ok())
    base = await serve(handler, tls=tls, host="localhost")
    async with proxy() as (url, heads):
        transport = transport_to(base, proxy=url, ssl=trusting(ca))
        assert await transport.get(VMS, bytes, path=UID) == b"{}"
        await session.close()
    assert heads[0].startswith(b"CONNECT localhost:")
    assert KEY.encode() not in heads[0]


async def test_a_proxy_that_is_down_says_so(transport_to: MakeTransport) -> None:
    port = free_port()
    transport = transport_to(
        "https://localhost", proxy=f"http://user:{PROXY_PASSWORD}@127.0.0.1:{port}"
    )
    with pytest.raises(
        ConnectionFailed, match=f"^no connection to the proxy 127.0.0.1:{port}: connection refused$"
    ):
        await transport.get(VMS, bytes, path=UID)


async def test_a_proxy_that_refuses_says_so_and_is_not_asked_again(
    transport_to: MakeTransport,
) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with proxy(refusal) as (url, heads):
        with pytest.raises(
            ConnectionFailed, match="proxy refused to connect to localhost:443: it answered 407"
        ):
            await transport_to("https://localhost", proxy=url).get(VMS, bytes, path=UID)
    assert len(heads) == 1


# --- secrets


def whole_text(error: BaseException) -> str:
    """Return all that a careless handler might print: arguments, chain and tracebacks."""
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
    """Return a handler that repeats the credential wherever it can."""

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
