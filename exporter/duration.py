"""Durations as Prometheus writes them (``1m30s``, ``8d``) and as Go does (``1.5h``, ``5m0s``).

All are seconds on this side. Both languages end where Go's int64 of nanoseconds does, at about
292 years, so what is refused there is refused here.
"""

import math
import re
from decimal import Decimal

_MOST_NANOSECONDS = 2**63 - 1
MAX_SECONDS = _MOST_NANOSECONDS / 1e9  # the longest duration either language can say

_NANOSECONDS = {
    "y": 365 * 24 * 3_600 * 10**9,
    "w": 7 * 24 * 3_600 * 10**9,
    "d": 24 * 3_600 * 10**9,
    "h": 3_600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "µs": 10**3,  # micro sign
    "μs": 10**3,  # the Greek letter mu; Go takes both
    "ns": 1,
}
_PROMETHEUS_UNITS = ("y", "w", "d", "h", "m", "s", "ms")
_PROMETHEUS = re.compile("".join(rf"(?:(?P<{unit}>[0-9]+){unit})?" for unit in _PROMETHEUS_UNITS))
# As in Prometheus: 8d must not become 1w1d, so years and weeks stand only for a whole number.
_ONLY_WHOLE = frozenset({"y", "w"})
_GO_TERM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_GO = re.compile(rf"[-+]?(?:0|(?:{_GO_TERM.pattern})+)")
# Python refuses to convert endless digits; nothing this long is within the range anyway.
_MOST_DIGITS = 4000


def parse_prometheus_duration(text: str) -> float:
    """Return the seconds of ``90s``, ``1m30s``, ``26h`` or ``8d``; units y w d h m s ms, or ``0``.

    Raises ValueError for anything else, units out of order or repeated included.
    """
    if text == "0":
        return 0.0
    found = _PROMETHEUS.fullmatch(text) if text and len(text) <= _MOST_DIGITS else None
    if found is None:
        raise ValueError("not a duration such as 90s, 1m30s, 26h or 8d")
    terms = found.groupdict().items()
    total = sum(int(count) * _NANOSECONDS[unit] for unit, count in terms if count)
    if total > _MOST_NANOSECONDS:
        raise ValueError("a duration longer than 292 years")
    return total / 10**9


def format_duration(seconds: float) -> str:
    """Write seconds as Prometheus does, to the nearest millisecond: 90 is ``1m30s``, 0 is ``0s``.

    Raises ValueError for what Prometheus cannot write: below 0, above 292 years, not a number.
    """
    if not math.isfinite(seconds) or seconds < 0 or seconds > MAX_SECONDS:
        raise ValueError("not a duration from 0 to 292 years")
    left = round(seconds * 1000) * _NANOSECONDS["ms"]
    text = ""
    for unit in _PROMETHEUS_UNITS:
        if left % _NANOSECONDS[unit] == 0 or unit not in _ONLY_WHOLE:
            count, left = divmod(left, _NANOSECONDS[unit])
            text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_go_duration(text: str) -> float:
    """Return the seconds of what Go's ``time.ParseDuration`` reads: ``5m0s``, ``-1.5h``, ``0``.

    Raises ValueError for what Go refuses, and for what does not fit its int64 of nanoseconds.
    """
    if len(text) > _MOST_DIGITS or not _GO.fullmatch(text):
        raise ValueError("not a Go duration such as 5m0s or 1.5h")
    terms = _GO_TERM.findall(text)
    total = sum(int(Decimal(number) * _NANOSECONDS[unit]) for number, unit in terms)
    negative = text.startswith("-")
    if total > _MOST_NANOSECONDS + negative:
        raise ValueError("a Go duration longer than 292 years")
    return (-total if negative else total) / 1e9
