"""One call to Palette: who asks, for how long, how often, and what the answer means."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from mmap import mmap
from ssl import SSLContext
from types import MappingProxyType
from typing import Protocol
from urllib.parse import quote

import aiohttp
import stamina
from yarl import URL

from exporter.palette.access import Access, Way
from exporter.palette.auth import Credential, Headers
from exporter.palette.budget import MAIN_QUEUE, Budget, Patience, retry_after
from exporter.palette.errors import (
    InvalidResponse,
    NotFound,
    PaletteError,
    Timeout,
    Unauthorized,
    address,
    status_error,
)
from exporter.palette.failures import connection_error
from exporter.palette.secrecy import withheld

ATTEMPTS = 4
RETRY_FOR = 30.0
"""Seconds from the first request in which another may begin, waits for the budget left out."""

BODY_LIMIT = 32 * 1024 * 1024
"""Bytes, after decompression."""

STRIDE = 1024 * 1024
"""Bytes of a body that are read at a stretch."""

PAUSE = 0.005
"""Seconds left to others after that; as long as it takes to inflate so much."""

COMPLAINT_LIMIT = 64 * 1024
"""Bytes; no error's body that is longer is looked at."""

REDIRECTS = 3
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})

KEEPALIVE = 30.0
"""Seconds; below what servers and balancers use, so that the exporter is the one to hang up."""

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,253}")
_UID = re.compile(r"[\x21-\x7e]+")


class Observer(Protocol):
    """Who counts what is sent."""

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        """Note one HTTP request: the status it got, or ``error``, and after how long."""

    def throttled(self, seconds: float) -> None:
        """Note a wait for the budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    method: str
    endpoint: str
    # Redirected, it is what the other side says, which may repeat the credential.
    url: URL = field(repr=False)
    access: Access
    headers: Headers
    body: bytes | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        return address(self.url.host, self.url.port)

    def __str__(self) -> str:
        return f"{self.method} {self.endpoint} at {self.host}"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport:
    """Sends calls and returns the bodies of good answers; PaletteError stands for the others.

    base_url, credential, timeout, ssl, proxy: as in Access, which may be replaced at any time;
        a request under way keeps what it began with, and the next one takes the new.
    clock: seconds.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        credential: Credential,
        budget: Budget,
        observer: Observer,
        *,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        ssl: SSLContext | bool = True,
        proxy: str | None = None,
    ) -> None:
        self._way = Way(
            Access(base_url=base_url, credential=credential, timeout=timeout, ssl=ssl, proxy=proxy)
        )
        self._session = session
        self._budget = budget
        self._observer = observer
        self._clock = clock
        self._queue = MAIN_QUEUE
        # By default every retry is logged, with the exception's text, and counted a second time.
        stamina.instrumentation.set_on_retry_hooks(())

    @property
    def access(self) -> Access:
        """What the next request goes by."""
        return self._way.access

    @access.setter
    def access(self, access: Access) -> None:
        # All that wait in other queues share the way.
        self._way.access = access

    def in_queue(self, name: str) -> "Transport":
        """Return the same, whose requests wait for the same budget in another queue."""
        other = copy(self)
        other._queue = name  # noqa: SLF001 - it is one of us
        return other

    async def get(
        self,
        endpoint: str,
        *,
        path: Mapping[str, str] = MappingProxyType({}),
        query: Sequence[tuple[str, str]] = (),
        project_uid: str | None = None,
        retry_for: float = RETRY_FOR,
    ) -> bytes:
        """Return the body of the answer, decompressed and never empty.

        endpoint: the path's template, whose names ``path`` fills in, unencoded.
        retry_for: seconds in which a request that failed may be sent again; 30 at most.
        """
        tail, scope = _tail(endpoint, path, query), _scope(project_uid)
        patience = Patience(min(retry_for, RETRY_FOR), self._clock, self._observer.throttled)
        async for attempt in stamina.retry_context(
            on=patience.retry,
            attempts=ATTEMPTS,
            timeout=None,
            wait_initial=0.25,
            wait_jitter=0.75,
            wait_max=max(min(2.0, retry_for / ATTEMPTS), 0.0),
        ):
            with attempt:
                return await self._signed(endpoint, tail, scope, patience)
        raise AssertionError("the last attempt returns or raises")

    async def _signed(self, endpoint: str, tail: str, scope: Headers, patience: Patience) -> bytes:
        for last in (False, True):
            access = self.access
            credential = access.credential
            signature = await credential.headers(partial(self._post, access, patience))
            call = _Call(
                method="GET",
                endpoint=endpoint,
                url=_url(access, tail),
                access=access,
                headers=Headers(scope | signature),
            )
            try:
                body = await self._follow(call, patience)
            except Unauthorized:
                # One that was replaced meanwhile may well have been revoked.
                if last or not (credential.refused(signature) or access is not self.access):
                    raise
            else:
                credential.accepted(signature)
                return body
        raise AssertionError("the second try returns or raises")

    async def _post(
        self,
        access: Access,
        patience: Patience,
        endpoint: str,
        query: Sequence[tuple[str, str]],
        body: bytes,
    ) -> bytes:
        call = _Call(
            method="POST",
            endpoint=endpoint,
            url=_url(access, _tail(endpoint, {}, query)),
            access=access,
            headers=Headers(_scope(None) | {"Content-Type": "application/json"}),
            body=body,
        )
        return self._good(call, await self._exchange(call, patience))

    async def _follow(self, call: _Call, patience: Patience) -> bytes:
        for _ in range(REDIRECTS + 1):
            answer = await self._exchange(call, patience)
            if answer.status not in REDIRECT_STATUSES:
                return self._good(call, answer)
            call = replace(call, url=self._redirected(call, answer))
        raise InvalidResponse(f"{call} was redirected more than {REDIRECTS} times")

    def _redirected(self, call: _Call, answer: _Answer) -> URL:
        try:
            target = call.url.join(URL(answer.headers.get("Location", "")))
            same_origin = target.origin() == call.url.origin() and target.user is None
        except ValueError:
            target, same_origin = URL(), False
        if same_origin:
            return target
        host = target.host or ""
        named = _HOST.fullmatch(host) and not withheld(host, call.access.secrets())
        where = f"another host, {address(host, target.port)}" if named else "another host"
        raise InvalidResponse(f"{call} was redirected to {where}; check palette.url") from None

    def _good(self, call: _Call, answer: _Answer) -> bytes:
        if answer.status != 200:
            raise status_error(
                answer.status,
                str(call),
                body=answer.body,
                secrets=call.access.secrets(),
                retry_after=retry_after(answer.headers),
            )
        if not answer.body:
            raise InvalidResponse(f"{call} was answered with an empty body")
        return answer.body

    async def _exchange(self, call: _Call, patience: Patience) -> _Answer:
        given = await self._budget.acquire(
            call.endpoint, throttled=patience.waited, within=patience.left, queue=self._queue
        )
        started, code = self._clock(), "error"
        try:
            answer = await self._send(call)
            code = str(answer.status)
        finally:
            self._observer.request(call.endpoint, code, self._clock() - started)
        if answer.status == 429:
            self._budget.refused(call.endpoint, given, retry_after(answer.headers))
        return answer

    async def _send(self, call: _Call) -> _Answer:
        failure: PaletteError
        try:
            # Not aiohttp's own timeout, which rounds longer ones up to whole seconds.
            async with (
                asyncio.timeout(call.access.timeout),
                self._session.request(
                    call.method,
                    call.url,
                    headers=call.headers,
                    data=call.body,
                    allow_redirects=False,
                    ssl=call.access.ssl,
                    proxy=call.access.proxy,
                    timeout=aiohttp.ClientTimeout(),
                ) as response,
            ):
                body = await _body(response, call)
                return _Answer(response.status, response.headers, body)
        except TimeoutError:
            waited = f"{call.access.timeout:g} s"
            failure = Timeout(f"{call} had no whole answer in {waited}", retryable=True)
        except (aiohttp.ClientError, OSError) as error:
            failure = connection_error(error, call.host)
        # Out here, so that it does not carry aiohttp's exception as its context.
        raise failure


