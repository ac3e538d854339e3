"""Which requests are answered: by the client's certificate, its password and the Host header."""

import base64
import binascii
import ipaddress
from collections.abc import Callable

from aiohttp import hdrs, web
from yarl import URL

from exporter.web.guard.passwords import Passwords, TooManyWaitingError
from exporter.web.guard.web_config import WebConfig, normalized

HEALTH_PATHS = frozenset({"/-/healthy", "/-/ready"})

CHALLENGE = {hdrs.WWW_AUTHENTICATE: "Basic"}


def check_certificate(request: web.Request, config: WebConfig) -> None:
    """Raise 403 unless the client's certificate has an allowed name."""
    certificate = request.get_extra_info("peercert") or {}
    names = {normalized(name) for _, name in certificate.get("subjectAltName", ())}
    if config.allowed_names is not None and not config.allowed_names & names:
        error = web.HTTPForbidden(text="The client's certificate has no allowed name.\n")
        error.force_close()
        raise error


async def check_login(
    request: web.Request, config: WebConfig, passwords: Passwords, failed: Callable[[], None]
) -> None:
    """Raise 401 unless user and password are right, 503 if too many passwords wait for a check.

    failed: counts what was refused.
    """
    if not config.users or (config.open_health_paths and request.path in HEALTH_PATHS):
        return
    given = login(request.headers.get(hdrs.AUTHORIZATION, ""))
    try:
        if given and await passwords.is_right(config.users, *given):
            return
    except TooManyWaitingError:
        raise web.HTTPServiceUnavailable(
            text="Too many passwords wait for their check. Try again.\n",
            headers={hdrs.RETRY_AFTER: "1"},
        ) from None
    failed()
    raise web.HTTPUnauthorized(text="Unauthorized\n", headers=CHALLENGE)


def login(header: str) -> tuple[str, bytes] | None:
    """Return the user and password of an Authorization header; None if it is no basic one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def check_host(request: web.Request, config: WebConfig) -> None:
    """Raise 403 if there are no users, and the Host header has an unknown name.

    A page of another site could otherwise make its own name point here, and read what only the
    network protects (DNS rebinding).
    """
    if config.users or _is_known(_host(request.headers.get(hdrs.HOST, "")), config):
        return
    raise web.HTTPForbidden(
        text="web.allowed_hosts: does not contain the name in the Host header. "
        "Add the name, configure users (web.config_file), or use an IP address.\n"
    )


def check_site(request: web.Request) -> None:
    """Raise 403 if a page of another site made the browser send the request."""
    origin = request.headers.get(hdrs.ORIGIN)
    host = request.headers.get(hdrs.HOST, "").lower()
    foreign = origin is not None and origin.partition("://")[2].lower() != host
    if foreign or request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
        raise web.HTTPForbidden(text="Requests from pages of other sites are refused.\n")


def _host(header: str) -> str:
    """Return the name or address in a Host header, without the port; "" where there is none."""
    try:
        return (URL(f"http://{header}").host or "").lower().rstrip(".")
    except ValueError:
        return ""


def _is_known(host: str, config: WebConfig) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host in config.allowed_hosts
    return True
