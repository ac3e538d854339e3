"""Long work leaves the event loop to others, however many have some."""

import asyncio
import time
from collections.abc import Generator, Iterator
from itertools import pairwise

import pytest

from exporter.cooperative import TURN, Turns

WORKERS, STEPS = 5, 4


def steps(events: list[str], name: str) -> Iterator[int]:
    for step in range(STEPS):
        events.append(name)
        time.sleep(TURN)  # what a step costs, so that each is a turn
        yield step


async def test_everything_else_has_its_turn_between_any_two_turns_of_long_work() -> None:
    turns, events = Turns(), list[str]()

    async def bystander() -> None:
        while True:
            events.append("bystander")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        others = group.create_task(bystander())
        async with asyncio.TaskGroup() as workers:
            done = [
                workers.create_task(turns.over(steps(events, f"worker {number}")))
                for number in range(WORKERS)
            ]
        others.cancel()
    assert [task.result() for task in done] == [list(range(STEPS))] * WORKERS
    assert sum(event != "bystander" for event in events) == WORKERS * STEPS
    assert all("bystander" in pair for pair in pairwise(events))


async def test_who_works_in_turns_gets_what_the_steps_return_and_raise() -> None:
    def failing() -> Generator[None, None, str]:
        yield
        raise LookupError("lost")

    def succeeding() -> Generator[None, None, str]:
        yield
        return "found"

    turns = Turns()
    with pytest.raises(LookupError, match="lost"):
        await turns.finished(failing())
    # Nobody is kept waiting by the one that failed.
    assert await turns.finished(succeeding()) == "found"
