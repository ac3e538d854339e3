"""Which requests are answered: by certificate, password, Host header, body, rate and number."""

import asyncio
import base64
import ipaddress
import time
from collections.abc import Callable, Set
from contextlib import suppress

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from exporter.web.guard.connections import LARGEST_BODY, Connection
from exporter.web.guard.passwords import Passwords, TooManyWaitingError
from exporter.web.guard.web_config import WebConfig, normalized

HEALTH_PATHS = frozenset({"/-/healthy", "/-/ready"})

BODY_WITHIN = 5.0  # seconds in which a body of unknown length must be complete


def guard(
    config: Callable[[], WebConfig], login_failed: Callable[[], None], open_paths: Set[str]
) -> Middleware:
    """Return the middleware before all handlers.

    login_failed: counts a login that was refused.
    open_paths: those that are answered under every host name, in addition to HEALTH_PATHS.
    """
    rate_limit, passwords = RateLimit(), Passwords()
    open_paths = HEALTH_PATHS | open_paths

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        now = config()
        rate_limit.check(now)
        _check_certificate(request, now)
        await _check_login(request, now, passwords, login_failed)
        if request.path not in open_paths:
            _check_host(request, now)
        await _check_body(request)
        return await handler(request)

    return check


def _check_certificate(request: web.Request, config: WebConfig) -> None:
    """Raise 403 unless the client's certificate has an allowed name."""
    certificate = request.get_extra_info("peercert") or {}
    names = {normalized(name) for _, name in certificate.get("subjectAltName", ())}
    if config.allowed_names is not None and not config.allowed_names & names:
        error = web.HTTPForbidden(text="The client's certificate has no allowed name.\n")
        error.force_close()
        raise error


async def _check_login(
    request: web.Request, config: WebConfig, passwords: Passwords, failed: Callable[[], None]
) -> None:
    """Raise 401 unless user and password are right, 503 if too many passwords wait for a check."""
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
    raise web.HTTPUnauthorized(text="Unauthorized\n", headers={hdrs.WWW_AUTHENTICATE: "Basic"})


def login(header: str) -> tuple[str, bytes] | None:
    """Return the user and password of an Authorization header; None if it is no basic one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except ValueError:
        return None


def _check_host(request: web.Request, config: WebConfig) -> None:
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


async def _check_body(request: web.Request) -> None:
    """Raise 413 for a body that is too large, 400 for one that is too slow or malformed."""
    text = f"The body is too large. Send at most {LARGEST_BODY} bytes.\n"
    error: web.HTTPException = web.HTTPRequestEntityTooLarge(LARGEST_BODY, 0, text=text)
    if (request.content_length or 0) <= LARGEST_BODY:
        try:
            async with asyncio.timeout(BODY_WITHIN):
                await request.read()
                return
        except (TimeoutError, web.RequestPayloadError):
            error = web.HTTPBadRequest(text="The body is not complete.\n")
        except web.HTTPRequestEntityTooLarge:
            pass
    assert isinstance(request.protocol, Connection)
    request.protocol.stop_reading()
    error.force_close()
    raise error


class RateLimit:
    """A token bucket that keeps one number: when it will be full again."""

    def __init__(self) -> None:
        self._full_at = float("-inf")

    def check(self, config: WebConfig) -> None:
        """Take a token. Raises 429 if there is none, for more requests than the limit allows."""
        if not config.interval:
            return
        now = time.monotonic()
        full_at = max(self._full_at, now) + config.interval
        if full_at - now > config.interval * config.burst:
            raise web.HTTPTooManyRequests(
                text="rate_limit (web.config_file): too many requests. Try again.\n",
                headers={hdrs.RETRY_AFTER: str(max(1, round(config.interval)))},
            )
        self._full_at = full_at


class ConcurrencyLimit:
    """Answers so many requests at the same time; one more is 503 at once.

    most: returns the limit, web.max_requests or a part of it.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._answering = 0

    def limited(self, handler: Handler) -> Handler:
        """Return a handler whose answers count, until they are sent."""

        async def limit(request: web.Request) -> web.StreamResponse:
            if self._answering >= self._most():
                raise web.HTTPServiceUnavailable(
                    text=f"web.max_requests: {self._answering} requests are being answered. "
                    "Try again.\n",
                    headers={hdrs.RETRY_AFTER: "1"},
                )
            self._answering += 1
            try:
                response = await handler(request)
                with suppress(ConnectionError):
                    await response.prepare(request)
                    await response.write_eof()
                return response
            finally:
                self._answering -= 1

        return limit
