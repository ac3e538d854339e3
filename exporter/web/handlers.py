"""The answers of the metrics and health paths."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import hdrs, web

from exporter.cooperative import SLICE, TimeSlices
from exporter.metrics.deflate import Block
from exporter.metrics.scrape import gzipped, plain
from exporter.web.negotiation import wants_gzip, wants_openmetrics
from exporter.web.scrapes import Scrapes


class PartsIn(Protocol):
    """Returns the parts of a text in one of the formats."""

    def __call__(self, *, openmetrics: bool) -> Iterator[Block | bytes]:
        """Return the parts."""


TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


CHUNK = 32 * 1024
"""Bytes sent at a time, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """Answers from memory; nothing here waits for Palette.

    ready: whether every cluster's first refresh has ended.
    """

    scrapes: Scrapes
    ready: Callable[[], bool]
    telemetry_path: str
    slices: TimeSlices = field(default_factory=TimeSlices)

    async def is_healthy(self, request: web.Request) -> web.Response:
        """Answer 200: an answer at all shows that the event loop runs."""
        del request
        return web.Response(text="healthy\n")

    async def is_ready(self, request: web.Request) -> web.Response:
        """Answer 200 once every cluster's first refresh has ended, 503 before."""
        del request
        if self.ready():
            return web.Response(text="ready\n")
        return web.Response(text="the first refresh is still running\n", status=503)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Answer with all metrics, in the format and encoding that the request prefers."""
        return await respond(request, self.scrapes.parts, self.slices)


async def respond(
    request: web.Request, parts_in: PartsIn, slices: TimeSlices
) -> web.StreamResponse:
    """Answer with metrics, in the format and encoding that the request prefers."""
    openmetrics = wants_openmetrics(_header(request, hdrs.ACCEPT))
    compressed = wants_gzip(_header(request, hdrs.ACCEPT_ENCODING))
    parts = parts_in(openmetrics=openmetrics)
    body: Iterable[bytes]
    if compressed:
        body = packed = await slices.collect(gzipped(parts))
        length = sum(map(len, packed))
    else:
        gathered = await slices.collect(parts)
        length = sum(part.size if isinstance(part, Block) else len(part) for part in gathered)
        body = plain(gathered)
    response = web.StreamResponse()
    response.headers[hdrs.CONTENT_TYPE] = OPENMETRICS_TYPE if openmetrics else TEXT_TYPE
    response.headers[hdrs.VARY] = f"{hdrs.ACCEPT}, {hdrs.ACCEPT_ENCODING}"
    if compressed:
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    # With a length, a client notices an answer that broke off, also over HTTP/1.0.
    response.content_length = length
    # A client that closes the connection is no error of the exporter.
    with suppress(ConnectionError):
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            await _send(response, body, slices)
    return response


def _header(request: web.Request, name: str) -> str:
    """Return all members of a list header, which might be sent in several lines."""
    return ",".join(request.headers.getall(name, ()))


async def _send(response: web.StreamResponse, body: Iterable[bytes], slices: TimeSlices) -> None:
    """Write all pieces, small ones together; other tasks run between the time slices."""
    waiting: list[bytes] = []
    size = 0
    ends = time.perf_counter() + SLICE
    for piece in body:
        waiting.append(piece)
        size += len(piece)
        if size >= CHUNK:
            # A large one waits alone, and is not copied by being joined.
            await response.write(b"".join(waiting))
            waiting, size = [], 0
        if time.perf_counter() >= ends:
            await slices.next()
            ends = time.perf_counter() + SLICE
    await response.write(b"".join(waiting))
