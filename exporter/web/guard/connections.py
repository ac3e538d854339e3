"""The open connections: how many there are, and what one of them can hold and for how long."""

import asyncio
import resource
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

import structlog
from aiohttp import web

from exporter.web.guard.web_config import WebConfig

MOST_CONNECTIONS = 512  # open at the same time; fewer where the process can open only few files

# What a client can send on one connection.
MOST_UNANSWERED = 64 * 1024  # bytes, before the requests in them are answered
LARGEST_BODY = 4096  # bytes of a request's body; nothing here needs any
MOST_HEADERS, LONGEST_LINE = 100, 8190  # lines of a request's head, and bytes of each; more is 400

# Seconds of one connection.
FIRST_REQUEST_WITHIN = 10.0  # in which the first request must be complete
KEEP_ALIVE = 75.0  # in which the next request must be complete
SENT_WITHIN = 30.0  # in which an answer must be sent, from its first byte to its last
LINGER = 2.0  # in which the rest of what a client sends is discarded before the end
NOT_HTTP = b"\0"  # characters that a request's head must not contain

log = structlog.get_logger()


def most_connections() -> int:
    """Return how many connections can be open: they take half of the files at most."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = files == resource.RLIM_INFINITY
    return MOST_CONNECTIONS if unlimited else min(MOST_CONNECTIONS, files // 2)


class Connection(web.RequestHandler):
    """One connection; aiohttp reads its requests and writes its answers.

    forget: is called once, when the connection is lost.
    config: returns the configuration; its headers are in the answer to a malformed request, too.
    """

    def __init__(
        self,
        server: web.Server,
        forget: Callable[["Connection"], None],
        config: Callable[[], WebConfig],
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=LINGER,
            auto_decompress=False,
            read_bufsize=LARGEST_BODY,
            max_headers=MOST_HEADERS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        self._answered = 0
        self._config = config
        self._forget = forget
        self._unanswered = 0
        self._socket: asyncio.Transport | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to serve; the first request must come in time."""
        self._socket = cast("asyncio.Transport", transport)
        # An answer ends when the kernel has all of it: what was left to the event loop would be
        # lost at the end of the process. TLS already waits at its limit, so 0 would block it.
        tls = transport.get_extra_info("sslcontext")
        self._socket.set_write_buffer_limits(high=1 if tls else 0)
        self._abort_after("first request", FIRST_REQUEST_WITHIN)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Leave nothing behind."""
        for timer in self._timers.values():
            timer.cancel()
        self._forget(self)
        # What was not answered can hold errors, whose tracebacks would keep all of it in a ring.
        self._messages.clear()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close the connection now, whatever it does."""
        if self._socket is not None:
            self._socket.abort()

    @property
    def idle(self) -> bool:
        """Whether no request waits for its answer."""
        return self._request_count == self._answered

    def data_received(self, data: bytes) -> None:
        """Pass data on to aiohttp, up to a limit until it is answered."""
        room = max(0, MOST_UNANSWERED - self._unanswered)
        self._unanswered += len(data)
        super().data_received(data[:room])
        if self._request_count:
            self._cancel("first request")
        if self._unanswered > MOST_UNANSWERED:
            if self.idle:
                super().data_received(NOT_HTTP)  # it is answered as other bad requests are
            self.stop_reading()

    def stop_reading(self) -> None:
        """Answer what is complete, discard what follows, and close the connection."""
        self.close()
        self._abort_after("linger", LINGER)

    def begin_sending(self) -> None:
        """Give the client a limited time to read the answer."""
        if "sending" not in self._timers:
            self._abort_after("sending", SENT_WITHIN)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send what is left of an answer."""
        self.begin_sending()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._cancel("sending")
            self._answered += 1
            if self.idle:
                self._unanswered = 0

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to a request that cannot be read, or that a bug keeps from an answer.

        It quotes nothing of the request, and no request is read after it.
        """
        del message
        self.stop_reading()
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request failed", path=request.path, exc_info=exc)
        if exc is not None:
            exc.__traceback__ = None  # otherwise a cycle of references keeps the request in memory
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer was sent already")
        text = f"{status} {HTTPStatus(status).phrase}\n"
        response = web.Response(status=status, text=text, headers=self._config().sent_headers)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log an error of aiohttp's, unless the client caused it by leaving or by its body."""
        if self.transport is not None and not isinstance(
            kw.get("exc_info"), web.RequestPayloadError
        ):
            super().log_exception(*args, **kw)

    def _abort_after(self, name: str, seconds: float) -> None:
        self._cancel(name)
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _cancel(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()


async def note_sending(request: web.Request, _: web.StreamResponse) -> None:
    """Note on the connection that its answer is being sent; a signal handler of aiohttp."""
    assert isinstance(request.protocol, Connection)
    request.protocol.begin_sending()
