"""Puts handlers on paths, guards them, and serves them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from exporter.web.guard.access import HEALTH_PATHS, check_certificate, check_host, check_login
from exporter.web.guard.connections import LARGEST_BODY, LINGER, Connection, note_sending
from exporter.web.guard.limits import ConcurrencyLimit, RateLimit, check_body
from exporter.web.guard.listener import Listener
from exporter.web.guard.passwords import Passwords
from exporter.web.guard.web_config import WebConfig
from exporter.web.handlers import Handlers
from exporter.web.probe import PATH
from exporter.web.status.handlers import StatusHandlers

PROBES = 0.75
"""The part of web.max_requests that probes can take: they wait for Palette, scrapes do not."""


def create_app(
    handlers: Handlers,
    probe: Handler,
    status: StatusHandlers,
    *,
    config: Callable[[], WebConfig],
    login_failed: Callable[[], None],
) -> web.Application:
    """Return the application.

    probe: answers /probe. config: returns the active configuration.
    login_failed: counts a login that was refused.
    """
    open_paths = {handlers.telemetry_path, PATH, *HEALTH_PATHS}
    guard = _guard(config, login_failed, open_paths)
    app = web.Application(client_max_size=LARGEST_BODY + 1, middlewares=[guard])

    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(config().sent_headers)

    app.on_response_prepare.append(add_headers)
    app.on_response_prepare.append(note_sending)
    limited = ConcurrencyLimit(lambda: config().max_requests).limited
    few = ConcurrencyLimit(lambda: max(1, int(PROBES * config().max_requests))).limited
    status.add_to(app.router, limited)
    app.router.add_get("/-/healthy", handlers.is_healthy)
    app.router.add_get("/-/ready", handlers.is_ready)
    app.router.add_post("/-/reload", handlers.reloaded)
    app.router.add_put("/-/reload", handlers.reloaded)
    app.router.add_get(handlers.telemetry_path, limited(handlers.metrics))
    app.router.add_get(PATH, few(limited(probe)))
    return app


def _guard(
    config: Callable[[], WebConfig], login_failed: Callable[[], None], open_paths: set[str]
) -> Middleware:
    """Return the middleware before all handlers; open_paths: are answered under every host name."""
    rate_limit, passwords = RateLimit(), Passwords()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        now = config()
        rate_limit.check(now)
        check_certificate(request, now)
        await check_login(request, now, passwords, login_failed)
        if request.path not in open_paths:
            check_host(request, now)
        await check_body(request)
        return await handler(request)

    return check


@asynccontextmanager
async def served(
    app: web.Application, config: Callable[[], WebConfig], host: str | None, port: int
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
        return Connection(server, forget, lambda: config().sent_headers)

    try:
        async with Listener(connect, lambda: config().context) as listener:
            yield await listener.listen(host, port)
    finally:
        await runner.cleanup()
