"""A prober that checks during faults that the exporter answers."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

WITHIN = 0.1
"""Seconds in which ``/-/healthy`` has to answer, whatever Palette does."""

PATIENCE = 1.0
"""Seconds in which it usually answers on a busy machine."""

PERIOD = 0.01
"""Seconds between an answer and the next request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its seconds, and the processor time of the exporter's process meanwhile."""

    status: int
    seconds: float
    computed: float


def judge(answers: Sequence[Answer], but: float) -> None:
    """Fail if more than a small part of the answers was late.

    A busy machine makes single answers late while the exporter's process computes nothing: a late
    answer counts only if the process used the time itself.
    """
    assert answers
    assert {answer.status for answer in answers} == {200}
    assert median(answer.seconds for answer in answers) < PATIENCE
    held = [answer for answer in answers if min(answer.seconds, answer.computed) >= WITHIN]
    assert len(held) <= but * len(answers), f"the event loop was held: {held}"


@asynccontextmanager
async def healthy_throughout(
    url: str, *, computed: Callable[[], float] = time.process_time, but: float = 0.0
) -> AsyncIterator[None]:
    """Send requests during the block, and judge the answers at its end.

    computed: the seconds that the exporter's process has computed; by default it is ours.
    but: the part of the answers that may be late though the process computed all the while.
    """
    answers: list[Answer] = []
    first = asyncio.Event()
    # A pass of the garbage collector over all that other tests left here would be a late answer.
    gc.freeze()
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(_ask(session, f"{url}/-/healthy", computed, answers, first))
        try:
            yield
            # The block can end before the first request is due.
            await asyncio.wait_for(first.wait(), 10)
        finally:
            asking.cancel()
            await asyncio.wait([asking])
    assert asking.cancelled(), asking.exception()
    judge(answers, but)


async def _ask(
    session: aiohttp.ClientSession,
    url: str,
    computed: Callable[[], float],
    answers: list[Answer],
    first: asyncio.Event,
) -> None:
    while True:
        # From the time at which it was due, so that a loop that is blocked before it counts, too.
        started, before = time.monotonic(), computed()
        await asyncio.sleep(PERIOD)
        async with session.get(url) as response:
            await response.read()
        seconds = time.monotonic() - started - PERIOD
        answers.append(Answer(response.status, seconds, computed() - before))
        first.set()
