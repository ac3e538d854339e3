"""What all of Palette's documents have in common, and the reports about values in them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import UNSET

UNSET_BEFORE = datetime(1971, 1, 1, tzinfo=UTC).timestamp()

LONGEST_NAME = 253  # characters; the limit of Kubernetes

Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Part(msgspec.Struct, rename="camel", gc=False):
    """A JSON object with the keys that the exporter reads, each None if it is missing."""


class OwnerReference(Part):
    """One of ``metadata.ownerReferences``."""

    kind: str | None = None


class Metadata(Part):
    """``metadata`` of a snapshot, a virtual machine or a cluster."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    project_uid: str | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str | None] | None = None
    owner_references: list[OwnerReference] | None = None


NO_METADATA = Metadata()


class Document(Part):
    """One object of Kubernetes or Palette; ``items``: it is a list."""

    kind: Any = None
    metadata: Metadata | None = None
    items: Any = UNSET


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list; ``continue_token`` is None on the last."""

    items: tuple[T, ...]
    continue_token: str | None = field(repr=False)


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


@dataclass(slots=True, eq=False)
class Faults:
    """What could not be read of one document; fields: the paths of those values."""

    report: Report
    namespace: object = ""
    name: object = ""
    fields: list[str] = field(default_factory=list)

    def add(self, field: str, problem: str = "has an unexpected type") -> None:
        """Report a value."""
        self.fields.append(field)
        self.report(Fault(field, f"{_short(self.namespace)}/{_short(self.name)}", problem))

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
