"""Times and amounts as people read them; instants are seconds since the epoch."""

from datetime import UTC, datetime
from itertools import pairwise

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_LATEST = 253_402_300_799.0  # the last second of the year 9999


def span(seconds: float) -> str:
    """Return a length of time in its two largest units, and in days alone from ten of these on.

    ``12 d``, ``3 d 4 h``, ``5 min``, ``0 s``.
    """
    left = max(0, round(seconds))
    for (unit, size), (smaller, part) in pairwise(_UNITS):
        if left >= size:
            count, rest = divmod(left, size)
            told = rest >= part and not (unit == "d" and count >= 10)
            return f"{count} {unit}" + (f" {rest // part} {smaller}" if told else "")
    return f"{left} s"


def ago(instant: float, now: float) -> str:
    """Return how long ago that was; what is yet to come is ``in 5 min``."""
    return f"in {span(instant - now)}" if round(instant - now) > 0 else f"{span(now - instant)} ago"


def seconds(amount: float) -> str:
    """Return how long something took: ``0.42 s``, ``12 s``, ``3 min 5 s``."""
    return f"{amount:.2f} s" if amount < 10 else span(amount)


def rfc3339(instant: float) -> str:
    """Return an instant as machines read it, to the second: ``2026-11-20T02:00:00Z``."""
    return _utc(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact(instant: float) -> str:
    """Return an instant as people read it, to the second and in UTC."""
    return _utc(instant).strftime("%Y-%m-%d %H:%M:%S UTC")


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: ``1 snapshot``, ``2,000 snapshots``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def cut(text: str, longest: int) -> str:
    """Return the text in one line, with an ellipsis where it is longer than so many characters."""
    line = " ".join(text[: longest + 1].split())
    return line if len(text) <= longest else f"{line[:longest]}…"


def _utc(instant: float) -> datetime:
    return datetime.fromtimestamp(min(max(instant, 0.0), _LATEST), UTC)
