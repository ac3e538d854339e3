"""The budget, on a loop whose clock jumps from timer to timer without waiting."""

import asyncio
import itertools
import random
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from exporter.palette.budget import Budget
from exporter.palette.errors import RateLimited

CLUSTERS = "/v1/spectroclusters/{uid}/vms"
T = TypeVar("T")


class JumpingSelector(selectors.SelectSelector):
    """Never blocks: advances the clock by the loop's timeouts."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            self.now += max(timeout or 0.0, 1e-6)
        return events


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


def now() -> float:
    return asyncio.get_running_loop().time()


def nobody(seconds: float) -> None:
    """Ignore the waits."""


async def granted(budget: Budget, count: int, endpoint: str = CLUSTERS) -> list[float]:
    """Request a number of tokens at once; return when each was granted, in seconds from now."""
    start = now()
    times = await asyncio.gather(
        *(budget.acquire(endpoint, throttled=nobody) for _ in range(count))
    )
    return [time - start for time in times]


def most_within(seconds: float, times: list[float]) -> int:
    times = sorted(times)
    return max(sum(start <= time < start + seconds for time in times) for start in times)


@pytest.mark.parametrize(("rate", "burst"), [(40.0, 50.0), (7.5, 2.5), (40.0, 1.0), (0.5, 3.0)])
def test_no_window_ever_holds_more_than_burst_and_rate_allow(rate: float, burst: float) -> None:
    async def main() -> list[float]:
        budget = Budget(rate, burst)
        first = await granted(budget, 150)
        await asyncio.sleep(burst / rate / 2)
        return first + [first[-1] + burst / rate / 2 + t for t in await granted(budget, 50)]

    times = run(main())
    for seconds in (0.01, 0.1, 1.0, 5.0, 30.0):
        assert most_within(seconds, times) <= burst + rate * seconds + 1e-3


@pytest.mark.parametrize(
    ("endpoint", "rate", "burst"),
    [
        ("/v1/spectroclusters/{uid}/vms/snapshot", 40.0, 50),
        ("/v1/dashboard/spectroclusters/vms", 8.0, 10),
        ("/v1/projects", 8.0, 10),
        ("/v1/auth/authenticate", 8.0, 10),
    ],
)
def test_each_parent_resource_has_its_own_budget(endpoint: str, rate: float, burst: int) -> None:
    async def main() -> tuple[list[float], list[float]]:
        budget = Budget(40, 50)
        others = {"/v1/spectroclusters", "/v1/dashboard", "/v1/projects", "/v1/auth"}
        for other in others - {"/".join(endpoint.split("/")[:3])}:
            budget.refused(other, now(), 100.0)
        times = await granted(budget, burst + 40, endpoint)
        return times[:burst], times[burst:]

    at_once, later = run(main())
    assert at_once == [pytest.approx(0, abs=1e-3)] * burst
    assert later[-1] == pytest.approx(40 / rate, rel=0.01)


def test_a_small_budget_still_lets_the_other_resources_through() -> None:
    times = run(granted(Budget(1, 1), 2, "/v1/auth/authenticate"))
    assert times == [pytest.approx(0, abs=1e-3), pytest.approx(5.0, abs=1e-3)]


def test_the_configured_rate_is_kept_up_while_there_is_work() -> None:
    times = run(granted(Budget(40, 50), 4000))
    assert 4000 / times[-1] >= 0.95 * 40


def test_requests_are_admitted_in_order_even_when_their_price_changes() -> None:
    async def main() -> list[int]:
        budget, order = Budget(10, 1), list[int]()

        async def one(number: int) -> None:
            given = await budget.acquire(CLUSTERS, throttled=nobody)
            order.append(number)
            if number == 3:
                budget.refused(CLUSTERS, given, None)

        await asyncio.gather(*(one(number) for number in range(30)))
        return order

    assert run(main()) == list(range(30))


def test_queues_take_turns_so_that_none_starves_another() -> None:
    async def main() -> list[str]:
        budget, order = Budget(40, 1), list[str]()

        async def ask(queue: str) -> None:
            await budget.acquire(CLUSTERS, throttled=nobody, queue=queue)
            order.append(queue)

        long = [ask("long") for _ in range(200)]
        await asyncio.gather(*long, *(ask("short") for _ in range(10)))
        return order

    order = run(main())
    # The last of the ten comes after an equal number of the others, and not after all of them.
    assert max(place for place, queue in enumerate(order) if queue == "short") <= 21
    assert order[1:20].count("long") >= 9


def test_a_queue_alone_has_the_whole_budget_and_two_have_no_more() -> None:
    async def main() -> list[float]:
        budget, start = Budget(40, 1), now()

        async def ask(queue: str) -> float:
            await budget.acquire(CLUSTERS, throttled=nobody, queue=queue)
            return now() - start

        times = await asyncio.gather(*(ask("one") for _ in range(40)))
        return [*times, *await asyncio.gather(*(ask(q) for q in ("one", "other") * 40))]

    times = run(main())
    assert times[39] == pytest.approx(39 / 40, abs=0.05)
    assert max(times) == pytest.approx(119 / 40, abs=0.05)


def test_waits_are_reported_and_only_those() -> None:
    async def main() -> list[float]:
        budget, waits = Budget(10, 2), list[float]()
        await asyncio.gather(*(budget.acquire(CLUSTERS, throttled=waits.append) for _ in range(4)))
        return waits

    assert run(main()) == [pytest.approx(0.1, abs=1e-3), pytest.approx(0.2, abs=1e-3)]


def test_a_cancelled_wait_blocks_no_other() -> None:
    async def main() -> tuple[float, list[float]]:
        budget, waits = Budget(1, 1), list[float]()
        await granted(budget, 1)
        start = now()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await budget.acquire(CLUSTERS, throttled=waits.append)
        await granted(budget, 1)
        return now() - start, waits

    elapsed, waits = run(main())
    assert elapsed == pytest.approx(1.0, abs=0.01)
    assert waits == [pytest.approx(0.5, abs=1e-3)]


def test_no_request_is_sent_until_retry_after_and_no_burst_follows() -> None:
    async def main() -> list[float]:
        budget = Budget(40, 50)
        given = await budget.acquire(CLUSTERS, throttled=nobody)
        budget.refused(CLUSTERS, given, 10.0)
        return await granted(budget, 31)

    times = run(main())
    assert times[0] == pytest.approx(10.0, abs=0.1)
    assert times[-1] - times[0] >= 30 / 40


def test_a_request_that_already_waits_is_delayed_too() -> None:
    async def main() -> list[float]:
        budget = Budget(1, 1)
        given = await budget.acquire(CLUSTERS, throttled=nobody)
        asyncio.get_running_loop().call_later(0.5, budget.refused, CLUSTERS, given, 10.0)
        return await granted(budget, 1)

    assert run(main()) == [pytest.approx(10.5, abs=0.01)]


def test_a_pause_is_no_longer_than_five_minutes() -> None:
    async def main() -> list[float]:
        budget = Budget(40, 50)
        budget.refused(CLUSTERS, now(), 1e6)
        return await granted(budget, 1)

    assert run(main()) == [pytest.approx(300, abs=0.1)]


def test_a_pause_beyond_the_callers_patience_is_an_error_at_once() -> None:
    async def main() -> float:
        budget, start = Budget(40, 50), now()
        budget.refused(CLUSTERS, start, 20.0)
        with pytest.raises(RateLimited, match="another 20 s"):
            await budget.acquire(CLUSTERS, throttled=nobody, within=5.0)
        return now() - start

    assert run(main()) == pytest.approx(0, abs=0.01)


def rate_after(refusals: Callable[[Budget], Awaitable[None]]) -> float:
    async def main() -> float:
        budget = Budget(40, 50)
        await granted(budget, 50)
        await refusals(budget)
        await granted(budget, 1)
        times = await granted(budget, 20)
        return 20 / times[-1]

    return run(main())


async def volley(budget: Budget) -> None:
    for _ in range(30):
        budget.refused(CLUSTERS, now(), None)


async def volley_within_a_second(budget: Budget) -> None:
    for _ in range(9):
        budget.refused(CLUSTERS, now(), None)
        await asyncio.sleep(0.1)


async def answers_to_requests_sent_before_the_cut(budget: Budget) -> None:
    sent = now()
    for _ in range(5):
        budget.refused(CLUSTERS, sent, None)
        await asyncio.sleep(1.1)


@pytest.mark.parametrize(
    "refusals", [volley, volley_within_a_second, answers_to_requests_sent_before_the_cut]
)
def test_429s_with_one_cause_count_once(refusals: Callable[[Budget], Awaitable[None]]) -> None:
    assert rate_after(refusals) == pytest.approx(30, rel=0.1)


def test_429s_that_go_on_cut_the_rate_again_and_again() -> None:
    async def lasting(budget: Budget) -> None:
        for _ in range(5):
            budget.refused(CLUSTERS, now(), None)
            await asyncio.sleep(1.1)

    assert rate_after(lasting) == pytest.approx(40 * 0.75**5, rel=0.3)


def test_the_rate_comes_back_slowly_and_wholly() -> None:
    async def main() -> list[float]:
        budget = Budget(40, 1)
        budget.refused(CLUSTERS, now(), None)
        times = await granted(budget, 40 * 60)
        return [most_within(1.0, [t for t in times if s <= t < s + 1]) for s in (0, 15, 45)]

    cut, recovering, recovered = run(main())
    assert cut == pytest.approx(30, abs=1)
    assert cut < recovering < recovered
    assert recovered == pytest.approx(40, abs=1)


def test_refusals_without_end_leave_a_trickle_even_of_a_small_burst() -> None:
    async def main() -> list[float]:
        budget = Budget(40, 1)
        for _ in range(30):
            budget.refused(CLUSTERS, now(), None)
            await asyncio.sleep(1.1)
        return await granted(budget, 5)

    assert run(main())[-1] == pytest.approx(5 / 2, rel=0.5)


class PaletteLimit:
    """Palette's own bucket: 50 requests a second, 250 at once, from all clients together."""

    def __init__(self) -> None:
        self._level, self._at = 0.0, now()

    def takes_one(self) -> bool:
        self._level = max(0.0, self._level - 50 * (now() - self._at))
        self._at = now()
        if self._level > 249:
            return False
        self._level += 1
        return True


