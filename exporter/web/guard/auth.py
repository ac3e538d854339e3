"""Basic authentication, before anything else is answered."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from exporter.web.guard.passwords import Passwords, TooManyWaitingError
from exporter.web.guard.web_config import Door, in_one_form

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


def authentication(door: Callable[[], Door], passwords: Passwords) -> Middleware:
    """Return what lets requests through whose user and password are right.

    Others are 401; 503 where too many wait for their check. door: as it is now.
    """

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        now = door()
        is_open = now.open_health_paths and request.path in HEALTH_PATHS
        if now.users and not is_open and not await _is_let_in(request, now.users, passwords):
            raise web.HTTPUnauthorized(text="Unauthorized\n", headers=CHALLENGE)
        return await handler(request)

    return authenticate


async def _is_let_in(
    request: web.Request, users: Mapping[str, bytes], passwords: Passwords
) -> bool:
    given = login(request.headers.get(hdrs.AUTHORIZATION, ""))
    if given is None:
        return False
    hashed = users.get(given.name) or _nobodys(given.name, users, passwords)
    try:
        matches = await passwords.match(
            hashed, given.password, name=given.name, address=request.remote or ""
        )
    except TooManyWaitingError:
        raise web.HTTPServiceUnavailable(
            text="Too many passwords wait for their check; try again.\n",
            headers={hdrs.RETRY_AFTER: "1"},
        ) from None
    return matches and given.name in users


def _nobodys(name: str, users: Mapping[str, bytes], passwords: Passwords) -> bytes:
    """Return a hash that no password has, for a user that there is none of.

    It costs what the hash of a user costs, always that of the same for a name, so that time does
    not tell who there is.
    """
    hashes = sorted(users.values())
    pattern = hashes[passwords.choice(name, len(hashes))]
    return pattern[:-_HASH_LENGTH] + b"." * _HASH_LENGTH


def certification(door: Callable[[], Door]) -> Middleware:
    """Return what lets in only whose certificate carries one of the names that the door allows."""

    @web.middleware
    async def certify(request: web.Request, handler: Handler) -> web.StreamResponse:
        allowed = door().allowed_names
        if allowed is not None and not allowed & _names(request):
            raise web.HTTPForbidden(
                text="The client's certificate carries no name that is allowed.\n",
                headers={hdrs.CONNECTION: "close"},
            )
        return await handler(request)

    return certify


def _names(request: web.Request) -> frozenset[str]:
    """Return the alternative names in the certificate of the client."""
    certificate = request.get_extra_info("peercert") or {}
    return frozenset(in_one_form(name) for _, name in certificate.get("subjectAltName", ()))
