"""When requests are sent: the budget that the whole process shares, and the retries of a call."""

import asyncio
import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime

from exporter.palette.errors import PaletteError, RateLimited

CLUSTERS = "/v1/spectroclusters"

OTHER_PARENT = 0.2
"""The part of the configured rate and burst that each other parent resource gets. Palette permits
50 requests a second (250 at once) for clusters, and 10 (50) for the others."""

LONGEST_PAUSE = 300.0  # seconds; a longer Retry-After is cut to this
CUT = 0.75  # the factor by which a 429 reduces the current rate
CUT_EVERY = 1.0  # seconds in which several 429s reduce the rate only once
FLOOR = 0.05  # the least part of the configured rate that remains after many 429s
RECOVERY = 0.0075  # the part of the configured rate that is restored per second
NOTICEABLE = 0.001  # seconds; a shorter wait is not reported
MAIN_QUEUE = "main"  # the queue of requests that name no other one

_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)


class Budget:
    """The buckets of all parent resources.

    requests_per_second, burst: of ``/v1/spectroclusters``; each of the others gets a fifth of
    both, and a burst of at least 1. In any t seconds at most
    ``burst + requests_per_second * t`` requests are permitted. A queue is first come, first
    served; several queues alternate, so that none starves another.
    The time is the running loop's.
    """

    def __init__(self, requests_per_second: float, burst: float) -> None:
        self._limits = requests_per_second, burst
        self._buckets: dict[str, _Bucket] = {}

    def adopt(self, requests_per_second: float, burst: float) -> None:
        """Apply other limits; spent requests and refusals still count."""
        self._limits = requests_per_second, burst
        for parent, bucket in self._buckets.items():
            bucket.adopt(*self._limits_of(parent))

    async def acquire(
        self,
        endpoint: str,
        *,
        throttled: Callable[[float], None],
        within: float = math.inf,
        queue: str = MAIN_QUEUE,
    ) -> float:
        """Wait for permission to send one request; return its time by the loop's clock.

        throttled: called with the seconds of a wait, also when the wait was cancelled.
        within: seconds that the caller accepts of a pause that Palette requested; a longer pause
            raises RateLimited at once. The wait for the caller's turn is not limited.
        """
        started = _now()
        try:
            await self._bucket(endpoint).acquire(within, queue)
        finally:
            permitted = _now()
            if permitted - started > NOTICEABLE:
                throttled(permitted - started)
        return permitted

    def refused(self, endpoint: str, permitted: float, retry_after: float | None) -> None:
        """Reduce the rate after a 429.

        permitted: what ``acquire`` returned for the request. A request that was sent before the
            last reduction says nothing about the reduced rate.
        retry_after: seconds during which no request is sent, if Palette named them.
        """
        self._bucket(endpoint).refused(permitted, min(retry_after or 0.0, LONGEST_PAUSE))

    def rate_in_use(self) -> float:
        """Return the least part of the configured rate that applies: below 1 after a 429."""
        return min((each.share_at(_now()) for each in self._buckets.values()), default=1.0)

    def _bucket(self, endpoint: str) -> "_Bucket":
        parent = "/".join(endpoint.split("/", 3)[:3])
        if parent not in self._buckets:
            self._buckets[parent] = _Bucket(*self._limits_of(parent))
        return self._buckets[parent]

    def _limits_of(self, parent: str) -> tuple[float, float]:
        rate, burst = self._limits
        part = 1.0 if parent == CLUSTERS else OTHER_PARENT
        return rate * part, max(burst * part, 1.0)


class _Bucket:
    """A token bucket that fills more slowly for a while after a 429."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._filled_at = burst, _now()
        self._share, self._cut_at = 1.0, -math.inf
        self._resume_at, self._refused = -math.inf, False
        # One waiter of each queue waits for the turn, so that the queues alternate.
        self._turn = asyncio.Lock()
        self._queues: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._changed = asyncio.Event()

    def adopt(self, rate: float, burst: float) -> None:
        self._fill(_now())
        self._rate, self._burst = rate, burst
        self._tokens = min(self._tokens, burst)
        self._changed.set()

    async def acquire(self, within: float, queue: str) -> None:
        async with self._queues[queue], self._turn:
            while (wait := self._wait(within)) > 0:
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
            self._tokens -= 1

    def refused(self, permitted: float, pause: float) -> None:
        now = _now()
        self._resume_at = max(self._resume_at, now + pause)
        self._refused = True
        if permitted > self._cut_at and now >= self._cut_at + CUT_EVERY:
            self._share, self._cut_at = max(self.share_at(now) * CUT, FLOOR), now

    def _wait(self, within: float) -> float:
        """Return the seconds until a token is available; raise RateLimited for a long pause."""
        now = _now()
        pause = self._resume_at - now
        if pause > max(within, 0.0):
            raise RateLimited(f"Palette requested a pause of another {pause:.0f} s")
        self._fill(now)
        if self._refused and pause <= 0:
            # What was saved for a burst until now, also during the pause, is not available.
            self._tokens, self._refused = min(self._tokens, 1.0), False
        missing = 1.0 - 1e-9 - self._tokens
        return max(pause, missing / (self._rate * self.share_at(now)))

    def _fill(self, now: float) -> None:
        elapsed = now - self._filled_at
        filled = self._tokens + elapsed * self._rate * self.share_at(now)
        self._tokens, self._filled_at = min(filled, self._burst), now

    def share_at(self, now: float) -> float:
        """Return the part of the configured rate that applies."""
        return min(self._share + RECOVERY * (now - self._cut_at), 1.0)


def _now() -> float:
    return asyncio.get_running_loop().time()


class Patience:
    """The time in which a call can be sent again: ``seconds``, without waits for the budget."""

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
        """Record a wait for the budget, which does not count."""
        self._deadline += seconds
        self._throttled(seconds)

    def retry(self, error: Exception) -> bool | float:
        """Return whether to send the call again, or the seconds to wait before that."""
        if not isinstance(error, PaletteError) or not error.retryable or self.left <= 0:
            return False
        if not error.retry_after:
            return True
        return error.retry_after if error.retry_after <= self.left else False


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Palette asks to wait; None if it names none."""
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_PAUSE)
    try:
        due = _epoch(value)
        # By the server's clock if it sends one: the local clock might be wrong.
        now = _epoch(headers["Date"]) if "Date" in headers else time.time()
    except (ValueError, OverflowError):  # OverflowError: a year that no clock has
        return None
    return min(max(due - now, 0.0), LONGEST_PAUSE)


def _epoch(http_date: str) -> float:
    """Return seconds since the epoch. Raises ValueError or OverflowError."""
    return parsedate_to_datetime(http_date).replace(tzinfo=UTC).timestamp()
