"""The status page behind a reverse proxy that adds a path prefix."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from tests.harness import EAST, exporting, put, target, tenant

PREFIX = "/palette/"
LINK = re.compile(r'(?:href|action|src)="([^"]*)"')


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[str]:
    """Serve url under PREFIX only, as nginx does; yield the address."""
    async with aiohttp.ClientSession() as session:

        async def forward(request: web.Request) -> web.Response:
            path = request.raw_path.removeprefix(PREFIX)
            answer = session.get(f"{url}/{path}", allow_redirects=False)
            async with answer as response:
                kept = ("Content-Type", "Content-Security-Policy", "Location")
                headers = {
                    name: response.headers[name] for name in kept if name in response.headers
                }
                return web.Response(
                    status=response.status, headers=headers, body=await response.read()
                )

        app = web.Application()
        app.router.add_get(PREFIX + "{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}{PREFIX}"
        finally:
            await runner.cleanup()


async def test_every_link_works_behind_a_path_prefix() -> None:
    world, odd = tenant(), "a/b c?d#e%2F&é"
    put(world, "db-01", "nightly")
    put(world, "bare")
    put(world, odd, "nightly-odd")
    async with exporting(world, targets=[target(EAST)]) as running:
        await running.refresh()
        async with proxied(running.url) as base:
            unseen, seen, names = [base, f"{base}?q=&state="], set[str](), set[str]()
            while unseen:
                address = unseen.pop()
                async with running.session.get(URL(address, encoded=True)) as got:
                    body, kind = await got.text(), got.content_type
                    assert got.status == 200, address
                    address = str(got.url)
                if kind != "text/html":
                    continue
                names.add(urlsplit(address).path.removeprefix(PREFIX))
                for link in map(unescape, LINK.findall(body)):
                    found = urljoin(address, link).partition("#")[0]
                    if found.startswith(("data:", "https:")) or found in seen:
                        continue
                    assert found.startswith(base), f"{address}: {link}"
                    seen.add(found)
                    unseen.append(found)
            assert {"", "config", "docs", "docs/runbooks.md"} <= names
            assert f"vms/{EAST}/vms/{quote(odd, safe='')}" in names
            assert f"{base}status.css" in seen
            assert f"{base}metrics" in seen
