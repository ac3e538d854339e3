"""Credentials for Palette: an API key, or a user name and password for a token."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from copy import copy

import msgspec

from exporter.palette.errors import InvalidResponse, PaletteError, Unauthorized
from exporter.single_flight import SingleFlight

Send = Callable[[bytes], Awaitable[bytes]]
"""Posts the JSON of a log-in to LOG_IN, without a credential; returns the answer."""

TOKEN_LIFETIME = 15 * 60.0  # seconds; the least that an administrator can set, and the default
RENEW_AT = 0.8  # the part of the lifetime after which a token is renewed

LOG_IN = "/v1/auth/authenticate"

_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


class Headers(dict[str, str]):
    """Request headers that can hold a secret, and do not show it."""

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"


class ApiKey:
    """An API key."""

    def __init__(self, key: str) -> None:
        if not _HEADER_SAFE.fullmatch(key):
            raise ValueError("the API key is empty or contains characters that no key has")
        self._key = key

    async def headers(self, send: Send) -> Headers:
        """Return the headers to send."""
        return Headers(ApiKey=self._key)

    def accepted(self, headers: Mapping[str, str]) -> None:
        """Record that Palette accepted these headers."""

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Return False after a 401: the same key would be refused again."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """Return what must not be in any message."""
        return (self._key,)


class _Answer(msgspec.Struct):
    token: str | None = msgspec.field(name="Authorization", default=None)
    is_mfa: bool | None = msgspec.field(name="isMfa", default=False)

    def __repr__(self) -> str:
        return "<answer to a log-in>"


class Login:
    """A user's token, renewed before it expires and once after a 401.

    Concurrent calls share one log-in and its outcome. clock: seconds.
    retry_after: seconds before the next log-in after one that failed for good, so that a wrong
        password does not lock the account, and after a fresh token that was refused too.
    """

    def __init__(
        self,
        username: str,
        password: str,
        org: str = "",
        *,
        retry_after: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._username = username
        self._password = password
        self._org = org
        self.retry_after = retry_after
        self._clock = clock
        self._single_flight: SingleFlight[str, str] = SingleFlight()
        self._token = self._previous = ""
        self._renew_at = self._keep_until = self._retry_at = 0.0
        self._failure: PaletteError | None = None

    async def headers(self, send: Send) -> Headers:
        """Return the token's header, after a log-in if there is no token or an old one.

        Raises Unauthorized or another PaletteError if the log-in fails, and the same again until
        the next log-in is due.
        """
        token = self._token
        if not token or self._clock() >= self._renew_at:
            if self._failure and self._clock() < self._retry_at:
                # The original collects the frames of all who raise it.
                raise copy(self._failure)
            token = await self._single_flight.do("log-in", lambda: self._log_in(send))
        return Headers(Authorization=token)

    def accepted(self, headers: Mapping[str, str]) -> None:
        """Record that the token is good; if it is refused later, a new one will help."""
        if headers.get("Authorization") == self._token:
            self._keep_until = 0.0

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Drop the token, if it is still the current one, and return True.

        Return False if that token was itself fetched after a refusal and never accepted since:
        the next one would be refused too.
        """
        if headers.get("Authorization") == self._token:
            if self._clock() < self._keep_until:
                return False
            self._keep_until = self._clock() + self.retry_after
            self._previous, self._token = self._token, ""
        return True

    def secrets(self) -> tuple[str, ...]:
        """Return the password, and the tokens that requests in flight can carry."""
        return (self._password, self._token, self._previous)

    async def _log_in(self, send: Send) -> str:
        form = {"emailId": self._username, "password": self._password}
        form |= {"org": self._org} if self._org else {}
        try:
            token = _token(await send(msgspec.json.encode(form)))
        except PaletteError as error:
            self._failure = copy(error)
            self._retry_at = 0.0 if error.retryable else self._clock() + self.retry_after
            raise
        self._failure = None
        self._previous, self._token = self._token or self._previous, token
        self._renew_at = self._clock() + TOKEN_LIFETIME * RENEW_AT
        return token


Credential = ApiKey | Login


def _token(body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if answer.is_mfa:
        raise Unauthorized("the log-in requires a second factor. Use an API key instead")
    if not answer.token or not _HEADER_SAFE.fullmatch(answer.token):
        raise InvalidResponse("the log-in returned no usable token. Use an API key instead")
    return answer.token
