"""Who is connected, and who of them waits for an answer."""

from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler


class Guests:
    """The connections that are being served, told apart by whether anything was asked on them."""

    def __init__(self) -> None:
        self._busy: set[web.RequestHandler] = set()
        self._asked: set[web.RequestHandler] = set()

    @web.middleware
    async def attend(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note that a connection waits for an answer, as a middleware."""
        self._busy.add(request.protocol)
        self._asked.add(request.protocol)
        try:
            return await handler(request)
        finally:
            self._busy.discard(request.protocol)

    def have_asked(self, connection: web.RequestHandler) -> bool:
        """Tell whether a whole request came on a connection."""
        return connection in self._asked

    def idle(self, connections: Collection[web.RequestHandler]) -> list[web.RequestHandler]:
        """Return those that live and await no answer, of all there are; the oldest first."""
        self._asked.intersection_update(connections)
        return [each for each in connections if each not in self._busy and each.transport]
