"""The answers of the metrics, health and reload paths, and the text of a scrape."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from aiohttp import hdrs, web

from exporter.cooperative import TimeSlices
from exporter.metrics.deflate import Block
from exporter.metrics.exposition import RenderedCluster, RenderOptions
from exporter.metrics.own_families import SERIES
from exporter.metrics.scrape import exposition, gzipped, plain
from exporter.metrics.telemetry import END_OF_FILE, Telemetry
from exporter.store import Store
from exporter.web.guard.access import check_site
from exporter.web.negotiation import wants_gzip, wants_openmetrics

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

CHUNK = 128 * 1024  # bytes sent at a time, at least

log = structlog.get_logger()


@dataclass(slots=True)
class Scrapes:
    """Joins the text of all clusters and of the exporter. wall: seconds since the epoch."""

    store: Store[RenderedCluster]
    telemetry: Telemetry
    wall: Callable[[], float]
    options: Callable[[], RenderOptions] = RenderOptions
    _above_limit: bool = field(default=False, init=False)

    def parts(self, *, openmetrics: bool) -> Iterator[Block | bytes]:
        """Yield the text as it is now, in parts; later changes do not show in it."""
        clusters = tuple(published.text for published in self.store.view())
        yield from exposition(clusters, self.wall(), openmetrics=openmetrics)
        options = self.options()
        own = self.telemetry.text(openmetrics=openmetrics, allows=options.allows)
        yield own
        series = sum(cluster.series for cluster in clusters)
        series += sum(not line.startswith(b"#") for line in own.split(b"\n") if line)
        if options.allows(SERIES.name):
            series += 1
            yield SERIES.text(series).encode()
        if openmetrics:
            yield END_OF_FILE
        above, limit = 0 < options.max_series < series, options.max_series
        if above and not self._above_limit:
            log.warning("more series than metrics.max_series", series=series, max_series=limit)
        self._above_limit = above


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """Answers from memory; nothing waits for Palette.

    ready: whether every cluster's first refresh has ended.
    reload: returns "" once new settings are active, or why they were refused.
    reload_enabled: returns web.enable_lifecycle.
    """

    scrapes: Scrapes
    ready: Callable[[], bool]
    reload: Callable[[], Awaitable[str]]
    reload_enabled: Callable[[], bool]
    telemetry_path: str
    slices: TimeSlices

    async def is_healthy(self, _: web.Request) -> web.Response:
        """Answer 200: an answer at all shows that the event loop runs."""
        return web.Response(text="healthy\n")

    async def is_ready(self, _: web.Request) -> web.Response:
        """Answer 200 once every cluster's first refresh has ended, 503 before."""
        if self.ready():
            return web.Response(text="ready\n")
        return web.Response(text="the first refresh is still running\n", status=503)

    async def reloaded(self, request: web.Request) -> web.Response:
        """Answer 200 once the new settings are active, 500 with the reason where they are refused.

        Raises 403 where reloads are disabled, and for requests that a page of another site made.
        """
        if not self.reload_enabled():
            raise web.HTTPForbidden(text="web.enable_lifecycle: is off. Send SIGHUP instead.\n")
        check_site(request)
        if refused := await self.reload():
            return web.Response(text=f"{refused}\n", status=500)
        return web.Response(text="reloaded\n")

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Answer with all metrics, in the format and encoding that the request prefers."""
        return await respond(request, self.scrapes.parts, self.slices)


async def respond(
    request: web.Request, parts_in: Callable[..., Iterator[Block | bytes]], slices: TimeSlices
) -> web.StreamResponse:
    """Answer with metrics, in the format and encoding that the request prefers.

    parts_in: returns the parts of the text; takes ``openmetrics``.
    """
    response = web.StreamResponse()
    response.headers[hdrs.VARY] = f"{hdrs.ACCEPT}, {hdrs.ACCEPT_ENCODING}"
    openmetrics = wants_openmetrics(_header(request, hdrs.ACCEPT))
    response.headers[hdrs.CONTENT_TYPE] = OPENMETRICS_TYPE if openmetrics else TEXT_TYPE
    parts = parts_in(openmetrics=openmetrics)
    body: Iterable[bytes]
    # With a length, a client notices an answer that broke off, also over HTTP/1.0.
    if wants_gzip(_header(request, hdrs.ACCEPT_ENCODING)):
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        body = packed = await slices.collect(gzipped(parts))
        response.content_length = sum(map(len, packed))
    else:
        texts = await slices.collect(parts)
        body = plain(texts)
        response.content_length = sum(
            text.size if isinstance(text, Block) else len(text) for text in texts
        )
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
    """Write all pieces, small ones together; other tasks run in between."""
    waiting: list[bytes] = []
    size = 0
    for piece in body:
        waiting.append(piece)
        size += len(piece)
        if size >= CHUNK:
            await response.write(b"".join(waiting))
            waiting, size = [], 0
            await slices.next()
    await response.write(b"".join(waiting))
