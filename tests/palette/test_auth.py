import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from exporter.palette.auth import ApiKey, Headers, Login
from exporter.palette.errors import (
    ConnectionFailed,
    InvalidResponse,
    PaletteError,
    ServerError,
    Unauthorized,
)
from tests.palette.conftest import MakeTransport, Record, Serve

PASSWORD = "canary-password"
AUTHENTICATE = "/v1/auth/authenticate"
CLUSTERS = "/v1/dashboard/spectroclusters/vms"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Tenant:
    """A Palette that issues tokens and by default accepts the last one."""

    def __init__(self) -> None:
        self.log_ins: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.queries: list[str] = []
        self.valid = True
        self.log_in_answer: web.Response | None = None

    @property
    def token(self) -> str:
        return f"canary-token-{len(self.log_ins)}"

    async def __call__(self, request: web.Request) -> web.Response:
        if request.path == AUTHENTICATE:
            return await self._log_in(request)
        self.asked.append(request.headers["Authorization"])
        good = self.valid and self.asked[-1] == self.token
        return web.Response(status=200 if good else 401, body=b"{}")

    async def _log_in(self, request: web.Request) -> web.Response:
        self.log_ins.append(await request.json())
        self.queries.append(request.query_string)
        token = self.token
        await asyncio.sleep(0.05)
        if self.log_in_answer is not None:
            answer = self.log_in_answer
            return web.Response(status=answer.status, body=answer.body)
        return web.json_response({"Authorization": token, "isMfa": False})


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def login(clock: Clock) -> Login:
    return Login("me@example.com", PASSWORD, "acme", retry_after=60, clock=clock)


async def test_a_user_logs_in_once_for_many_calls_at_once(
    serve: Serve, transport_to: MakeTransport, record: Record, tenant: Tenant, login: Login
) -> None:
    transport = transport_to(await serve(tenant), credential=login)
    await asyncio.gather(*(transport.get(CLUSTERS, bytes) for _ in range(10)))
    assert tenant.log_ins == [{"emailId": "me@example.com", "password": PASSWORD, "org": "acme"}]
    assert tenant.queries == ["setCookie=false"]
    assert tenant.asked == ["canary-token-1"] * 10
    assert record.requests.count((AUTHENTICATE, "200")) == 1


async def test_a_token_is_renewed_after_twelve_of_its_fifteen_minutes(
    serve: Serve, transport_to: MakeTransport, tenant: Tenant, login: Login, clock: Clock
) -> None:
    transport = transport_to(await serve(tenant), credential=login)
    for clock.now in (0.0, 719.0, 720.0, 1439.0, 1440.0):
        await transport.get(CLUSTERS, bytes)
    assert [token[-1] for token in tenant.asked] == ["1", "1", "2", "2", "3"]


async def test_a_refused_token_is_renewed_once_for_all_calls_under_way(
    serve: Serve, transport_to: MakeTransport, tenant: Tenant, login: Login
) -> None:
    transport = transport_to(await serve(tenant), credential=login)
    await transport.get(CLUSTERS, bytes)
    tenant.log_ins.append({})  # as if someone had revoked the token
    await asyncio.gather(*(transport.get(CLUSTERS, bytes) for _ in range(10)))
    assert len(tenant.log_ins) == 3


async def test_a_token_that_is_refused_for_good_does_not_bring_a_log_in_per_call(
    serve: Serve, transport_to: MakeTransport, tenant: Tenant, login: Login, clock: Clock
) -> None:
    tenant.valid = False
    transport = transport_to(await serve(tenant), credential=login)
    for _ in range(5):
        with pytest.raises(Unauthorized):
            await transport.get(CLUSTERS, bytes)
    assert len(tenant.log_ins) == 2
    clock.now = 61.0
    tenant.valid = True
    tenant.log_ins.append({})
    await transport.get(CLUSTERS, bytes)


@pytest.mark.parametrize("code", [401, 403])
async def test_a_wrong_password_is_tried_once_and_not_until_later(
    serve: Serve,
    transport_to: MakeTransport,
    tenant: Tenant,
    login: Login,
    clock: Clock,
    code: int,
) -> None:
    tenant.log_in_answer = web.Response(status=code)
    transport = transport_to(await serve(tenant), credential=login)
    calls = [transport.get(CLUSTERS, bytes) for _ in range(5)]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    clock.now = 59.0
    with pytest.raises(PaletteError) as later:
        await transport.get(CLUSTERS, bytes)
    told = {(type(error), str(error)) for error in [*errors, later.value]}
    assert len(told) == 1
    assert f"POST {AUTHENTICATE}" in str(later.value)
    assert len(tenant.log_ins) == 1
    clock.now = 60.0
    tenant.log_in_answer = None
    await transport.get(CLUSTERS, bytes)


