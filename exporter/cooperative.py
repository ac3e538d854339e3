"""Long work on the event loop, one short time slice after the other."""

import asyncio
import time
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

SLICE = 0.002  # seconds of work after which other tasks run


class TimeSlices:
    """Shared by all tasks with long work: in one pass of the event loop, only one has a slice.

    A short request, such as ``/-/healthy``, therefore waits for one slice at most.
    """

    def __init__(self) -> None:
        self._queue = asyncio.Lock()
        self._alone = asyncio.Lock()

    async def next(self) -> None:
        """Wait for the next slice; all other tasks that are ready run before it."""
        async with self._queue:
            # Held for one pass of the event loop, in which no other task gets a slice.
            await asyncio.sleep(0)

    async def collect(self, steps: Iterable[T]) -> list[T]:
        """Return the items of an iterable, each of which should take a small part of a slice."""
        done: list[T] = []

        def collecting() -> Generator[None, None, None]:
            for step in steps:
                done.append(step)
                yield

        await self.run(collecting())
        return done

    async def run_alone(self, steps: Generator[None, None, T]) -> T:
        """Do the same as ``run`` without another ``run_alone`` in between.

        For work that holds much memory until it ends.
        """
        async with self._alone:
            return await self.run(steps)

    async def run(self, steps: Generator[None, None, T]) -> T:
        """Return the result of a generator, whose steps should take a small part of a slice."""
        await self.next()
        ends = time.perf_counter() + SLICE
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            if time.perf_counter() >= ends:
                await self.next()
                ends = time.perf_counter() + SLICE
