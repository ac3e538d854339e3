"""The HTTP server of a simulated Palette, on loopback."""

import ssl
import time
from collections.abc import Callable
from typing import Self

from aiohttp import web

from exporter.demo.access import Credentials
from exporter.demo.answers import Answers
from exporter.demo.calls import call_of
from exporter.demo.world import World

API_KEY = "demo"
"""The key that a DemoPalette accepts by default."""


class DemoPalette:
    """A Palette that serves `world`: start and stop it, or use it as a context manager.

    `clock` (seconds, monotonic) drives continue tokens, which live for `continue_lifetime` seconds,
    and `now` (seconds since the epoch) the world.
    """

    def __init__(
        self,
        world: World,
        *,
        credentials: Credentials | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        continue_lifetime: float = 300,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.world = world
        self._now = now
        self._answers = Answers(
            world=world,
            credentials=credentials or Credentials({API_KEY}),
            clock=clock,
            token_lifetime=continue_lifetime,
        )
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
        answer = self._answers.answer(call)
        return web.Response(
            status=answer.status,
            body=answer.body,
            headers=answer.headers,
            content_type=answer.content_type,
        )
