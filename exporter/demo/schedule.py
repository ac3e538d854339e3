"""Events in the order of their times."""

import heapq
import itertools
from collections.abc import Callable
from random import Random

LONGEST_LEAP = 3600.0
"""Seconds at pace 1: after a longer time without requests, only its end is simulated."""


class Schedule:
    """Events from `now` (epoch seconds) on; `pace`: 2 makes everything happen twice as fast."""

    def __init__(self, *, rng: Random, pace: float, now: float) -> None:
        self.now = now
        self._rng = rng
        self._pace = pace
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serials = itertools.count()

    def within(self, low: float, high: float, play: Callable[[], None]) -> None:
        """Plan an event between `low` and `high` seconds (at pace 1) from now."""
        self.at(self.now + self._rng.uniform(low, high) / self._pace, play)

    def at(self, at: float, play: Callable[[], None]) -> None:
        """Plan an event at an instant; events of one instant run in the order of planning."""
        heapq.heappush(self._events, (at, next(self._serials), play))

    def advance(self, now: float) -> None:
        """Run all events up to `now`, each at its own instant; never goes back."""
        self._sleep(now - self.now - LONGEST_LEAP / self._pace)
        while self._events and self._events[0][0] <= now:
            self.now, _, play = heapq.heappop(self._events)
            play()
        self.now = max(self.now, now)

    def _sleep(self, seconds: float) -> None:
        """Postpone all events, so that the work of one advance stays bounded."""
        if seconds > 0:
            self._events = [(at + seconds, serial, play) for at, serial, play in self._events]
            self.now += seconds
