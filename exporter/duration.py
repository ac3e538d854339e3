"""Durations as Prometheus writes them (``1m30s``, ``8d``) and as Go does (``1.5h``, ``5m0s``).

All are seconds on this side. Both languages end where Go's int64 of nanoseconds does, at about
292 years, so what is refused there is refused here.
"""

import math
import re

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
_GO_TERM = re.compile(r"(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?(?P<unit>[^0-9.]*)")
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
    negative = text.startswith("-")
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0.0
    if not rest:
        raise ValueError("not a Go duration such as 5m0s or 1.5h: nothing to read")
    total = 0
    while rest:
        nanoseconds, rest = _go_term(rest)
        total += nanoseconds
    if total > _GO_LIMIT - (not negative):
        raise ValueError("a Go duration longer than 292 years")
    return (-total if negative else total) / 1e9


def _go_term(text: str) -> tuple[int, str]:
    """Read one number with its unit; returns its nanoseconds and the text behind it."""
    term = _GO_TERM.match(text)
    assert term is not None  # every part of it may be empty
    whole, fraction, unit = term["whole"], term["fraction"] or "", term["unit"]
    if not whole and not fraction:
        raise ValueError("not a Go duration such as 5m0s or 1.5h: a number is missing")
    if unit not in _NANOSECONDS:
        raise ValueError("not a Go duration such as 5m0s or 1.5h: units are ns, us, ms, s, m, h")
    size = _NANOSECONDS[unit]
    nanoseconds = _digits(whole) * size + _fraction(fraction, size)
    if nanoseconds > _GO_LIMIT:
        raise ValueError("a Go duration longer than 292 years")
    return nanoseconds, text[term.end() :]


def _digits(digits: str) -> int:
    significant = digits.lstrip("0")
    if len(significant) > len(str(_GO_LIMIT)):
        raise ValueError("a Go duration longer than 292 years")
    return int(significant or "0")


def _fraction(digits: str, size: int) -> int:
    # Digits past the eighteenth are worth less than a nanosecond of an hour; Go drops them too.
    kept = digits[:18]
    return int(kept or "0") * size // int(10 ** len(kept))
