"""Palette's rate limits: one token bucket for each parent resource."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from exporter.demo.calls import Answer, RefusalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The limit of one parent resource: `rate` requests a second, `burst` at once."""

    prefix: str
    rate: float
    burst: int


PALETTE = (
    Limit(prefix="/v1/spectroclusters", rate=50, burst=250),
    Limit(prefix="/v1/dashboard", rate=10, burst=50),
    Limit(prefix="/v1/projects", rate=10, burst=50),
    Limit(prefix="/v1/auth", rate=10, burst=50),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The active limits; `retry_after` (seconds) is sent with a 429 unless None."""

    table: tuple[Limit, ...] = PALETTE
    retry_after: float | None = None


class _Bucket:
    def __init__(self, limit: Limit, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._tokens = float(limit.burst)
        self._filled_at = clock()

    def filled(self) -> float:
        now = self._clock()
        gained = max(0.0, now - self._filled_at) * self._limit.rate
        self._tokens = min(self._limit.burst, self._tokens + gained)
        self._filled_at = now
        return self._tokens

    def take(self, requests: int) -> int:
        taken = min(requests, int(self.filled()))
        self._tokens -= taken
        return taken


class Limiter:
    """Token buckets that refill by `clock` (seconds).

    Palette counts per source address. All clients of the simulation use loopback, so one set of
    buckets is enough.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._retry_after = limits.retry_after
        self._buckets = {limit.prefix: _Bucket(limit, clock) for limit in limits.table}

    def allows(self, path: str) -> bool:
        """Count one request to `path`; return False if it is above the limit."""
        bucket = self._bucket(path)
        return bucket is None or bucket.take(1) == 1

    @property
    def refusal(self) -> Answer:
        """Return the answer to a request above the limit."""
        after = self._retry_after
        headers = {} if after is None else {"Retry-After": f"{after:g}"}
        answer = RefusalError(429, "TooManyRequests", "Too many requests").answer
        return replace(answer, headers=headers)

    def take(self, prefix: str, requests: int) -> int:
        """Spend up to `requests` like another client, and return how many were available."""
        return self._buckets[prefix].take(requests)

    def remaining(self, prefix: str) -> float:
        """Return how many requests `prefix` allows at this instant."""
        return self._buckets[prefix].filled()

    def _bucket(self, path: str) -> _Bucket | None:
        for prefix, bucket in self._buckets.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return bucket
        return None
