"""A limit for the bytes of all answers that are in memory and not decoded yet."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

LIMIT = 32 * 1024 * 1024
"""Bytes; fifty snapshots have 64 KiB."""

Reserve = Callable[[int], Awaitable[None]]
"""Reserves so many bytes more for one answer."""


class Undecoded:
    """Reserves memory for answers while they are read and decoded.

    At the limit all answers wait except the oldest, so that at least one of them always
    proceeds: together they take at most the limit and the bytes of one answer.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._sizes: dict[object, int] = {}
        self._released = asyncio.Event()

    @contextmanager
    def answer(self) -> Iterator[Reserve]:
        """Yield what reserves memory for one answer; all of it is released at the end."""
        answer = object()

        async def reserve(size: int) -> None:
            while not self._fits(answer, size):
                await self._released.wait()
            self._sizes[answer] = self._sizes.get(answer, 0) + size

        try:
            yield reserve
        finally:
            self._sizes.pop(answer, None)
            self._released.set()
            self._released = asyncio.Event()

    def _fits(self, answer: object, size: int) -> bool:
        oldest = next(iter(self._sizes), answer)
        return answer is oldest or sum(self._sizes.values()) + size <= self._limit
