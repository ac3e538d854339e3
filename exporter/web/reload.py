"""Answers /-/reload."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

PATH = "/-/reload"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadHandler:
    """Has the settings read again.

    reload: returns "" once they are in force, or why they were refused.
    """

    reload: Callable[[], Awaitable[str]]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer 200 once the new settings are in force, 500 with the reason where they are not."""
        del request
        refused = await self.reload()
        if refused:
            return web.Response(text=f"{refused}\n", status=500)
        return web.Response(text="reloaded\n")
