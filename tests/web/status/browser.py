"""Debian's Chromium, and the effects of a page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from tests.process import binary

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a browser; without one, skip the test, but not in CI."""
    path = binary("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visit:
    """A page, with its requests and console messages."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Fail if the page sent a request to another host, or wrote to the console."""
        elsewhere = [
            each for each in self.requests if not each.startswith((f"{self.url}/", "data:,"))
        ]
        assert elsewhere == []
        assert self.said == []

    async def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        wider: int = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wider

    async def serious(self) -> list[str]:
        """Return axe's serious and critical findings, in the light and in the dark."""
        found = await self._violations()
        await self.page.emulate_media(color_scheme="dark")
        found += await self._violations(runOnly=["color-contrast"])  # nothing else differs
        await self.page.emulate_media(color_scheme="light")
        return found

    async def _violations(self, **options: Any) -> list[str]:
        found = await Axe().run(self.page, options=options)
        return [
            f"{each['id']}: {[node['html'] for node in each['nodes'][:3]]}"
            for each in found.response["violations"]
            if each["impact"] in {"serious", "critical"}
        ]

    async def focused(self) -> str:
        """Return the text or id of the focused element."""
        text: str = await self.page.evaluate(
            "(document.activeElement.innerText || document.activeElement.id || '').trim()"
        )
        return text


@asynccontextmanager
async def visit(browser: Browser, url: str, path: str = "/", **window: Any) -> AsyncIterator[Visit]:
    """Open a page; its effects are checked at the end."""
    context = await browser.new_context(viewport=window.get("viewport", DESKTOP))
    page = await context.new_page()
    visited = Visit(page, url)
    context.on("request", lambda request: visited.requests.append(request.url))
    page.on("console", lambda message: visited.said.append(message.text))
    page.on("pageerror", lambda error: visited.said.append(str(error)))
    await page.goto(url + path)
    yield visited
    visited.check()
    await context.close()
