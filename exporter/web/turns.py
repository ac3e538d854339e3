"""Long work in turns, so that nothing holds the event loop."""

import asyncio
import time
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

TURN = 0.002
"""Seconds of work after which others get their turn."""


async def in_turns(parts: Iterable[T]) -> list[T]:
    """Return all parts; others have their turn while they are worked out."""

    def gathering() -> Generator[None, None, list[T]]:
        ready: list[T] = []
        for part in parts:
            ready.append(part)
            yield
        return ready

    return await finished(gathering())


async def finished(steps: Generator[None, None, T]) -> T:
    """Return what the steps come to; others have their turn between them."""
    turn_ends = time.perf_counter() + TURN
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if time.perf_counter() >= turn_ends:
            await asyncio.sleep(0)
            turn_ends = time.perf_counter() + TURN
