"""How many scrapes are answered at the same time, and for how long."""

import asyncio
from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

SLOW_AFTER = 1.0
"""Seconds of sending after which a reader is slow, and no longer takes the place of others."""

SLOW_READERS = 3
"""How many readers may be slow at the same time, in multiples of the answers at a time."""

GIVEN_UP_AFTER = 60.0
"""Seconds of sending after which an answer is given up; Prometheus does so long before."""


class Gate:
    """Lets so many requests be answered at the same time; those past it are 503 at once.

    most: may be changed at any time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.answering = 0
        self.slow = 0

    def counted(self, handler: Handler, *, part: float = 1.0) -> Handler:
        """Return a handler whose answers are counted, and take that part of the places at most."""
        lane = _Lane(self, part)

        async def count(request: web.Request) -> web.StreamResponse:
            if lane.full:
                raise web.HTTPServiceUnavailable(
                    text=f"Limit of {self.most} requests at a time reached (web.max_requests); "
                    "try again.\n",
                    headers={hdrs.RETRY_AFTER: "1"},
                )
            place = request[_PLACE] = _Place(lane, request)
            try:
                return await handler(request)
            finally:
                place.leave()
                # What is small is sent only now, and is nobody's place any more.
                del request[_PLACE]

        return count

    async def sending(self, request: web.Request, response: web.StreamResponse) -> None:
        """Note that an answer begins to be sent: from here on, its reader sets the pace."""
        del response
        if place := request.get(_PLACE):
            place.sending()


@dataclass(slots=True, eq=False)
class _Lane:
    """The answers of one handler; part: of all places, how many it may take."""

    gate: Gate
    part: float
    answering: int = 0

    @property
    def full(self) -> bool:
        most = self.gate.most
        return self.gate.answering >= most or self.answering >= max(most * self.part, 1)

    def take(self, places: int) -> None:
        """Take so many places, or give them back."""
        self.answering += places
        self.gate.answering += places


class _Place:
    """The place of one answer among those that are given at the same time."""

    def __init__(self, lane: _Lane, request: web.Request) -> None:
        self._lane = lane
        self._request = request
        self._aside = False
        self._timers: list[asyncio.TimerHandle] = []
        lane.take(1)

    def sending(self) -> None:
        loop = asyncio.get_running_loop()
        self._timers = [
            loop.call_later(SLOW_AFTER, self._step_aside),
            loop.call_later(GIVEN_UP_AFTER, self._give_up),
        ]

    def leave(self) -> None:
        for timer in self._timers:
            timer.cancel()
        if self._aside:
            self._lane.gate.slow -= 1
        else:
            self._lane.take(-1)

    def _step_aside(self) -> None:
        gate = self._lane.gate
        if gate.slow >= SLOW_READERS * gate.most:
            self._timers.append(asyncio.get_running_loop().call_later(SLOW_AFTER, self._step_aside))
            return
        self._aside = True
        gate.slow += 1
        self._lane.take(-1)

    def _give_up(self) -> None:
        # Told the length, the reader cannot take what it has for the whole.
        if self._request.transport is not None:
            self._request.transport.abort()


_PLACE = web.RequestKey("place", _Place)
