"""How many requests may be sent: one budget per parent resource, shared by the whole process."""

import asyncio
import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from aiolimiter import AsyncLimiter

from exporter.palette.errors import PaletteError, RateLimited

PARENTS = {"/v1/spectroclusters": 1.0, "/v1/dashboard": 0.2, "/v1/projects": 0.2, "/v1/auth": 0.2}
"""Parent resource -> its part of the configured rate and burst, in the proportion of Palette's
own limits: 50 requests a second (250 at once) for clusters, 10 (50) for the others."""

LONGEST_PAUSE = 300.0
"""Seconds; more than that is not believed of a Retry-After."""

CUT = 0.75
"""What a 429 leaves of the rate in use."""

CUT_EVERY = 1.0
"""Seconds in which the 429s of one volley count as one."""

FLOOR = 0.05
"""The least part of the configured rate that cuts leave."""

RECOVERY = 0.0075
"""The part of the configured rate that comes back per second."""

NOTICEABLE = 0.001
"""Seconds; less is the loop's own business and no wait."""

MAIN_QUEUE = "main"
"""Where requests wait unless they are told another queue."""

_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)


class Budget:
    """The budgets of all parent resources.

    requests_per_second, burst: of ``/v1/spectroclusters``; each of the others gets a fifth of
    both, and a burst of at least 1. In any t seconds at most
    ``burst + requests_per_second * t`` requests are let through: of each queue first come, first
    served, and of several queues in turns, so that none keeps another waiting.
    Time is the running loop's.
    """

    def __init__(self, requests_per_second: float, burst: float) -> None:
        self._lanes = {
            parent: _Lane(requests_per_second * part, max(burst * part, 1.0))
            for parent, part in PARENTS.items()
        }

    def adopt(self, requests_per_second: float, burst: float) -> None:
        """Go by other limits from now on; what was spent and refused so far still counts."""
        for parent, part in PARENTS.items():
            self._lanes[parent].adopt(requests_per_second * part, max(burst * part, 1.0))

    async def acquire(
        self,
        endpoint: str,
        *,
        throttled: Callable[[float], None],
        within: float = math.inf,
        queue: str = MAIN_QUEUE,
    ) -> float:
        """Wait for leave to send one request; return when it was given, by the loop's clock.

        throttled: told the seconds waited, if any, also when the wait was cancelled.
        within: seconds to put up with a pause that Palette asked for; RateLimited at once where
            it lasts longer. The wait for one's turn is not limited.
        """
        now = asyncio.get_running_loop().time
        asked = now()
        try:
            await self._lane(endpoint).acquire(within, queue)
        finally:
            given = now()
            if given - asked > NOTICEABLE:
                throttled(given - asked)
        return given

    def refused(self, endpoint: str, given: float, retry_after: float | None) -> None:
        """Slow down after a 429.

        given: what ``acquire`` returned for the request; one that was under way when the rate
            was last cut says nothing about the rate since.
        retry_after: seconds during which nobody shall send, where Palette said so.
        """
        self._lane(endpoint).refused(given, min(retry_after or 0.0, LONGEST_PAUSE))

    def _lane(self, endpoint: str) -> "_Lane":
        return self._lanes["/".join(endpoint.split("/", 3)[:3])]


class _Bucket(AsyncLimiter):
    """A leaky bucket whose size and leak may change while there is something in it."""

    def adopt(self, rate: float, burst: float) -> None:
        self._leak()
        self.max_rate, self.time_period, self._rate_per_sec = burst, burst / rate, rate
        # Who waits has worked out when to go on by the old rate.
        self._wake_next()


class _Lane:
    """A leaky bucket whose requests cost more for a while after a 429."""

    def __init__(self, rate: float, burst: float) -> None:
        self._bucket = _Bucket(burst, burst / rate)
        # The bucket serves whoever comes when there is room, and the cheapest first: with one
        # in front of it at a time, the lock's order is the order.
        self._turn = asyncio.Lock()
        # Of each queue one waits at the lock, behind the one of the other queue.
        self._queues: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._share = 1.0
        self._cut_at = -math.inf
        self._resume_at = -math.inf
        self._forfeit = False

    def adopt(self, rate: float, burst: float) -> None:
        self._bucket.adopt(rate, burst)
        # A larger bucket is not to make up for what a 429 took.
        refused_of_late = self._share_at(asyncio.get_running_loop().time()) < 1.0
        self._forfeit = self._forfeit or refused_of_late

    async def acquire(self, within: float, queue: str) -> None:
        async with self._queues[queue], self._turn:
            await self._pause(within)
            await self._pay()
            # A 429 may have come in the meantime.
            await self._pause(within)

    def refused(self, given: float, pause: float) -> None:
        now = asyncio.get_running_loop().time()
        self._resume_at = max(self._resume_at, now + pause)
        # What is saved up for a burst, now or during the pause, is not there to be had.
        self._forfeit = True
        if given <= self._cut_at or now < self._cut_at + CUT_EVERY:
            return
        self._share = max(self._share_at(now) * CUT, FLOOR)
        self._cut_at = now

    def _share_at(self, now: float) -> float:
        """Return the part of the configured rate that is in use."""
        recovered = RECOVERY * (now - self._cut_at) if self._share < 1.0 else 0.0
        return min(self._share + recovered, 1.0)

    async def _pause(self, within: float) -> None:
        now = asyncio.get_running_loop().time
        while (left := self._resume_at - now()) > 0:
            if left > within:
                raise RateLimited(f"Palette asked to send nothing for another {left:.0f} s")
            await asyncio.sleep(left)

    async def _pay(self) -> None:
        if self._forfeit:
            self._forfeit = False
            while self._bucket.has_capacity():
                await self._bucket.acquire()
        cost = 1.0 / self._share_at(asyncio.get_running_loop().time())
        while cost > 0:
            # The bucket takes no more than it holds at a time, which may shrink to 1.
            part = min(cost, 1.0)
            await self._bucket.acquire(part)
            cost -= part


class Patience:
    """How long a call may still be tried: ``seconds``, and what it waits for the budget."""

    def __init__(
        self, seconds: float, clock: Callable[[], float], throttled: Callable[[float], None]
    ) -> None:
        self._clock = clock
        self._deadline = clock() + seconds
        self._throttled = throttled

    @property
    def left(self) -> float:
        """Seconds."""
        return self._deadline - self._clock()

    def waited(self, seconds: float) -> None:
        """Note a wait for the budget, which does not count."""
        self._deadline += seconds
        self._throttled(seconds)

    def retry(self, error: Exception) -> bool | float:
        """Return whether to try again, or the seconds after which to."""
        if not isinstance(error, PaletteError) or not error.retryable or self.left <= 0:
            return False
        if not error.retry_after:
            return True
        return error.retry_after if error.retry_after <= self.left else False


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Palette asks to wait; None where it does not say."""
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_PAUSE)
    try:
        due = _epoch(value)
        # By the server's clock, if it tells: ours may be off.
        now = _epoch(headers["Date"]) if "Date" in headers else time.time()
    except (ValueError, OverflowError):  # the latter of a year that no clock has
        return None
    return min(max(due - now, 0.0), LONGEST_PAUSE)


def _epoch(http_date: str) -> float:
    """Return seconds since the epoch. Raises ValueError or OverflowError."""
    return parsedate_to_datetime(http_date).replace(tzinfo=UTC).timestamp()
