"""Times and amounts as people read them; instants are aware datetimes in UTC."""

from datetime import UTC, datetime
from itertools import pairwise

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_LATEST = 253_402_300_799.0  # the last second of the year 9999


def instant(seconds: float | None) -> datetime | None:
    """Return seconds since the epoch as an instant, to the second; None stays None."""
    return None if seconds is None else moment(seconds)


def moment(seconds: float) -> datetime:
    """Return seconds since the epoch as an instant, to the second."""
    return datetime.fromtimestamp(int(min(max(seconds, 0.0), _LATEST)), UTC)


def span(seconds: float) -> str:
    """Return a length of time in its two largest units, and in days alone from ten days on.

    ``12 d``, ``3 d 4 h``, ``5 min``, ``0 s``.
    """
    left = max(0, round(seconds))
    for (unit, size), (smaller, part) in pairwise(_UNITS):
        if left >= size:
            number, rest = divmod(left, size)
            two_units = rest >= part and not (unit == "d" and number >= 10)
            return f"{number} {unit}" + (f" {rest // part} {smaller}" if two_units else "")
    return f"{left} s"


def since(instant: datetime, now: datetime) -> str:
    """Return how long ago an instant was: ``5 min``; ``0 s`` where it is yet to come."""
    return span((now - instant).total_seconds())


def ago(instant: datetime, now: datetime) -> str:
    """Return ``5 min ago``, or ``in 5 min`` where the instant is yet to come."""
    return f"in {since(now, instant)}" if instant > now else f"{since(instant, now)} ago"


def seconds(amount: float) -> str:
    """Return how long something took: ``0.42 s``, ``12 s``, ``3 min 5 s``."""
    return f"{amount:.2f} s" if amount < 10 else span(amount)


def exact(instant: datetime) -> str:
    """Return an instant as people read it: ``2026-11-20 02:00:00 UTC``."""
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")


def cut(text: str, longest: int) -> str:
    """Return the text in one line, with an ellipsis where it is longer than so many characters."""
    line = " ".join(text[: longest + 1].split())
    return line if len(text) <= longest else f"{line[:longest]}…"
