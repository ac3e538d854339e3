"""One call to Palette: signed, within the budget, retried, and its answer decoded."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import MappingProxyType
from typing import Protocol, TypeVar

import stamina

from exporter.palette.auth import LOG_IN, Headers
from exporter.palette.budget import MAIN_QUEUE, Budget, Patience, retry_after
from exporter.palette.decoding import Decoder
from exporter.palette.errors import InvalidResponse, Unauthorized, status_error
from exporter.palette.request import Access, Request, common_headers, redirected, tail_of
from exporter.palette.response import Response
from exporter.palette.session import Session

ATTEMPTS = 4
RETRY_FOR = 30.0
"""Seconds from the first request in which another one can begin, without waits for the budget."""

LARGE_ANSWERS = 2  # answers above 1 MiB that can be in memory and not decoded at the same time

REDIRECTS = 3
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})

T = TypeVar("T")

Exchange = Callable[[Request, AsyncExitStack], Awaitable[Response]]
"""Sends a request; the stack holds the memory that is reserved for a large answer."""


class Observer(Protocol):
    """Counts requests and waits."""

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        """Record one HTTP request: its status, or ``error``, and its duration."""

    def throttled(self, seconds: float) -> None:
        """Record a wait for the budget."""


class Transport:
    """Sends calls and returns decoded answers; raises PaletteError for all others.

    access: can be replaced at any time; a request in flight keeps its own. clock: seconds.
    """

    def __init__(
        self,
        session: Session,
        access: Access,
        budget: Budget,
        observer: Observer,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.access = access
        self._session = session
        self._budget = budget
        self._observer = observer
        self._clock = clock
        self._large_answers = asyncio.Semaphore(LARGE_ANSWERS)
        self._decoder = Decoder()
        # By default every retry is logged with the exception's text, and counted a second time.
        stamina.instrumentation.set_on_retry_hooks(())

    async def get(
        self,
        endpoint: str,
        decode: Callable[[bytes], T],
        *,
        path: Mapping[str, str] = MappingProxyType({}),
        query: Sequence[tuple[str, str]] = (),
        project_uid: str = "",
        retry_for: float = RETRY_FOR,
        queue: str = MAIN_QUEUE,
    ) -> T:
        """Return what ``decode`` makes of the answer's body, which is never empty.

        endpoint: the path's template, in which ``path`` replaces the names, unencoded.
        retry_for: seconds in which a failed request can be sent again; at most 30.
        queue: where the requests wait for the budget; queues alternate.
        """
        tail, headers = tail_of(endpoint, path, query), common_headers(project_uid)
        patience = Patience(min(retry_for, RETRY_FOR), self._clock, self._observer.throttled)
        exchange = partial(self._exchange, patience, queue)
        async for retry in stamina.retry_context(
            on=patience.retry,
            attempts=ATTEMPTS,
            timeout=None,
            wait_initial=0.25,
            wait_jitter=0.75,
            wait_max=min(2.0, retry_for / ATTEMPTS),
        ):
            with retry:
                async with AsyncExitStack() as memory:
                    # Without a name for the body, because a traceback can keep this frame.
                    return await self._decoder(
                        await self._signed(endpoint, tail, headers, exchange, memory), decode
                    )
        raise AssertionError("the last attempt returns or raises")

    async def _signed(
        self, endpoint: str, tail: str, headers: Headers, exchange: Exchange, memory: AsyncExitStack
    ) -> bytes:
        for last in (False, True):
            access = self.access
            credential = access.credential
            signature = await credential.headers(partial(_log_in, access, exchange))
            request = Request(
                method="GET",
                endpoint=endpoint,
                url=access.url(tail),
                access=access,
                headers=Headers(headers | signature),
            )
            try:
                body = await _follow(request, exchange, memory)
            except Unauthorized:
                # A credential that was replaced in the meantime might have been revoked.
                if last or not (credential.refused(signature) or access is not self.access):
                    raise
            else:
                credential.accepted(signature)
                return body
        raise AssertionError("the second try returns or raises")

    async def _exchange(
        self, patience: Patience, queue: str, request: Request, memory: AsyncExitStack
    ) -> Response:
        permitted = await self._budget.acquire(
            request.endpoint, throttled=patience.waited, within=patience.left, queue=queue
        )
        started, code = self._clock(), "error"
        try:
            reserve = partial(memory.enter_async_context, self._large_answers)
            response = await self._session.send(request, reserve)
            code = str(response.status)
        finally:
            self._observer.request(request.endpoint, code, self._clock() - started)
        if response.status == 429:
            self._budget.refused(request.endpoint, permitted, retry_after(response.headers))
        return response


async def _log_in(access: Access, exchange: Exchange, form: bytes) -> bytes:
    request = Request(
        method="POST",
        endpoint=LOG_IN,
        url=access.url(f"{LOG_IN}?setCookie=false"),
        access=access,
        headers=Headers(common_headers() | {"Content-Type": "application/json"}),
        body=form,
    )
    # A log-in is shared, and can take longer than the call that began it.
    async with AsyncExitStack() as memory:
        return _good(request, await exchange(request, memory))


async def _follow(request: Request, exchange: Exchange, memory: AsyncExitStack) -> bytes:
    for _ in range(REDIRECTS + 1):
        response = await exchange(request, memory)
        if response.status not in REDIRECT_STATUSES:
            return _good(request, response)
        request = redirected(request, response.headers.get("Location", ""))
    raise InvalidResponse(f"{request} was redirected more than {REDIRECTS} times")


def _good(request: Request, response: Response) -> bytes:
    if response.status != 200:
        raise status_error(
            response.status,
            str(request),
            body=response.body,
            secrets=request.access.secrets(),
            retry_after=retry_after(response.headers),
        )
    if not response.body:
        raise InvalidResponse(f"{request} was answered with an empty body")
    return response.body
