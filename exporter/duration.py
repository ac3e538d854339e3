"""Durations as Prometheus writes them (``1m30s``, ``8d``) and as Go does (``1.5h``, ``5m0s``).

All are seconds on this side. Both languages end where Go's int64 of nanoseconds does, at about
292 years, so what is refused there is refused here.
"""

import math
import re
from decimal import Decimal

MAX_SECONDS = (2**63 - 1) / 1e9
"""The longest duration either language can say."""

_MILLISECONDS = {
    "y": 365 * 24 * 3_600_000,
    "w": 7 * 24 * 3_600_000,
    "d": 24 * 3_600_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_PROMETHEUS = re.compile("".join(rf"(?:(?P<{unit}>[0-9]+){unit})?" for unit in _MILLISECONDS))
# As in Prometheus: 8d must not become 1w1d, so years and weeks stand only for a whole number.
_ONLY_WHOLE = frozenset({"y", "w"})
# Python refuses to convert endless digits; nothing this long is within the range anyway.
_MOST_DIGITS = 4000

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # micro sign
    "μs": 1_000,  # the Greek letter mu; Go takes both
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_GO_TERM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_GO = re.compile(rf"[-+]?(?:0|(?:{_GO_TERM.pattern})+)")
_GO_LIMIT = 2**63


def parse_prometheus_duration(text: str) -> float:
    """Return the seconds of ``90s``, ``1m30s``, ``26h`` or ``8d``; units y w d h m s ms, or ``0``.

    Raises ValueError for anything else, units out of order or repeated included.
    """
    if text == "0":
        return 0.0
    found = _PROMETHEUS.fullmatch(text) if text and len(text) <= _MOST_DIGITS else None
    if found is None:
        raise ValueError("not a duration such as 90s, 1m30s, 26h or 8d")
    milliseconds = sum(
        int(count) * _MILLISECONDS[unit] for unit, count in found.groupdict().items() if count
    )
    if milliseconds * 1_000_000 >= _GO_LIMIT:
        raise ValueError("a duration longer than 292 years")
    return milliseconds / 1000


def format_duration(seconds: float) -> str:
    """Write seconds as Prometheus does, to the nearest millisecond: 90 is ``1m30s``, 0 is ``0s``.

    Raises ValueError for what Prometheus cannot write: below 0, above 292 years, not a number.
    """
    if not math.isfinite(seconds) or seconds < 0 or seconds > MAX_SECONDS:
        raise ValueError("not a duration from 0 to 292 years")
    left = round(seconds * 1000)
    text = ""
    for unit, size in _MILLISECONDS.items():
        if left % size == 0 or unit not in _ONLY_WHOLE:
            count, left = divmod(left, size)
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
    if total > _GO_LIMIT - (not negative):
        raise ValueError("a Go duration longer than 292 years")
    return (-total if negative else total) / 1e9
