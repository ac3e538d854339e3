"""A server without an HTTP library, for bytes that no library would send."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Served:
    """The number of requests of a raw server, and whether a client closed its connection."""

    def __init__(self) -> None:
        self.count = 0
        self._first = asyncio.Event()
        self._hung_up = asyncio.Event()

    def note(self) -> None:
        self.count += 1
        self._first.set()

    async def wait(self) -> None:
        await self._first.wait()

    def note_end(self) -> None:
        self._hung_up.set()

    async def hung_up(self) -> None:
        async with asyncio.timeout(10):
            await self._hung_up.wait()


@asynccontextmanager
async def raw_server(answer: bytes, *, hang: bool = False) -> AsyncIterator[tuple[str, Served]]:
    """Answer each request with these bytes, and close the connection or hang."""
    served = Served()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            served.note()
            writer.write(answer)
            await writer.drain()
            if hang:
                await reader.read()
                served.note_end()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", served
