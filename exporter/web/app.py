"""Puts handlers on paths, guards them, and serves them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import hdrs, web

from exporter.web.guard.auth import HEALTH_PATHS, authentication, certification
from exporter.web.guard.concurrency_limit import ConcurrencyLimit
from exporter.web.guard.connections import LINGER, Connection, note_sending
from exporter.web.guard.hosts import known_hosts
from exporter.web.guard.limits import LARGEST_BODY, rate_limit, small_bodies
from exporter.web.guard.listener import Listener
from exporter.web.guard.passwords import Passwords
from exporter.web.guard.web_config import WebConfig
from exporter.web.handlers import Handlers
from exporter.web.probe import PATH, ProbeHandler
from exporter.web.reload import PATH as RELOAD_PATH
from exporter.web.reload import ReloadHandler
from exporter.web.status.handlers import StatusHandlers

SERVER = "palette-snapshot-exporter"

KEEP_ALIVE = 75.0
"""Seconds in which the next request of a connection must be complete."""

PROBES = 0.75
"""The part of web.max_requests that probes can take: they wait for Palette, scrapes do not."""

MOST_HEADERS, LONGEST_LINE = 100, 8190
"""Lines of a request's header, and bytes of each; a request with more is 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What decides which requests reach the handlers.

    config: returns the active configuration. login_failed: counts a login that was refused.
    """

    config: Callable[[], WebConfig]
    login_failed: Callable[[], None] = lambda: None
    passwords: Passwords = field(default_factory=Passwords)

    def headers(self) -> Mapping[str, str]:
        """Return the headers of every answer; without Server, aiohttp would send its version."""
        return {**self.config().sent_headers, hdrs.SERVER: SERVER}


def create_app(
    handlers: Handlers,
    probe: ProbeHandler,
    status: StatusHandlers,
    reload: ReloadHandler,
    guard: Guard,
) -> web.Application:
    """Return the application."""
    app = web.Application(
        client_max_size=LARGEST_BODY + 1,
        middlewares=[
            rate_limit(guard.config),
            certification(guard.config),
            authentication(guard.config, guard.passwords, guard.login_failed),
            known_hosts(guard.config, {handlers.telemetry_path, PATH, *HEALTH_PATHS}),
            small_bodies,
        ],
    )

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        del request
        response.headers.update(guard.headers())

    app.on_response_prepare.append(add_headers)
    app.on_response_prepare.append(note_sending)
    limited = ConcurrencyLimit(lambda: guard.config().max_requests).limited
    status.add_to(app.router, limited)
    app.router.add_get("/-/healthy", handlers.is_healthy)
    app.router.add_get("/-/ready", handlers.is_ready)
    app.router.add_get(handlers.telemetry_path, limited(handlers.metrics))
    app.router.add_get(PATH, limited(probe.probe, share=PROBES))
    app.router.add_post(RELOAD_PATH, reload.answer)
    app.router.add_put(RELOAD_PATH, reload.answer)
    return app


@asynccontextmanager
async def served(
    app: web.Application, guard: Guard, host: str | None, port: int
) -> AsyncIterator[list[str]]:
    """Listen, and yield the addresses as host:port; host None is every address of the machine.

    Raises ListenError where the address cannot be listened on.
    """
    # A handler is cancelled when its client leaves.
    runner = web.AppRunner(
        app, handle_signals=False, shutdown_timeout=LINGER, handler_cancellation=True
    )
    await runner.setup()
    server = runner.server
    assert server

    def connect(forget: Callable[[Connection], None]) -> Connection:
        return Connection(
            server,
            forget=forget,
            headers=guard.headers,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=LINGER,
            auto_decompress=False,
            read_bufsize=LARGEST_BODY,
            max_headers=MOST_HEADERS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )

    try:
        async with Listener(connect, lambda: guard.config().context) as listener:
            yield await listener.listen(host, port)
    finally:
        await runner.cleanup()
