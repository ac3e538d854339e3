"""Other tasks run between the time slices of long work of any amount."""

import asyncio
import time
from collections.abc import Generator, Iterator
from itertools import pairwise

import pytest

from exporter.cooperative import SLICE, TimeSlices

WORKERS, STEPS = 5, 4


def steps(events: list[str], name: str) -> Iterator[int]:
    for step in range(STEPS):
        events.append(name)
        time.sleep(SLICE)  # so that each step takes a slice
        yield step


async def test_other_tasks_run_between_any_two_slices_of_long_work() -> None:
    slices, events = TimeSlices(), list[str]()

    async def bystander() -> None:
        while True:
            events.append("bystander")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        others = group.create_task(bystander())
        async with asyncio.TaskGroup() as workers:
            done = [
                workers.create_task(slices.collect(steps(events, f"worker {number}")))
                for number in range(WORKERS)
            ]
        others.cancel()
    assert [task.result() for task in done] == [list(range(STEPS))] * WORKERS
    assert sum(event != "bystander" for event in events) == WORKERS * STEPS
    assert all("bystander" in pair for pair in pairwise(events))


async def test_the_caller_gets_the_results_and_exceptions_of_the_steps() -> None:
    def failing() -> Generator[None, None, str]:
        yield
        raise LookupError("lost")

    def succeeding() -> Generator[None, None, str]:
        yield
        return "found"

    slices = TimeSlices()
    with pytest.raises(LookupError, match="lost"):
        await slices.run(failing())
    # A failed one does not block the next.
    assert await slices.run(succeeding()) == "found"
