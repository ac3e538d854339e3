"""The HTTP server of a simulated Palette, on loopback."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from aiohttp import web

from exporter.demo.access import Credentials
from exporter.demo.answers import Answers
from exporter.demo.calls import call_of
from exporter.demo.limits import Limiter, Limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping

    from exporter.demo.calls import Answer, Call
    from exporter.demo.world import World

API_KEY = "demo"
"""The key that a DemoPalette accepts by default."""


class DemoPalette:
    """A Palette that serves `world`: start and stop it, or use it as a context manager.

    `clock` (seconds, monotonic) drives limits and tokens, `now` (seconds since the epoch) the
    world. Lifetimes are in seconds. `limits` are Palette's own by default; None removes them.
    """

    def __init__(
        self,
        world: World,
        *,
        api_keys: Iterable[str] = (API_KEY,),
        users: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        limits: Limits | None = Limits(),  # noqa: B008  frozen
        token_lifetime: float = 900,
        continue_lifetime: float = 300,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.world = world
        self._clock = clock
        self._now = now
        self._credentials = Credentials(
            set(api_keys), dict(users or {}), lifetime=token_lifetime, clock=clock
        )
        self._answers = Answers(
            world=world,
            credentials=self._credentials,
            clock=clock,
            token_lifetime=continue_lifetime,
        )
        self._limiter = Limiter(limits, clock) if limits else None
        self._ssl_context = ssl_context
        self._runner: web.ServerRunner | None = None
        self.host, self.port = "", 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen and return the base URL; port 0 is any free port."""
        self._runner = web.ServerRunner(
            web.Server(self.respond, access_log=None), shutdown_timeout=0.2
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=self._ssl_context).start()
        self.host, self.port = self._runner.addresses[0][:2]
        return self.url

    async def stop(self) -> None:
        """Stop within a second; the server can be started again."""
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
        """Return the base URL, without a slash at its end."""
        return f"{'https' if self._ssl_context else 'http'}://{self.host}:{self.port}"

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Advance the world to now, then answer one request."""
        call = await call_of(request)
        self.world.advance(self._now())
        answer = self.refusal(call) or self._answers.answer(call)
        return web.Response(
            status=answer.status,
            body=answer.body,
            headers=answer.headers,
            content_type=answer.content_type,
        )

    def refusal(self, call: Call) -> Answer | None:
        """Return the 429 of a request above the limit. Palette's gateway checks limits first."""
        if self._limiter is None or self._limiter.allows(call.raw_path):
            return None
        return self._limiter.refusal.answer