async def next_to_another_client(seconds: float, retry_after: float | None) -> tuple[float, float]:
    """Send as much as the budget allows while another client takes half; return the granted
    requests per second, and the share that was refused."""
    limit, budget, chance = PaletteLimit(), Budget(40, 50), random.Random(7)
    answers: list[bool] = []
    end = now() + seconds

    async def other() -> None:
        while now() < end:
            await asyncio.sleep(chance.expovariate(25))
            limit.takes_one()

    async def ours() -> None:
        while now() < end:
            given = await budget.acquire(CLUSTERS, throttled=nobody)
            await asyncio.sleep(chance.uniform(0.02, 0.3))
            answers.append(limit.takes_one())
            if not answers[-1]:
                budget.refused(CLUSTERS, given, retry_after)
                await asyncio.sleep(chance.uniform(0.25, 1.0))

    await asyncio.gather(other(), *(ours() for _ in range(50)))
    return sum(answers) / seconds, answers.count(False) / len(answers)


@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_next_to_a_client_that_takes_half_we_use_the_rest_and_are_rarely_refused(
    retry_after: float | None,
) -> None:
    through, refused = run(next_to_another_client(900, retry_after))
    assert through >= 0.9 * 25
    assert refused <= 0.02


async def changing(budget: Budget, limits: list[tuple[float, float]], every: float) -> None:
    """Change the limits repeatedly."""
    for rate, burst in itertools.cycle(limits):
        await asyncio.sleep(every)
        budget.adopt(rate, burst)


