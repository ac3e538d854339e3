"""Puts handlers on paths and the whole on a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import hdrs, web

from exporter.web.guard.auth import authentication, certification
from exporter.web.guard.concurrency_limit import Gate
from exporter.web.guard.connections import Guests
from exporter.web.guard.limits import rate_limit, small_bodies
from exporter.web.guard.listener import Entrance
from exporter.web.guard.passwords import Passwords
from exporter.web.guard.web_config import Doorkeeper
from exporter.web.handlers import Handlers
from exporter.web.probe import PATH, ProbeHandler
from exporter.web.reload import PATH as RELOAD_PATH
from exporter.web.reload import ReloadHandler
from exporter.web.status.handlers import StatusHandlers

SERVER = "palette-snapshot-exporter"

KEEP_ALIVE = 75.0
"""Seconds in which the next request of a connection must have come whole."""

LINGER = 2.0
"""Seconds for the rest of a body that nobody wanted."""

PROBES = 0.75
"""The part of all places that probes may take: they wait for Palette, and scrapes do not."""

MOST_HEADERS, LONGEST_LINE = 100, 8190
"""Lines of a request's header, and bytes of each; what has more is 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What stands between those who ask and the handlers."""

    keeper: Doorkeeper
    gate: Gate
    guests: Guests = field(default_factory=Guests)
    passwords: Passwords = field(default_factory=Passwords)


def create_app(
    handlers: Handlers,
    probe: ProbeHandler,
    status: StatusHandlers,
    reload: ReloadHandler,
    protection: Protection,
) -> web.Application:
    """Return the application."""
    door, counted = protection.keeper.door, protection.gate.counted
    app = web.Application(
        middlewares=[
            protection.guests.attend,
            rate_limit(door),
            certification(door),
            authentication(door, protection.passwords),
            small_bodies(),
        ]
    )

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        del request
        # Else aiohttp tells its version, and Python's, to everybody.
        response.headers[hdrs.SERVER] = SERVER
        response.headers.update(door().sent_headers)

    app.on_response_prepare.append(add_headers)
    app.on_response_prepare.append(protection.gate.sending)
    status.add_to(app.router, counted)
    app.router.add_get("/-/healthy", handlers.is_healthy)
    app.router.add_get("/-/ready", handlers.is_ready)
    app.router.add_get(handlers.telemetry_path, counted(handlers.metrics))
    app.router.add_get(PATH, counted(probe.probe, part=PROBES))
    app.router.add_post(RELOAD_PATH, reload.answer)
    app.router.add_put(RELOAD_PATH, reload.answer)
    return app


@asynccontextmanager
async def served(
    app: web.Application, protection: Protection, host: str | None, port: int
) -> AsyncIterator[list[tuple[str, int]]]:
    """Listen, and yield the addresses; host None is every address of the machine.

    Raises ListenError where the address cannot be listened on.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=2.0,
        # Nobody is left to read the answer.
        handler_cancellation=True,
        keepalive_timeout=KEEP_ALIVE,
        lingering_time=LINGER,
        auto_decompress=False,
        max_headers=MOST_HEADERS,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )
    await runner.setup()
    try:
        assert runner.server
        entrance = Entrance(
            runner.server, protection.guests, lambda: protection.keeper.door().context
        )
        async with entrance:
            yield await entrance.listen(host, port)
    finally:
        await runner.cleanup()
