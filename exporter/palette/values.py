"""Single values as Palette writes them, and the reports about those that cannot be read."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

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

    __slots__ = ("_name", "_namespace", "_report", "fields")

    def __init__(self, report: Report, namespace: object = "", name: object = "") -> None:
        self._report = report
        self._namespace = namespace
        self._name = name
        self.fields: list[str] = []

    def add(self, field: str, problem: str = "has an unexpected type") -> None:
        """Report a value."""
        self.fields.append(field)
        self._report(Fault(field, f"{_short(self._namespace)}/{_short(self._name)}", problem))

    def cover(self, field: str) -> bool:
        """Return True if a value, a part of it, or what contains it could not be read."""
        return bool(self.fields) and any(
            f"{field}.".startswith(f"{each}.") or each.startswith(f"{field}.")
            for each in self.fields
        )


def _short(name: object) -> str:
    return name[:LONGEST_NAME] if isinstance(name, str) and encodable(name) else ""


def seconds(time: datetime | None) -> float | None:
    """Return seconds since the epoch; None if a time is missing, or up to 1970: it was not set.

    Servers written in Go send the year 1 for that.
    """
    found = time.timestamp() if time else 0.0
    return found if found >= UNSET_BEFORE else None


def encodable(text: str) -> bool:
    """Return True if a text can be UTF-8: JSON allows half a surrogate pair, UTF-8 does not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
