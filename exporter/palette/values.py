"""Single values as Palette writes them, and what is told of those that cannot be read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

RFC3339 = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[Tt]"
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?P<fraction>\.\d+)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<offset_hours>\d\d):(?P<offset_minutes>\d\d))",
    re.ASCII,
)
UNSET_BEFORE = datetime(1971, 1, 1, tzinfo=UTC).timestamp()

LONGEST_NAME = 253
"""Characters; as Kubernetes has it."""

UNREADABLE = "?"
"""Stands for a time or a duration that is not even a string."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that could not be read.

    field: its path inside the document, without indices; where: ``namespace/name`` of the
    document; problem: in words, without the value.
    """

    field: str
    where: str
    problem: str


Report = Callable[[Fault], None]


def where(namespace: object, name: object) -> str:
    """Return how a document is called in a Fault, whatever stands in its metadata."""
    return f"{_name(namespace)}/{_name(name)}"


def _name(value: object) -> str:
    return value[:LONGEST_NAME] if isinstance(value, str) and encodable(value) else ""


_WITHIN_AN_HOUR = {f":{n // 60:02d}:{n % 60:02d}Z": float(n) for n in range(3600)}


def parse_time(text: str) -> float | None:
    """Return an RFC 3339 time in seconds since the epoch.

    None where it is unset, which Go servers send as the year 1: any year up to 1970 counts.
    Raises ValueError where it is no time.
    """
    # Nearly all are written like 2026-11-20T02:00:14Z. Such a one is looked up in two parts,
    # which takes a quarter of the time; a snapshot has several of them.
    seconds = _WITHIN_AN_HOUR.get(text[13:])
    if seconds is None:
        return _instant(text)
    hour = _hour(text[:13])
    return None if hour is None else hour + seconds


@lru_cache(maxsize=8192)
def _hour(text: str) -> float | None:
    """Return the instant at which an hour, written like ``2026-11-20T02``, begins."""
    return _instant(f"{text}:00:00Z")


def _instant(text: str) -> float | None:
    parts = RFC3339.fullmatch(text)
    if parts is None:
        raise ValueError("is not an RFC 3339 time")
    year, month, day, hour, minute, second = map(int, parts.group(1, 2, 3, 4, 5, 6))
    if year <= 1970:
        return None
    # A leap second has no place on the epoch's scale; it is told as the second that follows.
    moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    leap = _leap_seconds(second)
    instant = moment.timestamp() + leap - _offset(parts) + float(parts["fraction"] or 0)
    return instant if instant >= UNSET_BEFORE else None


def _leap_seconds(second: int) -> int:
    if second > 60:
        raise ValueError("has more than 60 seconds in a minute")
    return second // 60


def _offset(parts: re.Match[str]) -> int:
    if parts["sign"] is None:
        return 0
    hours, minutes = int(parts["offset_hours"]), int(parts["offset_minutes"])
    if hours > 23 or minutes > 59:
        raise ValueError("has an offset that no zone has")
    return (hours * 60 + minutes) * (-60 if parts["sign"] == "-" else 60)


def encodable(text: str) -> bool:
    """Tell whether a text can be written: half a surrogate pair is legal in JSON, not in UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
