"""Puts handlers on paths and the whole on a socket."""

from aiohttp import web

from exporter.web.handlers import Handlers
from exporter.web.probe import PATH, ProbeHandler


class ListenError(Exception):
    """The listen address cannot be had; the message says which and why."""


def create_app(handlers: Handlers, probe: ProbeHandler) -> web.Application:
    """Return the application."""
    app = web.Application()
    app.router.add_get("/", handlers.index)
    app.router.add_get("/-/healthy", handlers.is_healthy)
    app.router.add_get("/-/ready", handlers.is_ready)
    app.router.add_get(handlers.telemetry_path, handlers.metrics)
    app.router.add_get(PATH, probe.probe)
    return app


async def serve(app: web.Application, host: str | None, port: int) -> web.AppRunner:
    """Listen; host None is every address of the machine. The caller cleans the runner up.

    Raises ListenError where the address cannot be listened on.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=2.0,
        # Nobody is left to read the answer.
        handler_cancellation=True,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_address=True).start()
    except (OSError, OverflowError) as error:
        await runner.cleanup()
        reason = getattr(error, "strerror", None) or str(error)
        raise ListenError(f"{host or ''}:{port}: {reason}") from None
    return runner
