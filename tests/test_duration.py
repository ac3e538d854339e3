import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.duration import format_duration, parse_go_duration, parse_prometheus_duration

MILLISECONDS_IN_292_YEARS = (2**63 - 1) // 1_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("1m30s", 90),
        ("26h", 93_600),
        ("8d", 691_200),
        ("1w", 604_800),
        ("1y", 31_536_000),
        ("250ms", 0.25),
        ("1y2w3d4h5m6s7ms", 33_019_506.007),
    ],
)
def test_prometheus_durations_are_read(text: str, seconds: float) -> None:
    assert parse_prometheus_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "s",
        "1.5h",
        "-1s",
        "+1s",
        " 1s",
        "1s ",
        "1s\n",
        "1s1m",
        "1m1m",
        "1ms1s",
        "1S",
        "1us",
        "٣s",
        "300y",
        "9" * 5000 + "s",
    ],
)
def test_durations_that_prometheus_refuses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration"):
        parse_prometheus_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (10, "10s"),
        (90, "1m30s"),
        (93_600, "1d2h"),
        (691_200, "8d"),
        (604_800, "1w"),
        (31_536_000, "1y"),
        (0.25, "250ms"),
    ],
)
def test_durations_are_written_as_prometheus_does(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, 1e300])
def test_an_invalid_duration_is_not_written(seconds: float) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        format_duration(seconds)


@given(st.integers(0, MILLISECONDS_IN_292_YEARS))
def test_a_written_duration_is_read_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert math.isclose(parse_prometheus_duration(format_duration(seconds)), seconds)


@given(st.text() | st.text("0123456789ywdhms") | st.from_regex(r"([0-9]{1,9}(ms|[a-z]))+"))
def test_any_text_is_a_prometheus_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_prometheus_duration(text)
    except ValueError:
        return
    assert seconds >= 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("+0", 0),
        ("5m0s", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("-1.5h", -5400),
        ("+5s", 5),
        ("5s10m5s", 610),  # any order, and repeated
        ("100ns", 1e-7),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1μs", 1e-6),
        ("1.000000000000000000000000000001s", 1),
        ("0.9223372036854775807h", 3320.413933267),
        ("9223372036.854775807s", 9_223_372_036.854775807),
        ("-9223372036854775808ns", -9_223_372_036.854775808),
        ("0000000000000000000000001s", 1),
    ],
)
def test_go_durations_are_read(text: str, seconds: float) -> None:
    assert parse_go_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "+",
        "1",
        "00",
        "s",
        ".",
        ".s",
        "-.s",
        "1d",
        "1 s",
        "--1s",
        "1..5s",
        "1s2",
        "٣s",
        "9223372036854775808ns",
        "-9223372036854775809ns",
        "3000000h",
        "2562047h48m",
        "9" * 9000,
    ],
)
def test_durations_that_go_refuses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a Go duration"):
        parse_go_duration(text)


@given(st.text() | st.text("+-.0123456789nuµmsh"))
def test_any_text_is_a_go_duration_or_a_value_error(text: str) -> None:
    try:
        found = parse_go_duration(text)
    except ValueError:
        return
    assert abs(found) < 2**63 / 1e9 + 1


@given(st.integers(-(2**63), 2**63 - 1))
def test_nanoseconds_are_read_exactly(nanoseconds: int) -> None:
    assert parse_go_duration(f"{nanoseconds}ns") == nanoseconds / 1e9