@pytest.mark.parametrize("every", [0.0, 0.05, 1.0])
@pytest.mark.parametrize(
    "limits", [[(40.0, 50.0)], [(40.0, 50.0), (40.0, 10.0)], [(40.0, 50.0), (4.0, 1.0)]]
)
def test_limits_that_change_give_no_second_burst(
    limits: list[tuple[float, float]], every: float
) -> None:
    async def main() -> list[float]:
        budget = Budget(40.0, 50.0)
        change = asyncio.create_task(changing(budget, limits, every or 0.001))
        try:
            return await granted(budget, 150)
        finally:
            change.cancel()

    times = run(main())
    for seconds in (0.01, 0.1, 1.0, 5.0):
        assert most_within(seconds, times) <= 50 + 40 * seconds + 1e-3


def test_a_waiting_request_follows_the_new_rate_at_once() -> None:
    async def main() -> float:
        budget = Budget(0.01, 1)
        await granted(budget, 1)
        asyncio.get_running_loop().call_later(1.0, budget.adopt, 10.0, 1.0)
        return (await granted(budget, 1))[0]

    assert run(main()) == pytest.approx(1.1, abs=0.05)


def test_a_request_above_a_smaller_bucket_is_still_granted() -> None:
    async def main() -> list[float]:
        budget = Budget(10, 20)
        for _ in range(12):
            budget.refused(CLUSTERS, now(), None)
            await asyncio.sleep(1.1)
        asyncio.get_running_loop().call_later(0.1, budget.adopt, 10.0, 1.0)
        return await granted(budget, 3)

    assert run(main())[-1] < 60


def test_other_limits_forget_no_refusal() -> None:
    async def main() -> list[float]:
        budget = Budget(40, 50)
        given = await budget.acquire(CLUSTERS, throttled=nobody)
        budget.refused(CLUSTERS, given, 10.0)
        budget.adopt(40, 40)
        first = await granted(budget, 1)
        budget.adopt(40, 100)
        return [*first, *(first[0] + time for time in await granted(budget, 30))]

    times = run(main())
    assert times[0] == pytest.approx(10.0, abs=0.1)
    # No burst has been saved, and the rate is not yet the full one.
    assert times[-1] - times[0] > 30 / 40