async def test_a_log_in_that_fails_for_the_moment_is_retried_with_the_call(
    serve: Serve, transport_to: MakeTransport, tenant: Tenant, login: Login
) -> None:
    tenant.log_in_answer = web.Response(status=503)
    transport = transport_to(await serve(tenant), credential=login)
    with pytest.raises(ServerError):
        await transport.get(CLUSTERS, bytes)
    assert len(tenant.log_ins) == 4
    tenant.log_in_answer = None
    await transport.get(CLUSTERS, bytes)


async def test_calls_that_wait_for_a_login_share_its_failure(
    serve: Serve, transport_to: MakeTransport, tenant: Tenant, login: Login
) -> None:
    tenant.log_in_answer = web.Response(status=503)
    transport = transport_to(await serve(tenant), credential=login)
    calls = [transport.get(CLUSTERS, bytes, retry_for=0) for _ in range(10)]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in errors} == {ServerError}
    assert len(tenant.log_ins) == 1


async def test_a_token_that_was_good_is_renewed_however_soon_it_is_revoked(
    serve: Serve, transport_to: MakeTransport, tenant: Tenant, login: Login
) -> None:
    transport = transport_to(await serve(tenant), credential=login)
    for _ in range(3):
        await transport.get(CLUSTERS, bytes)
        tenant.log_ins.append({})
    await transport.get(CLUSTERS, bytes)
    assert [token[-1] for token in tenant.asked] == ["1", "1", "3", "3", "5", "5", "7"]


async def test_a_call_that_is_cancelled_during_the_login_cancels_no_other(
    serve: Serve, transport_to: MakeTransport, tenant: Tenant, login: Login
) -> None:
    transport = transport_to(await serve(tenant), credential=login)
    first = asyncio.create_task(transport.get(CLUSTERS, bytes))
    second = asyncio.create_task(transport.get(CLUSTERS, bytes))
    await asyncio.sleep(0.02)
    first.cancel()
    assert await second == b"{}"
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b'{"Authorization": "t", "isMfa": true}', Unauthorized, "second factor. Use an API key"),
        (b'{"isMfa": false}', InvalidResponse, "no usable token. Use an API key"),
        (b'{"Authorization": ""}', InvalidResponse, "no usable token"),
        (b'{"Authorization": 7}', InvalidResponse, "no usable token"),
        (b'{"Authorization": null, "isMfa": null}', InvalidResponse, "no usable token"),
        (b'{"Authorization": "a\\r\\nX: 1"}', InvalidResponse, "no usable token"),
        (b'["canary-password"]', InvalidResponse, "no usable token"),
        (b"<html>", InvalidResponse, "no usable token"),
        (b"\xff", InvalidResponse, "no usable token"),
        (b"", InvalidResponse, "empty body"),
    ],
)
async def test_a_log_in_without_a_usable_token_says_why(
    serve: Serve,
    transport_to: MakeTransport,
    tenant: Tenant,
    login: Login,
    body: bytes,
    error: type[PaletteError],
    words: str,
) -> None:
    tenant.log_in_answer = web.Response(body=body)
    transport = transport_to(await serve(tenant), credential=login)
    with pytest.raises(error, match=words) as caught:
        await transport.get(CLUSTERS, bytes)
    assert tenant.asked == []
    assert PASSWORD not in str(caught.value) + repr(caught.value.__context__)


async def test_the_password_follows_no_redirect(
    serve: Serve, transport_to: MakeTransport, login: Login
) -> None:
    paths: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    with pytest.raises(InvalidResponse, match="was answered with 307"):
        await transport_to(await serve(handler), credential=login).get(CLUSTERS, bytes)
    assert paths == [AUTHENTICATE]


async def test_a_credential_can_be_replaced_while_the_exporter_runs(
    serve: Serve, transport_to: MakeTransport
) -> None:
    keys: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        keys.append(request.headers["ApiKey"])
        return web.Response(body=b"{}")

    transport = transport_to(await serve(handler), credential=ApiKey("old-key"))
    await transport.get(CLUSTERS, bytes)
    transport.access = replace(transport.access, credential=ApiKey("new-key"))
    await transport.get(CLUSTERS, bytes)
    assert keys == ["old-key", "new-key"]


async def test_a_log_in_that_cannot_connect_says_so(
    transport_to: MakeTransport, login: Login
) -> None:
    with pytest.raises(ConnectionFailed, match="connection refused"):
        await transport_to("http://127.0.0.1:1", credential=login).get(CLUSTERS, bytes)


@pytest.mark.parametrize("key", ["", "a b", "a\n", "schlüssel", "\0"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="the API key is empty or contains") as caught:
        ApiKey(key)
    assert not key or key not in str(caught.value)


async def test_secrets_are_not_in_any_repr(
    serve: Serve, transport_to: MakeTransport, tenant: Tenant, login: Login
) -> None:
    transport = transport_to(await serve(tenant), credential=login)
    await transport.get(CLUSTERS, bytes)
    shown = repr([transport, login, ApiKey("canary-key"), Headers(ApiKey="canary-key")])
    assert "canary" not in shown
    assert set(login.secrets()) >= {PASSWORD, "canary-token-1"}
