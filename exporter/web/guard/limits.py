"""How large the body of a request may be, and how often requests may come."""

import asyncio
import time
from collections.abc import Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from exporter.web.guard.connections import Connection
from exporter.web.guard.web_config import WebConfig

LARGEST_BODY = 4096
"""Bytes of a request's body; nothing here needs any."""

BODY_WITHIN = 5.0
"""Seconds in which a body of unknown length must be complete."""


@web.middleware
async def small_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request with a body of more than a few KiB, as a middleware."""
    try:
        async with asyncio.timeout(BODY_WITHIN):
            small = await _has_small_body(request)
    except TimeoutError:
        raise _closing(
            request, web.HTTPRequestTimeout(text="The body is not complete.\n")
        ) from None
    except web.RequestPayloadError:
        raise _closing(request, web.HTTPBadRequest(text="The body is not HTTP.\n")) from None
    if not small:
        text = f"The body is too large. Send at most {LARGEST_BODY} bytes.\n"
        raise _closing(request, web.HTTPRequestEntityTooLarge(LARGEST_BODY, 0, text=text))
    return await handler(request)


async def _has_small_body(request: web.Request) -> bool:
    if request.content_length is not None or not request.can_read_body:
        return (request.content_length or 0) <= LARGEST_BODY
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > LARGEST_BODY:
            return False
    return True


def _closing(request: web.Request, error: web.HTTPException) -> web.HTTPException:
    """Return an answer after which the connection closes, whatever the client still sends."""
    assert isinstance(request.protocol, Connection)
    request.protocol.stop_reading()
    error.force_close()
    return error


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
