"""The answer to a request: its body, or the error that an exception of aiohttp stands for.

aiohttp's exceptions carry URLs and headers, so none of them is chained or quoted.
"""

import asyncio
import codecs
import os
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO

import aiohttp
from aiohttp import http_exceptions

from exporter.palette.errors import (
    RETRYABLE_STATUSES,
    ConnectionFailed,
    InvalidResponse,
    PaletteError,
    ProxyFailed,
    Refused,
    Timeout,
    TlsFailed,
    Unresolved,
    Untrusted,
)
from exporter.palette.request import Request
from exporter.wording import host_port

BODY_LIMIT = 32 * 1024 * 1024  # bytes, after decompression
LARGE = 1024 * 1024  # bytes; a larger body waits until few are in memory; 50 snapshots have 64 KiB
STEP = 256 * 1024  # bytes that are decompressed before other tasks run
ERROR_BODY_LIMIT = 64 * 1024  # bytes; a longer body of an error is not read

HEADER_LIMIT = 64 * 1024
"""Bytes of one header; security proxies in front of Palette send policies of many kilobytes."""

MOST_HEADERS = 1024

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # zlib recognizes the header of either

_ENCODING = re.compile(r"[a-z0-9-]{1,16}")


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; body: decompressed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


async def body_of(
    response: aiohttp.ClientResponse, request: Request, reserve: Callable[[], Awaitable[object]]
) -> bytes:
    """Return the body, decompressed; of an error only what arrives promptly.

    reserve: waits, once, until memory for a large body is available.
    Raises InvalidResponse if a good answer is larger than any page, or is encoded in a way that
    was not requested.
    """
    if response.status != 200:
        return await _error_body(response)
    if (response.content_length or 0) > BODY_LIMIT:
        raise _too_large(request)
    # Closed at the end, because a traceback can keep this frame until a pass of the collector.
    with BytesIO() as received:
        size = 0
        async for chunk in response.content.iter_any():
            if size <= LARGE < size + len(chunk):
                await reserve()
            size += received.write(chunk)
            if size > BODY_LIMIT:
                raise _too_large(request)
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        body = await _decoded(received.getvalue(), encoding, request, reserve)
        return body.removeprefix(codecs.BOM_UTF8)


def _too_large(request: Request) -> InvalidResponse:
    return InvalidResponse(f"{request} was answered with more than {BODY_LIMIT >> 20} MiB")


async def _error_body(response: aiohttp.ClientResponse) -> bytes:
    """Return an error's body if it arrives promptly; only its status is essential."""
    try:
        async with asyncio.timeout(1.0):
            body = await response.content.readexactly(ERROR_BODY_LIMIT)
    except asyncio.IncompleteReadError as end:
        body = end.partial
    except (TimeoutError, aiohttp.ClientError, OSError):
        return b""
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, ERROR_BODY_LIMIT)
    except zlib.error:
        return body


async def _decoded(
    body: bytes, encoding: str, request: Request, reserve: Callable[[], Awaitable[object]]
) -> bytes:
    """Return the body without its content encoding."""
    # aiohttp's own decoder knows no x-gzip, and its errors do not name the encoding.
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        named = encoding if _ENCODING.fullmatch(encoding) else "something unknown"
        raise InvalidResponse(f"{request} was answered encoded as {named}, which was not requested")
    try:
        # The size is counted first: what is refused for it takes no memory.
        size = 0
        async for part in _inflated(body):
            size += len(part)
            if size > BODY_LIMIT:
                raise _too_large(request)
        if len(body) <= LARGE < size:  # a larger body is reserved already
            await reserve()
        return b"".join([part async for part in _inflated(body)])
    except (zlib.error, EOFError):
        raise InvalidResponse(f"{request}: the answer cannot be decompressed") from None


async def _inflated(body: bytes) -> AsyncIterator[bytes]:
    # Some servers send deflate without the header that RFC 9110 demands.
    has_header = body[:2] == _GZIP_MAGIC or (body[:1] and body[0] & 0x0F == zlib.DEFLATED)
    inflate = zlib.decompressobj(_GZIP_OR_ZLIB if has_header else -zlib.MAX_WBITS)
    for start in range(0, len(body), STEP):
        chunk = body[start : start + STEP]
        while chunk and not inflate.eof:
            yield inflate.decompress(chunk, STEP)
            chunk = inflate.unconsumed_tail
            await asyncio.sleep(0)
    if not inflate.eof:
        raise EOFError


def error_of(error: Exception, request: Request) -> PaletteError:
    """Return what an exception that a request raised means, in plain words."""
    host = request.host
    match error:
        case PaletteError():
            return error
        case TimeoutError():
            waited = f"{request.access.timeout:g} s"
            return Timeout(f"{request} had no complete answer in {waited}", retryable=True)
        case aiohttp.ClientConnectorError():
            return _unreachable(error)
        case aiohttp.ClientHttpProxyError():
            return ProxyFailed(
                f"the proxy refused to connect to {host}: it answered {error.status}",
                retryable=error.status in RETRYABLE_STATUSES,
            )
        case aiohttp.ClientPayloadError():
            return ConnectionFailed(f"{host} broke off in the middle of an answer", retryable=True)
        case aiohttp.ClientResponseError():
            return InvalidResponse(f"an answer of {host} {_flaw(_root(error))}")
        # RuntimeError: uvloop raises it for a connection that is closed already.
        case aiohttp.ClientConnectionError() | OSError() | RuntimeError():
            root = _root(error)
            return ConnectionFailed(
                f"the connection to {host} was lost: {_why(root)}",
                retryable=not isinstance(root, ssl.SSLError),
            )
    # Nothing that Palette sends can end the process.
    return InvalidResponse(f"an answer of {host} cannot be read ({type(error).__name__})")


def _unreachable(error: aiohttp.ClientConnectorError) -> PaletteError:
    where = host_port(error.host, error.port)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or "no reason given"
        return Untrusted(f"the certificate of {where} is not accepted: {why}")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unresolved(f"the host name {error.host} cannot be resolved", retryable=True)
    kind: type[PaletteError] = ConnectionFailed
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        kind, where = ProxyFailed, f"the proxy {where}"
    elif isinstance(error.os_error, ssl.SSLError):
        kind = TlsFailed
    elif isinstance(error.os_error, ConnectionRefusedError):
        kind = Refused
    return kind(
        f"no connection to {where}: {_why(error.os_error)}",
        retryable=not isinstance(error.os_error, ssl.SSLError),
    )


def _flaw(root: BaseException) -> str:
    """Return why aiohttp cannot read an answer."""
    if isinstance(root, http_exceptions.LineTooLong):
        return f"has a header longer than {HEADER_LIMIT} bytes"
    if "Too many headers" in str(root):
        return f"has more than {MOST_HEADERS} headers"
    return "is not HTTP"


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _why(error: BaseException) -> str:
    """Return the system's words; an exception's own text can contain anything."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    number = getattr(error, "errno", None) or 0
    if number > 0:
        return os.strerror(number).lower()
    closed = isinstance(error, ConnectionError | aiohttp.ServerDisconnectedError)
    return "closed by the other side" if closed else "no reason given"
