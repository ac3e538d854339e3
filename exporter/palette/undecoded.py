"""A limit for the bytes of all answers that are in memory and not decoded yet."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

LIMIT = 8 * 1024 * 1024
"""Bytes."""

SMALL = 256 * 1024
"""Bytes that an answer may always have; fifty snapshots have a quarter of that."""

Reserve = Callable[[int], Awaitable[None]]
"""Reserves so many bytes more for one answer."""


class Undecoded:
    """Reserves memory for answers while they are read and decoded.

    At the limit large answers wait, except the oldest of them, so that one always proceeds:
    together they take at most the limit and the bytes of one answer.
    """

    def __init__(self, limit: int = LIMIT, small: int = SMALL) -> None:
        self._limit = limit
        self._small = small
        self._sizes: dict[object, int] = {}
        self._released = asyncio.Event()

    @contextmanager
    def answer(self) -> Iterator[Reserve]:
        """Yield what reserves memory for one answer; all of it is released at the end."""
        answer, received = object(), 0

        async def reserve(size: int) -> None:
            nonlocal received
            received += size
            if received <= self._small:
                return
            while not self._fits(answer, received):
                await self._released.wait()
            self._sizes[answer] = received

        try:
            yield reserve
        finally:
            self._sizes.pop(answer, None)
            self._released.set()
            self._released = asyncio.Event()

    def _fits(self, answer: object, size: int) -> bool:
        oldest = next(iter(self._sizes), answer)
        others = sum(self._sizes.values()) - self._sizes.get(answer, 0)
        return answer is oldest or others + size <= self._limit
