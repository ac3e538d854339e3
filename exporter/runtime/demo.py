"""Settings pointed at a simulated Palette, for ``--demo``."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from exporter.settings import Settings


@asynccontextmanager
async def simulated() -> AsyncIterator[Callable[[Settings], Settings]]:
    """Run a simulated Palette and yield what points settings at it."""
    # Here rather than at the top: only --demo needs it.
    from exporter.demo.api import API_KEY, DemoPalette
    from exporter.demo.world import World

    async with DemoPalette(World.demo(now=time.time())) as palette:
        yield lambda settings: settings.with_demo(url=palette.url, api_key=API_KEY)
