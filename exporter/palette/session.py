"""The HTTP connections to Palette, none of which is used for long."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from exporter.palette.errors import RETRYABLE_STATUSES, InvalidResponse
from exporter.palette.request import Request
from exporter.palette.response import HEADER_LIMIT, MOST_HEADERS, Response, body_of, error_of

KEEPALIVE = 30.0
"""Seconds; shorter than what servers and balancers use, so that the exporter closes first."""

LIFETIME = 240.0
"""Seconds in which connections are opened and used; with the last request no connection gets
five minutes old."""

MOST_INFORMATIONAL = 32  # answers with a status of 1xx that can precede an answer


@dataclass(slots=True, eq=False)
class _Pool:
    """Connections of one period, and the addresses that DNS gave in it."""

    client: aiohttp.ClientSession
    opened: float
    users: int = 0


class Session:
    """Sends requests over pooled connections.

    A failure that might be that of an address, and the end of a period, open a new pool: the next
    request asks DNS again and uses a fresh connection. clock: seconds.
    """

    def __init__(self, user_agent: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._user_agent = user_agent
        self._clock = clock
        self._pool: _Pool | None = None
        self._pools: set[_Pool] = set()

    async def close(self) -> None:
        """Close all connections."""
        # A copy: requests that end meanwhile close their pools, too.
        for pool in tuple(self._pools):
            await pool.client.close()

    async def send(self, request: Request, reserve: Callable[[], Awaitable[object]]) -> Response:
        """Return the answer to a request, which has to be complete within the timeout.

        reserve: waits, once, until memory for a large body is available.
        Raises PaletteError; any status is an answer. Follows no redirect.
        """
        access, pool = request.access, self._current()
        pool.users += 1
        try:
            # aiohttp's own timeout rounds longer ones up to whole seconds.
            async with (
                asyncio.timeout(access.timeout),
                pool.client.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    data=request.body,
                    ssl=access.ssl,
                    proxy=access.proxy,
                    allow_redirects=False,
                ) as response,
            ):
                body = await body_of(response, request, reserve)
                if response.status in RETRYABLE_STATUSES or response.status >= 500:
                    self._retire(pool)
                return Response(response.status, response.headers, body)
        except Exception as error:
            failure = error_of(error, request)
            if failure is not error:  # an answer that is refused is no fault of the connection
                self._retire(pool)
        finally:
            pool.users -= 1
            for unused in [p for p in self._pools if p is not self._pool and not p.users]:
                self._pools.discard(unused)
                await unused.client.close()
        # Out here, so that it does not carry aiohttp's exception as its context.
        raise failure

    def _current(self) -> _Pool:
        now = self._clock()
        if self._pool is None or now >= self._pool.opened + LIFETIME:
            self._pool = _Pool(_client(self._user_agent), now)
            self._pools.add(self._pool)
        return self._pool

    def _retire(self, pool: _Pool) -> None:
        if self._pool is pool:
            self._pool = None


def _client(user_agent: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # No limit: a cluster that hangs must not occupy the connections that others need.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": user_agent},
        timeout=aiohttp.ClientTimeout(),
        auto_decompress=False,
        max_line_size=HEADER_LIMIT,
        max_field_size=HEADER_LIMIT,
        max_headers=MOST_HEADERS,
        response_class=_Response,
        trust_env=False,
        middlewares=(_send_once,),
    )


class _Response(aiohttp.ClientResponse):
    """An answer that not more than a few informational ones precede."""

    def __repr__(self) -> str:
        # aiohttp's own shows the reason and the headers, which can repeat the credential.
        return f"<response {self.status}>"

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        protocol, received = connection.protocol, 0
        read = protocol.read

        async def limited_read() -> Any:
            nonlocal received
            received += 1
            if received > MOST_INFORMATIONAL + 1:
                raise InvalidResponse(f"more than {MOST_INFORMATIONAL} informational answers came")
            return await read()

        protocol.read = limited_read
        try:
            return await super().start(connection)
        finally:
            del protocol.read


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request again on its own, outside the budget and uncounted."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        # The general class, after which aiohttp does not send again.
        raise aiohttp.ClientConnectionError from error
