"""What a metric family is: data, and a pure function from a value to its samples."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

CLUSTER_LABELS = ("cluster_uid", "cluster_name")
VM_LABELS = (*CLUSTER_LABELS, "namespace", "vm")
SNAPSHOT_LABELS = (*VM_LABELS, "snapshot")


class Sample(NamedTuple):
    """A value, and the values of the labels that its family has beyond the identity."""

    value: float
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Generic[T]):
    """A gauge with one sample for each subject of type T, or none.

    help: says what it tells and which field it comes from.
    value: None where it is not known: absent is not zero. A boolean is 0 or 1.
    """

    name: str
    help: str
    value: Callable[[T], float | None]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFamily(Generic[T]):
    """A gauge with samples that labels tell apart, on top of the subject's identity.

    recurring: whether many subjects have the very same samples, whose text is then made once.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[T], tuple[Sample, ...]]
    recurring: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeFamily(Generic[T]):
    """A gauge of the seconds passed since a moment, worked out as a scrape is answered.

    since: seconds since the epoch; None where it is not known.
    """

    name: str
    help: str
    since: Callable[[T], float | None]
    labels: tuple[str, ...] = ()


AnyFamily = Family[T] | LabelledFamily[T] | AgeFamily[T]
