"""The HTTP face of a simulated Palette, on loopback."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from aiohttp import web

from exporter.demo.access import Credentials
from exporter.demo.answers import Answers
from exporter.demo.calls import Answer, Call, endpoint_of
from exporter.demo.exchange import Exchange
from exporter.demo.faultbook import FaultBook
from exporter.demo.limits import Limiter, Limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping

    from exporter.demo.world import World

API_KEY = "demo"
"""The key that a DemoPalette accepts unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it was received; `at` is by the server's clock.

    `status` is None until an answer is decided on, and stays so for faults that send by themselves.
    """

    method: str
    raw_path: str
    endpoint: str
    query: Mapping[str, str]
    page: int
    project_uid: str | None
    has_api_key: bool
    has_authorization: bool
    accept_encoding: str
    at: float
    status: int | None = None


class DemoPalette:
    """A Palette over `world`: start it, ask it, stop it; or use it as a context manager.

    `clock` (seconds, monotonic) rules limits and tokens, `now` (seconds since the epoch) the
    world. Lifetimes are in seconds. `limits` may be True (Palette's own), None or others.
    """

    def __init__(
        self,
        world: World,
        *,
        api_keys: Iterable[str] = (API_KEY,),
        users: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        limits: Limits | bool | None = True,
        forbidden_projects: Iterable[str] = (),
        token_lifetime: float = 900,
        continue_lifetime: float = 300,
        gzip: bool = True,
        ssl_context: ssl.SSLContext | None = None,
        remembered: int = 50_000,
    ) -> None:
        self.world = world
        self.faults = FaultBook()
        self.gzip = gzip
        self.in_flight = 0
        self.most_in_flight = 0
        self._clock = clock
        self._now = now
        self._limiter = _limiter(limits, clock)
        self._credentials = Credentials(
            set(api_keys), dict(users or {}), lifetime=token_lifetime, clock=clock
        )
        self._answers = Answers(
            world=world,
            credentials=self._credentials,
            clock=clock,
            token_lifetime=continue_lifetime,
            forbidden_projects=set(forbidden_projects),
        )
        self._ssl_context = ssl_context
        self._remembered = remembered
        self._requests: dict[int, Request] = {}
        self._serials = itertools.count()
        self._runner: web.ServerRunner | None = None
        self._stopping = asyncio.Event()
        self.host, self.port = "", 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, on a free port unless told which, and return the base URL."""
        self._stopping = asyncio.Event()
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), shutdown_timeout=0.2
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=self._ssl_context)
        await site.start()
        self.host, self.port = self._runner.addresses[0][:2]
        return self.url

    async def stop(self) -> None:
        """Stop within a second, whatever hangs; may be started again."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"{'https' if self._ssl_context else 'http'}://{self.host}:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """The requests received, oldest first; only so many are remembered."""
        return list(self._requests.values())

    @property
    def api_keys(self) -> set[str]:
        """The keys that are accepted; change the set to rotate them."""
        return self._credentials.keys

    @property
    def users(self) -> dict[str, str]:
        """The users who can log in, with their passwords; may be changed."""
        return self._credentials.users

    @property
    def forbidden_projects(self) -> set[str]:
        """The projects that answer 403; may be changed."""
        return self._answers.forbidden_projects

    def forget_requests(self) -> None:
        """Start the request log anew."""
        self._requests.clear()

    def expire_tokens(self) -> None:
        """Let every log-in token given out so far be refused (401)."""
        self._credentials.expire_tokens()

    def expire_continue_tokens(self) -> None:
        """Let every continue token given out so far be refused (410)."""
        self._answers.generation += 1

    def take(self, prefix: str, requests: int) -> int:
        """Spend budget as another client would; returns how much there was to spend."""
        return requests if self._limiter is None else self._limiter.take(prefix, requests)

    def remaining(self, prefix: str) -> float:
        """How many requests `prefix` would allow now; infinite without limits."""
        return float("inf") if self._limiter is None else self._limiter.remaining(prefix)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        serial = next(self._serials)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            call = await _call(request)
            self._remember(serial, call)
            return await self._respond(serial, request, call)
        finally:
            self.in_flight -= 1

    async def _respond(
        self, serial: int, request: web.BaseRequest, call: Call
    ) -> web.StreamResponse:
        self.world.advance(self._now())
        exchange = Exchange(
            request=request,
            call=call,
            answers=self._answers,
            stopping=self._stopping,
            gzip=self.gzip,
        )
        answer = await self._answer(exchange)
        if answer is None:
            return exchange.response or web.Response()
        self._settle(serial, answer.status)
        return exchange.response_for(answer)

    async def _answer(self, exchange: Exchange) -> Answer | None:
        """The limits come first, as in the gateway; what is left may be spoiled."""
        if self._limiter is not None and not self._limiter.allows(exchange.call.raw_path):
            return self._limiter.refusal.answer
        fault = self.faults.strike(exchange.call)
        return exchange.answer() if fault is None else await fault(exchange)

    def _remember(self, serial: int, call: Call) -> None:
        self._requests[serial] = Request(
            method=call.method,
            raw_path=call.raw_path,
            endpoint=call.endpoint,
            query=call.query,
            page=call.page,
            project_uid=call.headers.get("ProjectUid"),
            has_api_key="ApiKey" in call.headers,
            has_authorization="Authorization" in call.headers,
            accept_encoding=call.headers.get("Accept-Encoding", ""),
            at=self._clock(),
        )
        if len(self._requests) > self._remembered:
            del self._requests[next(iter(self._requests))]

    def _settle(self, serial: int, status: int) -> None:
        if serial in self._requests:
            self._requests[serial] = replace(self._requests[serial], status=status)


def _limiter(limits: Limits | bool | None, clock: Callable[[], float]) -> Limiter | None:
    if limits is True:
        return Limiter(Limits(), clock)
    return Limiter(limits, clock) if isinstance(limits, Limits) else None


async def _call(request: web.BaseRequest) -> Call:
    raw_path = request.rel_url.raw_path
    endpoint, (cluster_uid, vm, snapshot) = endpoint_of(raw_path)
    return Call(
        method=request.method,
        raw_path=raw_path,
        endpoint=endpoint,
        query=dict(request.query),
        headers=request.headers,
        body=await request.read(),
        cluster_uid=cluster_uid,
        vm=vm,
        snapshot=snapshot,
    )
