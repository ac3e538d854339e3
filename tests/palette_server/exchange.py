"""One request on the wire, and the ways to answer it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from aiohttp import web

if TYPE_CHECKING:
    from exporter.demo.answers import Answers
    from exporter.demo.calls import Answer, Call

Point = Literal["start", "headers", "middle"]
"""The part of an answer that is sent: nothing, the headers, or half of the body."""


@dataclass(kw_only=True)
class Exchange:
    """A request being answered: `answer` returns the right answer, the other methods send."""

    request: web.BaseRequest
    call: Call
    answers: Answers
    stopping: asyncio.Event
    gzip: bool
    response: web.StreamResponse | None = field(default=None, init=False)

    def answer(self, call: Call | None = None) -> Answer:
        """Return the right answer to this call, or to another."""
        return self.answers.answer(call or self.call)

    @property
    def alive(self) -> bool:
        """Return whether the client is still connected."""
        transport = self.request.transport
        return transport is not None and not transport.is_closing() and not self.stopping.is_set()

    async def pause(self, seconds: float | None) -> None:
        """Wait a number of seconds, or without end; both end at once when the server stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    def response_for(self, answer: Answer) -> web.StreamResponse:
        """Return the whole answer, compressed if the client accepts it and it is large enough."""
        headers, body = dict(answer.headers), answer.body
        if self._wants_gzip(answer):
            body = _gzip(body)
            headers["Content-Encoding"] = "gzip"
        return web.Response(
            status=answer.status, body=body, headers=headers, content_type=answer.content_type
        )

    async def start(self, length: int) -> None:
        """Send the headers of a 200 with `length` bytes, if the client is still connected."""
        self.response = web.StreamResponse(headers={"Content-Type": "application/json"})
        self.response.content_length = length
        self.response.force_close()
        with contextlib.suppress(ConnectionError):
            await self.response.prepare(self.request)

    async def write(self, data: bytes) -> None:
        """Send a piece of the body, if the client is still connected."""
        if self.response is not None:
            with contextlib.suppress(ConnectionError):
                await self.response.write(data)

    async def send_until(self, point: Point) -> None:
        """Send the right answer as far as `point`."""
        if point == "start":
            return
        body = self.answer().body
        await self.start(len(body))
        if point == "middle":
            await self.write(body[: len(body) // 2])

    def close(self) -> None:
        """Close the connection."""
        if self.request.transport is not None:
            self.request.transport.close()

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        transport = self.request.transport
        if transport is None:
            return
        connection = transport.get_extra_info("socket")
        if connection is not None:
            # Without lingering, closing a socket resets its connection.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()

    def _wants_gzip(self, answer: Answer) -> bool:
        accepted = self.request.headers.get("Accept-Encoding", "")
        if not self.gzip or not answer.body or "Content-Encoding" in answer.headers:
            return False
        return "gzip" in accepted


def _gzip(body: bytes) -> bytes:
    squeeze = zlib.compressobj(1, wbits=31)
    return squeeze.compress(body) + squeeze.flush()
