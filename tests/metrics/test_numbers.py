"""Numbers are written as prometheus-client writes them."""

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from exporter.metrics.numbers import number, numbers

_in_go: Callable[[float], str] = floatToGoString

wholes = st.integers(0, 10**6).map(lambda n: n * 10**4) | st.integers(10**8, 10**11)


@given(st.floats() | st.integers(-(10**12), 10**12) | wholes.map(float) | st.booleans())
@example(1e9)
@example(9_999_999_999.0)
@example(1e10)
@example(1_795_564_800.0)
@example(1_795_564_801.0)
@example(1_795_564_801.5)
@example(1e6)
@example(-1e6)
def test_a_number_is_written_as_prometheus_client_does(value: float) -> None:
    assert number(value).decode() == _in_go(value)


@given(
    st.lists(st.floats() | wholes.map(float))
    | st.lists(st.integers(-(10**12), 10**12) | wholes | st.booleans())
)
def test_many_are_written_as_each_is(values: list[float]) -> None:
    assert list(numbers(values)) == list(map(number, values))
