"""Ages are numbers as prometheus-client prints them, at whatever moment they are asked for."""

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from exporter.metrics.ages import Ages

YEAR = 366 * 86400
NOW = 1_795_564_800
_in_go: Callable[[float], str] = floatToGoString

ages = st.one_of(
    st.integers(-1000, 1000), st.integers(0, YEAR), st.integers(0, 10**9), st.sampled_from([10**6])
)
moments = st.integers(0, 3 * YEAR * 1000).map(lambda ms: NOW + ms / 1000)


def lines(since: list[float], now: float) -> str:
    told = (max(0, round(now * 1000) - round(moment * 1000)) / 1000 for moment in since)
    return "".join(f'n{{l="%d {index} 100%"}} {_in_go(age)}\n' for index, age in enumerate(told))


def of(since: list[float]) -> Ages:
    return Ages(
        (f'n{{l="%d {index} 100%"}} '.encode(), moment) for index, moment in enumerate(since)
    )


@given(
    st.lists(st.one_of(ages, ages.map(lambda age: age + 0.25)).map(lambda age: NOW - age)),
    st.lists(moments),
)
@example([NOW - 999_999, NOW - 9_999_999, NOW - 12_345_678], [NOW + 0.1, NOW + 0.999, NOW + 1.12])
@example([NOW - 1_500_000], [NOW + 0.5, NOW + 600_000.5])
@example([NOW - 999_999, NOW], [NOW + 1.5, NOW + 0.5, NOW - 0.5, NOW + 1.5])
def test_the_same_lines_tell_ages_of_any_size_at_any_moment(
    since: list[float], moments: list[float]
) -> None:
    kept = of(since)
    assert bool(kept) == bool(since)
    for now in moments:
        assert kept.text(now).decode() == lines(since, now)
        assert kept.size(now) == len(kept.text(now)) == len(of(since).text(now))
