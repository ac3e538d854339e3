"""Single values as Palette writes them, and the reports about those that cannot be read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
UNSET_BEFORE = datetime(1971, 1, 1, tzinfo=UTC).timestamp()

LONGEST_NAME = 253
"""Characters; the limit of Kubernetes."""


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


class Faults:
    """What could not be read of one document. fields: the paths of those values."""

    __slots__ = ("_report", "_where", "fields")

    def __init__(self, report: Report, namespace: object = "", name: object = "") -> None:
        self._report = report
        self._where = f"{_name(namespace)}/{_name(name)}"
        self.fields: list[str] = []

    def add(self, field: str, problem: str = "has an unexpected type") -> None:
        """Report a value."""
        self.fields.append(field)
        self._report(Fault(field, self._where, problem))

    def cover(self, field: str) -> bool:
        """Return True if a value, a part of it, or what contains it could not be read."""
        return any(f"{field}.".startswith(f"{each}.") for each in self.fields) or any(
            each.startswith(f"{field}.") for each in self.fields
        )


def _name(value: object) -> str:
    return value[:LONGEST_NAME] if isinstance(value, str) and encodable(value) else ""


def parse_time(text: str) -> float | None:
    """Return an RFC 3339 time in seconds since the epoch.

    None if it is unset, which Go servers send as the year 1: any year up to 1970 counts.
    Raises ValueError if it is no time.
    """
    if not RFC3339.fullmatch(text):
        raise ValueError("is not an RFC 3339 time")
    if text[:4] <= "1970":
        return None
    try:
        seconds = datetime.fromisoformat(text.upper()).timestamp()
    except ValueError:
        raise ValueError("is not a date of the calendar") from None
    return seconds if seconds >= UNSET_BEFORE else None


def encodable(text: str) -> bool:
    """Return True if a text can be UTF-8: JSON allows half a surrogate pair, UTF-8 does not."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
