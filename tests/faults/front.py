"""A proxy between the exporter and Palette whose faults affect all clusters.

Names, connections and certificates belong to an address, and Palette has one for all clusters.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Self

from tests.harness import until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterator

    Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HOST = "127.0.0.1"


class Front:
    """Forwards connections to ``upstream`` (host and port), until a test changes that.

    tls: the server's context; None for plain TCP.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.upstream: tuple[str, int] = (HOST, 0)
        self.port = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._sockets: list[socket.socket] = []
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.passes()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuses()

    async def passes(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen; tls: another context from now on."""
        await self.refuses()
        self._tls = tls or self._tls
        self._server = await asyncio.start_server(self._pass_on, HOST, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuses(self) -> None:
        """Close all connections and do not listen."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            _reset(writer)
        await until(lambda: not self._open)
        for each in self._sockets:
            each.close()
        self._sockets.clear()
        self._server = None

    async def hangs(self) -> None:
        """Make clients wait for a connection that is never accepted."""
        await self.refuses()
        listener = socket.create_server((HOST, self.port), backlog=0)
        self._sockets.append(listener)
        # If the queue of unaccepted connections is full, the kernel ignores the next one.
        for _ in range(2):
            waiting = socket.socket()
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect((HOST, self.port))
            self._sockets.append(waiting)

    async def resets(self) -> None:
        """Accept connections, and reset them at once."""
        await self._listens(self._reset)

    async def is_silent(self) -> None:
        """Accept connections, and send nothing, not even a TLS greeting."""
        await self._listens(self._say_nothing)

    async def _listens(self, served: Served) -> None:
        await self.refuses()
        self._server = await asyncio.start_server(served, HOST, self.port)

    async def _reset(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _reset(writer)

    async def _say_nothing(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with self._holding(writer):
            while await reader.read(65536):
                pass

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._holding(writer):
            upstream, onward = await asyncio.open_connection(*self.upstream)
            with self._holding(onward):
                async with asyncio.TaskGroup() as both:
                    both.create_task(_pump(reader, onward))
                    both.create_task(_pump(upstream, writer))

    @contextlib.contextmanager
    def _holding(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._open.add(writer)
        try:
            with contextlib.suppress(ConnectionError):
                yield
        finally:
            self._open.discard(writer)
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        # Without lingering, closing a socket resets its connection.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
