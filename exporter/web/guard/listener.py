"""Takes connections in, and sees to it that there is always room for one more."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Self

import structlog
from aiohttp import web

from exporter.web.guard.connections import Guests

MOST_CONNECTIONS = 512
"""Open at the same time; for one more, the oldest on which nothing is asked is closed."""

BACKLOG = 1024
"""Connections that wait to be taken in."""

HANDSHAKE_WITHIN = 10.0
"""Seconds for TLS to be agreed upon."""

REQUEST_WITHIN = 10.0
"""Seconds in which the first request of a connection must have come whole."""

PARTING_WITHIN = 2.0
"""Seconds for TLS to be ended."""

PAUSE = 0.1
"""Seconds in which nobody is taken in, where the system has no more sockets to give."""

log = structlog.get_logger()


class ListenError(Exception):
    """The listen address cannot be had; the message says which and why."""


class Entrance:
    """Listens, and hands connections to a server; a context manager, which owns the tasks.

    context: TLS for the next connection as it is then; None where it is not spoken.
    """

    def __init__(
        self, server: web.Server, guests: Guests, context: Callable[[], ssl.SSLContext | None]
    ) -> None:
        self._server = server
        self._guests = guests
        self._context = context
        self._accepting: list[asyncio.Task[None]] = []
        self._greeting: dict[asyncio.Task[None], None] = {}
        self._told: set[str] = set()
        self._tasks = asyncio.TaskGroup()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._tasks)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in (*self._accepting, *self._greeting):
            task.cancel()
        await self._stack.aclose()

    async def listen(self, host: str | None, port: int) -> list[tuple[str, int]]:
        """Begin to take connections in; host None is every address of the machine.

        Returns the addresses listened on. Raises ListenError where there is none to be had.
        """
        listeners = await _listeners(host, port)
        for listener in listeners:
            self._stack.callback(listener.close)
            self._accepting.append(self._tasks.create_task(self._accept(listener)))
        return [listener.getsockname()[:2] for listener in listeners]

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                self._tell("connections cannot be taken in", error.strerror or "")
                await asyncio.sleep(PAUSE)
                continue
            if self._has_room():
                task = self._tasks.create_task(self._greet(connection))
                self._greeting[task] = None
                task.add_done_callback(lambda done: self._greeting.pop(done, None))
            else:
                connection.close()

    def _has_room(self) -> bool:
        """Tell whether one more can be taken in, for which the longest idle one may have to go."""
        connections = self._server.connections
        if len(connections) + len(self._greeting) < MOST_CONNECTIONS:
            return True
        idle = self._guests.idle(connections)
        if len(self._greeting) > len(idle):
            oldest = next(iter(self._greeting))
            del self._greeting[oldest]  # it takes its time to end, and is not the oldest twice
            oldest.cancel()
        elif idle:
            _abort(idle[0])
        return bool(idle or self._greeting)

    async def _greet(self, connection: socket.socket) -> None:
        context = self._context()
        limits = {"ssl_handshake_timeout": HANDSHAKE_WITHIN, "ssl_shutdown_timeout": PARTING_WITHIN}
        loop = asyncio.get_running_loop()
        served = self._server()
        try:
            await loop.connect_accepted_socket(
                lambda: served, connection, ssl=context, **(limits if context else {})
            )
        except ConnectionResetError:
            connection.close()  # whoever only looks whether the port is open leaves like that
        except OSError as error:  # those of TLS, and that it took too long, are of this kind
            connection.close()
            reason = getattr(error, "reason", None) or type(error).__name__
            self._tell("a TLS handshake failed", reason)
        else:
            loop.call_later(REQUEST_WITHIN, self._hurry, served)

    def _hurry(self, served: web.RequestHandler) -> None:
        if not self._guests.have_asked(served):
            _abort(served)

    def _tell(self, event: str, reason: str) -> None:
        """Log what went wrong, once for each reason."""
        if (line := f"{event}: {reason}") not in self._told:
            self._told.add(line)
            log.warning(event, reason=reason, more="not told again")


def _abort(connection: web.RequestHandler) -> None:
    if isinstance(connection.transport, asyncio.Transport):
        connection.transport.abort()
    connection.force_close()  # from here on it has no transport, which is how the dead are told


async def _listeners(host: str | None, port: int) -> list[socket.socket]:
    found: list[socket.socket] = []
    try:
        for family, address in await _addresses(host, port):
            found.append(_listener(family, address, port))
    except (OSError, OverflowError) as error:
        # A machine without IPv6 may tell of it all the same.
        if host is not None or not found:
            for listener in found:
                listener.close()
            reason = getattr(error, "strerror", None) or str(error)
            # Where it says more than the system does, that is the address once again.
            reason = reason.partition(" (while")[0].lower()
            raise ListenError(f"{host or ''}:{port}: {reason}") from None
    return found


async def _addresses(host: str | None, port: int) -> list[tuple[int, str]]:
    """Return the families and addresses that a host has; IPv4 first, as all have it."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    distinct = {(int(family), str(address[0])) for family, _, _, _, address in found}
    return sorted(distinct, key=lambda each: each[0] != socket.AF_INET)


def _listener(family: int, address: str, port: int) -> socket.socket:
    listener = socket.create_server((address, port), family=family, backlog=BACKLOG)
    listener.setblocking(False)
    return listener
