"""What aiohttp's exceptions mean, in plain words and without anything that they hold.

They carry URLs and headers, so that none is chained on or quoted.
"""

import os
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from exporter.palette.errors import (
    RETRYABLE_STATUSES,
    ConnectionFailed,
    InvalidResponse,
    PaletteError,
    ProxyFailed,
    Refused,
    TlsFailed,
    Unresolved,
    Untrusted,
    address,
)


def connection_error(error: Exception, host: str) -> PaletteError:
    """Return what an exception of aiohttp means, in plain words.

    host: the host and port the request was for.
    """
    return next(words(error, host) for kind, words in _TRANSLATIONS if isinstance(error, kind))


def _address(error: Any) -> str:
    return address(error.host, error.port)


def _why(error: BaseException | None) -> str:
    """Return the system's words; an exception's own text may hold anything."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    number = getattr(error, "errno", None) or 0
    if number > 0:
        return os.strerror(number).lower()
    hung_up = isinstance(error, ConnectionError | aiohttp.ServerDisconnectedError)
    return "closed by the other side" if hung_up else "no reason given"


def _untrusted(error: Any, _host: str) -> PaletteError:
    why = getattr(error.certificate_error, "verify_message", "") or "no reason given"
    return Untrusted(f"the certificate of {_address(error)} is not accepted: {why}")


def _unresolved(error: Any, _host: str) -> PaletteError:
    return Unresolved(f"the host name {error.host} cannot be resolved", retryable=True)


def _proxy_refused(error: Any, host: str) -> PaletteError:
    return ProxyFailed(
        f"the proxy refused to connect to {host}: it answered {error.status}",
        retryable=error.status in RETRYABLE_STATUSES,
    )


def _unreachable(error: Any, _host: str) -> PaletteError:
    is_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
    kind = ProxyFailed if is_proxy else _kind_of_failure(error.os_error)
    proxy = "the proxy " if is_proxy else ""
    return kind(
        f"no connection to {proxy}{_address(error)}: {_why(error.os_error)}",
        retryable=not isinstance(error.os_error, ssl.SSLError),
    )


def _kind_of_failure(error: BaseException) -> type[ConnectionFailed]:
    kinds = ((ssl.SSLError, TlsFailed), (ConnectionRefusedError, Refused))
    return next((kind for cause, kind in kinds if isinstance(error, cause)), ConnectionFailed)


def _broken_off(error: BaseException, host: str) -> PaletteError:
    if isinstance(error.__cause__, ContentEncodingError):
        return InvalidResponse(f"an answer of {host} cannot be decompressed")
    return ConnectionFailed(f"{host} broke off in the middle of an answer", retryable=True)


def _not_http(_error: Any, host: str) -> PaletteError:
    return InvalidResponse(f"an answer of {host} is not HTTP")


def _lost(error: BaseException, host: str) -> PaletteError:
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    return ConnectionFailed(
        f"the connection to {host} was lost: {_why(root)}",
        retryable=not isinstance(root, ssl.SSLError),
    )


_TRANSLATIONS: tuple[tuple[type[BaseException], Callable[[Any, str], PaletteError]], ...] = (
    (aiohttp.ClientConnectorCertificateError, _untrusted),
    (aiohttp.ClientConnectorDNSError, _unresolved),
    (aiohttp.ClientHttpProxyError, _proxy_refused),
    (aiohttp.ClientConnectorError, _unreachable),
    (aiohttp.ClientPayloadError, _broken_off),
    (aiohttp.ClientResponseError, _not_http),
    (Exception, _lost),
)
"""The first that fits counts."""
