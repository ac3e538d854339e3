"""What a metric family is: data, and a pure function from a value to its samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

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
    """A gauge with samples that labels tell apart, on top of the subject's identity."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[T], tuple[Sample, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringFamily(Generic[T]):
    """The same, where many subjects are in the same state: what it amounts to is made once.

    state: what the samples depend on, and nothing else; hashable.
    samples_of: the samples of a state.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    state: Callable[[T], Any]
    samples_of: Callable[[Any], tuple[Sample, ...]]

    def samples(self, subject: T) -> tuple[Sample, ...]:
        """Return the samples of a subject."""
        return self.samples_of(self.state(subject))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredFamily(Generic[T]):
    """The same, where only the labels recur, and each subject has values of its own.

    labels_of: the labels of each of its samples; hashable. values: of these, in their order.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    labels_of: Callable[[T], tuple[tuple[str, ...], ...]]
    values: Callable[[T], Sequence[float]]

    def samples(self, subject: T) -> tuple[Sample, ...]:
        """Return the samples of a subject."""
        return tuple(map(Sample, self.values(subject), self.labels_of(subject)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeFamily(Generic[T]):
    """A gauge of the seconds passed since a moment, worked out as a scrape is answered.

    since: seconds since the epoch; None where it is not known.
    """

    name: str
    help: str
    since: Callable[[T], float | None]
    labels: tuple[str, ...] = ()


AnyFamily = Family[T] | LabelledFamily[T] | RecurringFamily[T] | MeasuredFamily[T] | AgeFamily[T]
