"""One call to Palette: who asks, for how long, how often, and what the answer means."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from ssl import SSLContext
from types import MappingProxyType
from typing import Protocol

import aiohttp
import stamina
from yarl import URL

from exporter.palette.access import Access, Way
from exporter.palette.auth import Credential, Headers
from exporter.palette.bodies import body_of
from exporter.palette.budget import MAIN_QUEUE, Budget, Patience, retry_after
from exporter.palette.call import Answer, Call, scope_of, tail_of, url_of
from exporter.palette.errors import (
    InvalidResponse,
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

REDIRECTS = 3
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,253}")


class Observer(Protocol):
    """Who counts what is sent."""

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        """Note one HTTP request: the status it got, or ``error``, and after how long."""

    def throttled(self, seconds: float) -> None:
        """Note a wait for the budget."""


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
        tail, scope = tail_of(endpoint, path, query), scope_of(project_uid)
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
            call = Call(
                method="GET",
                endpoint=endpoint,
                url=url_of(access, tail),
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
        call = Call(
            method="POST",
            endpoint=endpoint,
            url=url_of(access, tail_of(endpoint, {}, query)),
            access=access,
            headers=Headers(scope_of(None) | {"Content-Type": "application/json"}),
            body=body,
        )
        return self._good(call, await self._exchange(call, patience))

    async def _follow(self, call: Call, patience: Patience) -> bytes:
        for _ in range(REDIRECTS + 1):
            answer = await self._exchange(call, patience)
            if answer.status not in REDIRECT_STATUSES:
                return self._good(call, answer)
            call = replace(call, url=self._redirected(call, answer))
        raise InvalidResponse(f"{call} was redirected more than {REDIRECTS} times")

    def _redirected(self, call: Call, answer: Answer) -> URL:
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

    def _good(self, call: Call, answer: Answer) -> bytes:
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

    async def _exchange(self, call: Call, patience: Patience) -> Answer:
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

    async def _send(self, call: Call) -> Answer:
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
                body = await body_of(response, call)
                return Answer(response.status, response.headers, body)
        except TimeoutError:
            waited = f"{call.access.timeout:g} s"
            failure = Timeout(f"{call} had no whole answer in {waited}", retryable=True)
        except (aiohttp.ClientError, OSError) as error:
            failure = connection_error(error, call.host)
        # Out here, so that it does not carry aiohttp's exception as its context.
        raise failure
