"""How often requests can come, how large they can be, and how many are answered at a time."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from exporter.web.guard.connections import LARGEST_BODY, Connection
from exporter.web.guard.web_config import WebConfig

BODY_WITHIN = 5.0
"""Seconds in which a body of unknown length must be complete."""


async def check_body(request: web.Request) -> None:
    """Raise 413 for a body that is too large, 400 for one that is too slow or malformed."""
    text = f"The body is too large. Send at most {LARGEST_BODY} bytes.\n"
    error: web.HTTPException = web.HTTPRequestEntityTooLarge(LARGEST_BODY, 0, text=text)
    if (request.content_length or 0) <= LARGEST_BODY:
        try:
            async with asyncio.timeout(BODY_WITHIN):
                await request.read()
                return
        except (TimeoutError, web.RequestPayloadError):
            error = web.HTTPBadRequest(text="The body is not complete.\n")
        except web.HTTPRequestEntityTooLarge:
            pass
    assert isinstance(request.protocol, Connection)
    request.protocol.stop_reading()
    error.force_close()
    raise error


class RateLimit:
    """A token bucket that keeps one number: when it will be full again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at = float("-inf")

    def check(self, config: WebConfig) -> None:
        """Take a token. Raises 429 if there is none, for more requests than the limit allows."""
        if not config.interval:
            return
        now = self._clock()
        full_at = max(self._full_at, now) + config.interval
        if full_at - now > config.interval * config.burst:
            raise web.HTTPTooManyRequests(
                text="rate_limit (web.config_file): too many requests. Try again.\n",
                headers={hdrs.RETRY_AFTER: str(max(1, round(config.interval)))},
            )
        self._full_at = full_at


class ConcurrencyLimit:
    """Answers so many requests at the same time; one more is 503 at once.

    most: returns the limit, web.max_requests or a part of it.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._answering = 0

    def limited(self, handler: Handler) -> Handler:
        """Return a handler whose answers count, until they are sent."""

        async def limit(request: web.Request) -> web.StreamResponse:
            if self._answering >= self._most():
                raise web.HTTPServiceUnavailable(
                    text=f"web.max_requests: {self._answering} requests are being answered. "
                    "Try again.\n",
                    headers={hdrs.RETRY_AFTER: "1"},
                )
            self._answering += 1
            try:
                response = await handler(request)
                with suppress(ConnectionError):
                    await response.prepare(request)
                    await response.write_eof()
                return response
            finally:
                self._answering -= 1

        return limit
