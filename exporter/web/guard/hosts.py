"""The host names under which pages answer: a defence against pages of other sites."""

import ipaddress
from collections.abc import Callable, Collection

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from exporter.web.guard.web_config import WebConfig

CROSS_SITE = "cross-site"


def known_hosts(config: Callable[[], WebConfig], open_paths: Collection[str]) -> Middleware:
    """Return a middleware that answers 403 where the Host header has an unknown name.

    Without users, a page of another site could otherwise make its own name point here, and read
    what only the network protects (DNS rebinding). open_paths: are answered under every name.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        now = config()
        if not now.users and request.path not in open_paths:
            host = _host(request.headers.get(hdrs.HOST, ""))
            if not _is_known(host, now.allowed_hosts):
                raise web.HTTPForbidden(
                    text="web.allowed_hosts: does not contain the name in the Host header. "
                    "Add the name, configure users (web.config_file), or use an IP address.\n"
                )
        return await handler(request)

    return check


def is_cross_site(request: web.Request) -> bool:
    """Return whether a page of another site made the browser send the request."""
    if request.headers.get("Sec-Fetch-Site", "").lower() == CROSS_SITE:
        return True
    origin = request.headers.get(hdrs.ORIGIN)
    host = request.headers.get(hdrs.HOST, "")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()


def _host(header: str) -> str:
    """Return the name or address in a Host header, without the port; "" where there is none."""
    try:
        return (URL(f"http://{header}").host or "").lower().rstrip(".")
    except ValueError:
        return ""


def _is_known(host: str, allowed: Collection[str]) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host in allowed
    return True
