"""A question that several ask at the same time, answered once for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

Question = TypeVar("Question", bound=Hashable)
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    outcome: "asyncio.Future[T]"
    task: "asyncio.Task[None] | None" = None
    askers: int = 0


@dataclass(slots=True, eq=False)
class Flights(Generic[Question, T]):
    """Finds answers on behalf of whoever asks; a context manager, which owns the tasks.

    Nothing is remembered: who asks after an answer has come is answered anew.
    """

    _under_way: dict[Question, _Flight[T]] = field(default_factory=dict)
    _tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._tasks)
        self._stack.callback(self._end)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def join(self, question: Question, find: Callable[[], Awaitable[T]]) -> T:
        """Return the answer, which ``find`` is asked for unless somebody asks already.

        An asker who is cancelled leaves the others waiting; the last one who leaves ends the
        search. Raises what ``find`` raises.
        """
        flight = self._under_way.get(question) or self._start(question, find)
        flight.askers += 1
        try:
            await asyncio.wait([flight.outcome])
        finally:
            flight.askers -= 1
            if not flight.askers:
                self._land(question, flight)
        return flight.outcome.result()

    def _start(self, question: Question, find: Callable[[], Awaitable[T]]) -> _Flight[T]:
        flight = _Flight[T](asyncio.get_running_loop().create_future())
        self._under_way[question] = flight
        flight.task = self._tasks.create_task(self._fly(question, flight, find))
        return flight

    async def _fly(
        self, question: Question, flight: _Flight[T], find: Callable[[], Awaitable[T]]
    ) -> None:
        try:
            answer = await find()
        except Exception as error:
            # It belongs to those who asked, and is no reason for this process to end.
            if flight.askers:
                flight.outcome.set_exception(error)
        else:
            flight.outcome.set_result(answer)
        finally:
            flight.outcome.cancel()
            self._land(question, flight)

    def _land(self, question: Question, flight: _Flight[T]) -> None:
        """Let nobody join any more, and stop what nobody waits for."""
        if self._under_way.get(question) is flight:
            del self._under_way[question]
        if flight.task and not flight.askers:
            flight.task.cancel()

    def _end(self) -> None:
        for flight in self._under_way.values():
            if flight.task:
                flight.task.cancel()
