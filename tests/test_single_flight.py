"""Identical concurrent calls share one result."""

import asyncio

from exporter.single_flight import SingleFlight

Ours = SingleFlight[str, int]


class Search:
    """The shared function; it waits until a test ends it."""

    def __init__(self) -> None:
        self.calls = 0
        self.cancelled = 0
        self.ends: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> int:
        self.calls += 1
        try:
            return await asyncio.shield(self.ends)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def turns() -> None:
    """Let all tasks run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_concurrent_calls_share_one_result() -> None:
    search = Search()
    flights = Ours()
    async with asyncio.TaskGroup() as group:
        askers = [group.create_task(flights.do("same", search)) for _ in range(10)]
        await turns()
        search.ends.set_result(42)
    assert [asker.result() for asker in askers] == [42] * 10
    assert search.calls == 1


async def test_another_question_and_a_later_one_search_again() -> None:
    search = Search()
    search.ends.set_result(1)
    flights = Ours()
    await asyncio.gather(flights.do("one", search), flights.do("other", search))
    await flights.do("one", search)
    assert search.calls == 3


async def test_a_cancelled_call_does_not_affect_the_others() -> None:
    search = Search()
    flights = Ours()
    async with asyncio.TaskGroup() as group:
        first, second = (group.create_task(flights.do("same", search)) for _ in range(2))
        await turns()
        first.cancel()
        await turns()
        assert first.cancelled()
        assert not search.cancelled
        search.ends.set_result(42)
    assert second.result() == 42


async def test_the_last_cancelled_call_ends_the_shared_work() -> None:
    search, again = Search(), Search()
    again.ends.set_result(7)
    flights = Ours()
    async with asyncio.TaskGroup() as group:
        askers = [group.create_task(flights.do("same", search)) for _ in range(2)]
        await turns()
        for asker in askers:
            asker.cancel()
        await turns()
        assert search.cancelled == 1
        # A new call does not join the call that is being cancelled.
        assert await flights.do("same", again) == 7


async def test_a_bug_reaches_every_caller_and_stops_nothing_more() -> None:
    broken, sound = Search(), Search()
    sound.ends.set_result(7)
    flights = Ours()
    asked = asyncio.gather(*(flights.do("same", broken) for _ in range(2)), return_exceptions=True)
    await turns()
    broken.ends.set_exception(ZeroDivisionError())
    assert [type(each) for each in await asked] == [ZeroDivisionError] * 2
    assert await flights.do("same", sound) == 7
