"""A simulated Palette that records requests, fails on request and shows its limits."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aiohttp import web

from exporter.demo.api import API_KEY, DemoPalette
from exporter.demo.calls import call_of
from tests.palette_server.accounts import Accounts
from tests.palette_server.exchange import Exchange
from tests.palette_server.faultbook import FaultBook
from tests.palette_server.limits import Limiter, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.demo.calls import Answer, Call
    from tests.palette_server.world import World

__all__ = ["API_KEY", "PaletteServer", "Request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it was received; `at` is by the server's clock.

    `status` is None until an answer is chosen, and stays None for faults that send on their own.
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


class PaletteServer(DemoPalette):
    """A DemoPalette with users, limits and test hooks.

    `token_lifetime`: of log-in tokens, in seconds. `limits`: by default Palette's own; None removes
    them. `gzip`: compress answers for clients that accept it. `remembered`: how many requests are
    recorded; the oldest are dropped. `forbidden_projects`: those that answer 403. `options`: of
    DemoPalette.
    """

    world: World

    def __init__(
        self,
        world: World,
        *,
        api_keys: Iterable[str] = (API_KEY,),
        users: Mapping[str, str] | None = None,
        token_lifetime: float = 900,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = Limits(),  # noqa: B008  frozen
        gzip: bool = True,
        remembered: int = 50_000,
        forbidden_projects: Iterable[str] = (),
        **options: Any,
    ) -> None:
        self._credentials = Accounts(
            set(api_keys), dict(users or {}), lifetime=token_lifetime, clock=clock
        )
        super().__init__(world, credentials=self._credentials, clock=clock, **options)
        self._clock = clock
        self._limiter = Limiter(limits, clock) if limits else None
        world.forbidden_projects.update(forbidden_projects)
        self.faults = FaultBook()
        self.gzip = gzip
        self._remembered = remembered
        self.in_flight = 0
        self.most_in_flight = 0
        self._requests: dict[int, Request] = {}
        self._serials = itertools.count()
        self._stopping = asyncio.Event()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, on a free port where `port` is 0, and return the base URL."""
        self._stopping = asyncio.Event()
        return await super().start(host, port)

    async def stop(self) -> None:
        """Stop within a second, even if calls hang."""
        self._stopping.set()
        await super().stop()

    @property
    def requests(self) -> list[Request]:
        """Return the requests received, oldest first."""
        return list(self._requests.values())

    @property
    def api_keys(self) -> set[str]:
        """Return the accepted keys; change the set to rotate them."""
        return self._credentials.keys

    @property
    def users(self) -> dict[str, str]:
        """Return the users who can log in, with their passwords; can be changed."""
        return self._credentials.users

    @property
    def forbidden_projects(self) -> set[str]:
        """Return the projects that answer 403; can be changed."""
        return self.world.forbidden_projects

    def forget_requests(self) -> None:
        """Empty the record of requests."""
        self._requests.clear()

    def expire_tokens(self) -> None:
        """Refuse every login token issued so far (401)."""
        self._credentials.expire_tokens()

    def expire_continue_tokens(self) -> None:
        """Refuse every continue token issued so far (410)."""
        self._answers.generation += 1

    def take(self, prefix: str, requests: int) -> int:
        """Spend budget like another client; return how many requests were available."""
        return requests if self._limiter is None else self._limiter.take(prefix, requests)

    def remaining(self, prefix: str) -> float:
        """Return how many requests `prefix` allows now; infinite without limits."""
        return float("inf") if self._limiter is None else self._limiter.remaining(prefix)

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, with the first fault planned for it."""
        serial = next(self._serials)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            call = await call_of(request)
            self._record(serial, call)
            self.world.advance(self._now())
            return await self._exchanged(serial, request, call)
        finally:
            self.in_flight -= 1

    async def _exchanged(
        self, serial: int, request: web.BaseRequest, call: Call
    ) -> web.StreamResponse:
        exchange = Exchange(
            request=request,
            call=call,
            answers=self._answers,
            stopping=self._stopping,
            gzip=self.gzip,
        )
        answer = self._refusal(call) or await self._answer(exchange)
        if answer is None:
            return exchange.response or web.Response()
        if serial in self._requests:
            self._requests[serial] = replace(self._requests[serial], status=answer.status)
        return exchange.response_for(answer)

    def _refusal(self, call: Call) -> Answer | None:
        """Return the 429 of a request above the limit. Palette's gateway checks limits first."""
        if self._limiter is None or self._limiter.allows(call.raw_path):
            return None
        return self._limiter.refusal

    async def _answer(self, exchange: Exchange) -> Answer | None:
        fault = self.faults.strike(exchange.call)
        return exchange.answer() if fault is None else await fault(exchange)

    def _record(self, serial: int, call: Call) -> None:
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
