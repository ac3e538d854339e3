"""Answers /-/reload."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from exporter.web.guard.hosts import is_cross_site

PATH = "/-/reload"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadHandler:
    """Reloads the settings.

    reload: returns "" once they are active, or why they were refused.
    enabled: returns web.enable_lifecycle.
    """

    reload: Callable[[], Awaitable[str]]
    enabled: Callable[[], bool]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer 200 once the new settings are active, 500 with the reason where they are refused.

        Raises 403 where reloads are disabled, and for requests that a page of another site made.
        """
        if not self.enabled():
            raise web.HTTPForbidden(text="web.enable_lifecycle: is off. Send SIGHUP instead.\n")
        if is_cross_site(request):
            raise web.HTTPForbidden(text="Requests from pages of other sites are refused.\n")
        refused = await self.reload()
        if refused:
            return web.Response(text=f"{refused}\n", status=500)
        return web.Response(text="reloaded\n")
