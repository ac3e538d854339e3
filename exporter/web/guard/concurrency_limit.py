"""How many answers are prepared and sent at the same time."""

from collections.abc import Callable
from contextlib import suppress

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler


class ConcurrencyLimit:
    """Answers so many requests at the same time; one more is 503 at once.

    most: returns the limit, web.max_requests.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._answering = 0

    def limited(self, handler: Handler, *, share: float = 1.0) -> Handler:
        """Return a handler whose answers count, until they are sent.

        share: the part of the limit that this handler can take.
        """
        answering = 0

        async def limit(request: web.Request) -> web.StreamResponse:
            nonlocal answering
            most = self._most()
            if self._answering >= most or answering >= max(most * share, 1):
                raise _full(most)
            answering += 1
            self._answering += 1
            try:
                response = await handler(request)
                with suppress(ConnectionError):
                    await response.prepare(request)
                    await response.write_eof()
                return response
            finally:
                answering -= 1
                self._answering -= 1

        return limit


def _full(most: int) -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(
        text=f"web.max_requests: {most} requests are being answered. Try again.\n",
        headers={hdrs.RETRY_AFTER: "1"},
    )
