"""How large the body of a request can be, and how often requests can come."""

import asyncio
import time
from collections.abc import Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from exporter.web.guard.connections import Connection
from exporter.web.guard.web_config import WebConfig

LARGEST_BODY = 4096
"""Bytes of a request's body, the application's client_max_size; nothing here needs any."""

BODY_WITHIN = 5.0
"""Seconds in which a body of unknown length must be complete."""


@web.middleware
async def small_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request with a body of more than a few KiB, as a middleware."""
    if error := await _body_error(request):
        assert isinstance(request.protocol, Connection)
        request.protocol.stop_reading()
        error.force_close()
        raise error
    return await handler(request)


async def _body_error(request: web.Request) -> web.HTTPException | None:
    """Read the body; return the answer to one that is too large, too slow or malformed."""
    text = f"The body is too large. Send at most {LARGEST_BODY} bytes.\n"
    too_large = web.HTTPRequestEntityTooLarge(LARGEST_BODY, 0, text=text)
    if (request.content_length or 0) > LARGEST_BODY:
        return too_large
    try:
        async with asyncio.timeout(BODY_WITHIN):
            await request.read()
    except web.HTTPRequestEntityTooLarge:
        return too_large
    except TimeoutError:
        return web.HTTPRequestTimeout(text="The body is not complete.\n")
    except web.RequestPayloadError:
        return web.HTTPBadRequest(text="The body is not HTTP.\n")
    return None


def rate_limit(
    config: Callable[[], WebConfig], clock: Callable[[], float] = time.monotonic
) -> Middleware:
    """Return a middleware that answers 429 to more requests than the configuration allows."""
    bucket = _Bucket(clock)

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        now = config()
        if now.interval and not bucket.takes(now.interval, now.burst):
            raise web.HTTPTooManyRequests(
                text="rate_limit (web.config_file): too many requests. Try again.\n",
                headers={hdrs.RETRY_AFTER: str(max(1, round(now.interval)))},
            )
        return await handler(request)

    return limit


class _Bucket:
    """A token bucket that keeps one number: when it will be full again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._full_at = float("-inf")

    def takes(self, interval: float, burst: int) -> bool:
        now = self._clock()
        full_at = max(self._full_at, now) + interval
        if full_at - now > interval * burst:
            return False
        self._full_at = full_at
        return True
