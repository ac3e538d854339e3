"""What can go wrong between the exporter and Palette, and the words for it.

Messages are written here and name a status, an endpoint's template and a host. Palette's own
message is never passed on, because it can repeat the credential. ``response`` translates aiohttp's
exceptions.
"""

# ruff: noqa: N818 - they are named for what happened, as their words in metrics are.

import re
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec


class PaletteError(Exception):
    """Any failure of a call; ``reason`` is its word in metrics.

    retryable: the same request might succeed when sent again.
    retry_after: seconds Palette asked to wait before that; None where it did not say.
    """

    reason: ClassVar[str]

    def __init__(
        self, message: str, *, retryable: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after


class Unauthorized(PaletteError):
    """The credential is not accepted."""

    reason = "unauthorized"


class Forbidden(PaletteError):
    """The credential has no access to this."""

    reason = "forbidden"


class NotFound(PaletteError):
    """The object does not exist."""

    reason = "not_found"


class RateLimited(PaletteError):
    """Too many requests, by this process or by others behind the same address."""

    reason = "rate_limited"


class ServerError(PaletteError):
    """Palette failed; a 500 says nothing about whether a thing exists."""

    reason = "server_error"


class Timeout(PaletteError):
    """The last byte of the answer did not come in time."""

    reason = "timeout"


class ConnectionFailed(PaletteError):
    """No connection, or one that broke."""

    reason = "connection"


class Unresolved(ConnectionFailed):
    """The host name is not known."""


class Refused(ConnectionFailed):
    """No process listens on the address."""


class Untrusted(ConnectionFailed):
    """The certificate is not accepted."""


class TlsFailed(ConnectionFailed):
    """The TLS handshake failed, for another reason than the certificate."""


class ProxyFailed(ConnectionFailed):
    """The proxy cannot be reached, or refuses the request."""


class InvalidResponse(PaletteError):
    """The answer cannot be used."""

    reason = "invalid_response"


class Expired(InvalidResponse):
    """The continue token has expired; the list has to be read from its beginning."""


ERROR_BY_STATUS: dict[int, type[PaletteError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    407: ProxyFailed,
    408: Timeout,
    410: Expired,
    429: RateLimited,
}
"""Of the rest, 5xx is ServerError and anything else InvalidResponse."""

ERROR_BY_CODE: dict[str, type[PaletteError]] = {
    "ResourceExpired": Expired,
    "ProjectNotFoundInTenant": Forbidden,
    "ResourceAccessDenied": Forbidden,
}
"""Palette's code says more than its status: a project that cannot be read answers with 404 too,
and no snapshot is missing then. It counts for 4xx other than 401."""

RETRYABLE_STATUSES = frozenset({408, 429, 502, 503, 504})


class _Complaint(msgspec.Struct):
    """The part of Palette's error document that is fit to be repeated."""

    code: Any = None
    ref: Any = None


PIECE = 8  # characters in a row of a secret that are too many to be shown

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]{2,63}")
_REF = re.compile(r"[A-Za-z0-9-]{4,64}")


def status_error(
    status: int,
    call: str,
    *,
    body: bytes = b"",
    secrets: Iterable[str] = (),
    retry_after: float | None = None,
) -> PaletteError:
    """Return the error for an answer other than 200.

    call: method, endpoint template and host, for the message.
    secrets: what must not be in the message, whatever the body says.
    """
    complaint = _complaint(body)
    code = _harmless(complaint.code, _CODE, secrets)
    ref = _harmless(complaint.ref, _REF, secrets)
    details = ", ".join(filter(None, (code, ref and f"ref {ref}")))
    return _kind(status, code)(
        f"{call} was answered with {status}" + (f" ({details})" if details else ""),
        retryable=status in RETRYABLE_STATUSES,
        retry_after=retry_after,
    )


def shows_secret(text: str, secrets: Iterable[str]) -> bool:
    """Return whether a text contains a secret, or a piece of one; case makes no difference."""
    text = text.casefold()
    pieces = {text[start : start + PIECE] for start in range(max(len(text) - PIECE, 0) + 1)}
    return any(
        secret in text or any(piece in secret for piece in pieces)
        for secret in map(str.casefold, secrets)
        if secret
    )


def _kind(status: int, code: str) -> type[PaletteError]:
    by_status = ERROR_BY_STATUS.get(status, ServerError if status >= 500 else InvalidResponse)
    return by_status if status == 401 or status >= 500 else ERROR_BY_CODE.get(code, by_status)


def _complaint(body: bytes) -> _Complaint:
    try:
        return msgspec.json.decode(body, type=_Complaint)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Complaint()


def _harmless(value: object, pattern: re.Pattern[str], secrets: Iterable[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value) or shows_secret(value, secrets):
        return ""
    return value
