"""What a request may bring along, and how often one may come."""

import asyncio
import time
from collections.abc import Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from exporter.web.guard.web_config import Door

LARGEST_BODY = 4096
"""Bytes of a request's body; nothing here needs any."""

BODY_WITHIN = 5.0
"""Seconds in which a body of unknown length must have come."""


def small_bodies() -> Middleware:
    """Return what refuses requests with a body of more than a few KiB."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not await _has_small_body(request):
            raise web.HTTPRequestEntityTooLarge(
                max_size=LARGEST_BODY,
                actual_size=request.content_length or 0,
                text=f"The body of a request may have {LARGEST_BODY} bytes here.\n",
                headers={hdrs.CONNECTION: "close"},
            )
        return await handler(request)

    return check


async def _has_small_body(request: web.Request) -> bool:
    if request.content_length is not None or not request.can_read_body:
        return (request.content_length or 0) <= LARGEST_BODY
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > LARGEST_BODY:
                    return False
    except TimeoutError:
        raise web.HTTPRequestTimeout(
            text="The body did not come to its end.\n", headers={hdrs.CONNECTION: "close"}
        ) from None
    return True


def rate_limit(door: Callable[[], Door], clock: Callable[[], float] = time.monotonic) -> Middleware:
    """Return what answers 429 to requests that come too often, as the door says."""
    bucket = _Bucket(clock)

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        now = door()
        if now.interval and not bucket.takes(now.interval, now.burst):
            raise web.HTTPTooManyRequests(
                text="More requests than rate_limit allows; try again.\n",
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
