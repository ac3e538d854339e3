"""Basic authentication and client certificates, before anything else is answered."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from exporter.web.guard.passwords import Passwords, TooManyWaitingError
from exporter.web.guard.web_config import WebConfig, normalized

HEALTH_PATHS = frozenset({"/-/healthy", "/-/ready"})

CHALLENGE = {hdrs.WWW_AUTHENTICATE: "Basic"}

_HASH_LENGTH = 31


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and a password, as a request gives them."""

    name: str
    password: bytes = field(repr=False)


def login(header: str) -> Login | None:
    """Read an Authorization header; None where it is no basic one (RFC 7617)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return Login(name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def authentication(
    config: Callable[[], WebConfig], passwords: Passwords, failed: Callable[[], None]
) -> Middleware:
    """Return a middleware that answers 401 unless user and password are right.

    503 where too many passwords wait for their check. failed: counts what was refused.
    """

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        now = config()
        is_open = now.open_health_paths and request.path in HEALTH_PATHS
        if now.users and not is_open and not await _is_right(request, now.users, passwords):
            failed()
            raise web.HTTPUnauthorized(text="Unauthorized\n", headers=CHALLENGE)
        return await handler(request)

    return authenticate


async def _is_right(request: web.Request, users: Mapping[str, bytes], passwords: Passwords) -> bool:
    given = login(request.headers.get(hdrs.AUTHORIZATION, ""))
    if given is None:
        return False
    hashed = users.get(given.name) or decoy(given.name, users, passwords)
    try:
        right = await passwords.match(hashed, given.password, name=given.name)
    except TooManyWaitingError:
        raise web.HTTPServiceUnavailable(
            text="Too many passwords wait for their check. Try again.\n",
            headers={hdrs.RETRY_AFTER: "1"},
        ) from None
    return right and given.name in users


def decoy(name: str, users: Mapping[str, bytes], passwords: Passwords) -> bytes:
    """Return a hash that no password has, for a user that does not exist.

    Its check takes as long as that of a user's hash, always the same user's for a name, so that
    the time of an answer does not show which users exist.
    """
    hashes = sorted(users.values())
    pattern = hashes[passwords.choice(name, len(hashes))]
    return pattern[:-_HASH_LENGTH] + b"." * _HASH_LENGTH


def certification(config: Callable[[], WebConfig]) -> Middleware:
    """Return a middleware that answers 403 unless the client's certificate has an allowed name."""

    @web.middleware
    async def certify(request: web.Request, handler: Handler) -> web.StreamResponse:
        allowed = config().allowed_names
        if allowed is not None and not allowed & _names(request):
            error = web.HTTPForbidden(text="The client's certificate has no allowed name.\n")
            error.force_close()
            raise error
        return await handler(request)

    return certify


def _names(request: web.Request) -> frozenset[str]:
    """Return the alternative names in the certificate of the client."""
    certificate = request.get_extra_info("peercert") or {}
    return frozenset(normalized(name) for _, name in certificate.get("subjectAltName", ()))