def _tail(endpoint: str, path: Mapping[str, str], query: Sequence[tuple[str, str]]) -> str:
    """Return path and query, encoded."""
    if {"", ".", ".."} & set(path.values()):
        raise NotFound(f"{endpoint} holds nothing by an empty name, '.' or '..'")
    names = {name: quote(value, safe="") for name, value in path.items()}
    pairs = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query)
    return endpoint.format_map(names) + (f"?{pairs}" if pairs else "")


def _url(access: Access, tail: str) -> URL:
    return URL(access.root + tail, encoded=True)


async def _body(response: aiohttp.ClientResponse, call: _Call) -> bytes:
    if response.status != 200:
        return await _complaint(response)
    fits = (response.content_length or 0) <= BODY_LIMIT
    body = await _read(response, BODY_LIMIT) if fits else None
    if body is None:
        raise InvalidResponse(f"{call} was answered with more than {BODY_LIMIT // 2**20} MiB")
    return body


async def _complaint(response: aiohttp.ClientResponse) -> bytes:
    """Return an error's body if it comes promptly; the status is what counts."""
    try:
        async with asyncio.timeout(1.0):
            return await _read(response, COMPLAINT_LIMIT) or b""
    except (TimeoutError, aiohttp.ClientError, OSError):
        return b""


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Return the body, or None past the limit; aiohttp inflates it bit by bit as it is read."""
    # Not on the heap, which keeps for itself what it once had: a bomb must leave nothing behind.
    with mmap(-1, limit) as body:
        pause_at = STRIDE
        async for chunk in response.content.iter_any():
            if body.tell() + len(chunk) > limit:
                return None
            body.write(chunk)
            # What is inflated out of a few bytes comes without ever waiting for the network.
            if body.tell() >= pause_at:
                pause_at = body.tell() + STRIDE
                await asyncio.sleep(PAUSE)
        return body[: body.tell()]


def _scope(project_uid: str | None) -> Headers:
    headers = Headers({"Accept": "application/json", "Accept-Encoding": "gzip"})
    if project_uid:
        if not _UID.fullmatch(project_uid):
            raise NotFound("no project has such a uid")
        headers["ProjectUid"] = project_uid
    return headers


def open_session(user_agent: str) -> aiohttp.ClientSession:
    """Return the session for a Transport, to be closed by the caller; needs a running loop."""
    return aiohttp.ClientSession(
        # No limit: a cluster that hangs must not hold the connections that others need.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": user_agent},
        trust_env=False,
        middlewares=(_send_once,),
    )


class _Lost(aiohttp.ClientConnectionError):
    """A connection that broke before the answer began."""


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request again by itself, past the budget and uncounted."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost from error
