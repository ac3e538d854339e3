"""Puts handlers on paths, guards them, and serves them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler

from exporter.web.guard.access import ConcurrencyLimit, guard
from exporter.web.guard.connections import LARGEST_BODY, LINGER, note_sending
from exporter.web.guard.listener import Listener
from exporter.web.guard.web_config import WebConfig
from exporter.web.handlers import Handlers
from exporter.web.probe import PATH
from exporter.web.status.handlers import StatusHandlers

PROBES = 0.75  # of web.max_requests at most: probes wait for Palette, scrapes do not


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
    check = guard(config, login_failed, {handlers.telemetry_path, PATH})
    app = web.Application(client_max_size=LARGEST_BODY + 1, middlewares=[check])

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
    try:
        async with Listener(server, config) as listener:
            yield await listener.listen(host, port)
    finally:
        await runner.cleanup()
