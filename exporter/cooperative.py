"""Long work on the event loop, a little at a time."""

import asyncio
import time
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

TURN = 0.002
"""Seconds of work after which others get their turn."""


class Turns:
    """Shared by all that have much to do, who work one after the other.

    Whoever has little to do, like answering that all is well, so waits for one turn at most and
    not for one of each of them.
    """

    def __init__(self) -> None:
        self._queue = asyncio.Lock()

    async def next(self) -> None:
        """Wait for a turn; everything else that is ready goes first."""
        async with self._queue:
            # Held for one pass of the event loop, in which nobody else gets a turn.
            await asyncio.sleep(0)

    async def over(self, steps: Iterable[T]) -> list[T]:
        """Return all steps, each of which should take a small part of a turn."""
        done: list[T] = []

        def gathering() -> Generator[None, None, list[T]]:
            for step in steps:
                done.append(step)
                yield
            return done

        return await self.finished(gathering())

    async def finished(self, steps: Generator[None, None, T]) -> T:
        """Return what the steps come to, each of which should take a small part of a turn."""
        await self.next()
        ends = time.perf_counter() + TURN
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            if time.perf_counter() >= ends:
                await self.next()
                ends = time.perf_counter() + TURN
