"""The lines of a family's samples, the same in both formats.

Byte for byte what prometheus-client prints: labels in the order of their names, values as Go
writes them. Written family by family over many subjects, because that is the order of the text.
"""

from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

from exporter.metrics.ages import MARK, Ages, in_form
from exporter.metrics.family import (
    AgeFamily,
    AnyFamily,
    Family,
    LabelledFamily,
    MeasuredFamily,
    RecurringFamily,
)
from exporter.metrics.numbers import number, numbers

T = TypeVar("T")

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def escaped(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return labels' values as they stand between the quotes."""
    # Looked through all at once, because hardly any has something to escape.
    text = "".join(values)
    if "\\" in text or '"' in text or "\n" in text:
        return tuple([value.translate(_ESCAPES) for value in values])
    return values


class Identities:
    """The identity labels of some subjects, each ``name="value"``.

    names: of the labels, sorted; labels: of each subject, in the same order.
    """

    def __init__(self, names: Sequence[str], labels: Sequence[tuple[str, ...]]) -> None:
        self.names = names
        self._labels = labels
        self._spans: dict[tuple[int, int], list[bytes]] = {}

    @property
    def whole(self) -> list[bytes]:
        """All of the labels of each subject."""
        return self.span(0, len(self.names))

    def span(self, start: int, end: int) -> list[bytes]:
        """Return for each subject its labels from start to end, as they stand in a line."""
        found = self._spans.get((start, end))
        if found is None:
            found = [",".join(labels[start:end]).encode() for labels in self._labels]
            self._spans[start, end] = found
        return found

    @cached_property
    def form(self) -> bytes:
        """A line for each subject, with a mark for the family's name and a slot for the value."""
        lines = [b"%b{%b} %%b\n" % (MARK, in_form(labels)) for labels in self.whole]
        return b"".join(lines)


Lines = bytes | Ages
Names = tuple[str, ...]
_Writer = Callable[[Sequence[Any], Identities], Lines]


class Table(Generic[T]):
    """Families whose subjects have the same identity labels; ``names`` are these, sorted."""

    def __init__(self, families: Sequence[AnyFamily[T]], identity: Sequence[str]) -> None:
        self.names = tuple(sorted(identity))
        self._writers: list[_Writer] = [_writer(family, self.names) for family in families]

    def lines(self, subjects: Sequence[T], labels: Sequence[tuple[str, ...]]) -> Iterator[Lines]:
        """Yield what each family has to say of the subjects, which have these identity labels."""
        identities = Identities(self.names, labels)
        for write in self._writers:
            yield write(subjects, identities)


def _writer(family: AnyFamily[Any], names: Names) -> _Writer:
    if isinstance(family, AgeFamily):
        return partial(_age_lines, family)
    if isinstance(family, Family):
        return partial(_plain_lines, family)
    line = _Line.of(family.name, family.labels, names)
    if isinstance(family, LabelledFamily):
        return partial(_labelled_lines, family, line)
    if isinstance(family, MeasuredFamily):
        return _measured_lines(family, line)
    return _recurring_lines(family, line)


class _Line(NamedTuple):
    """A line with a slot for each span of the identity, each further label, and the value.

    spans: of identity labels between which no further label stands.
    text: with a ``%b`` for each slot.
    arrange: what goes into the slots: of spans, of labels, the value -> in the text's order.
    """

    spans: tuple[tuple[int, int], ...]
    text: bytes
    arrange: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]

    @classmethod
    def of(cls, name: str, labels: Names, identity: Names) -> "_Line":
        """Return the line of a family with further labels, whose identity labels are sorted."""
        cuts = sorted({bisect(identity, label) for label in labels} | {0, len(identity)})
        spans = tuple(pairwise(cuts))
        firsts = [identity[start] for start, _ in spans]
        parts = sorted(enumerate((*firsts, *labels)), key=itemgetter(1))
        slots = ",".join("%b" if label in firsts else f'{label}="%b"' for _, label in parts)
        order = [index for index, _ in parts]
        return cls(spans, f"{name}{{{slots}}} %b\n".encode(), itemgetter(*order, len(order)))

    def cut(self, identities: Identities) -> Iterator[tuple[bytes, ...]]:
        """Yield the spans of each subject."""
        return zip(*(identities.span(*span) for span in self.spans), strict=True)

    def form(self, samples: Iterable[tuple[Names, bytes]]) -> bytes:
        """Return the lines of samples' labels and values, with slots for the spans."""
        spans = (b"%b",) * len(self.spans)
        return b"".join(
            [
                self.text
                % self.arrange(
                    (*spans, *[in_form(each.encode()) for each in escaped(labels)], value)
                )
                for labels, value in samples
            ]
        )


def _age_lines(family: AgeFamily[T], subjects: Sequence[T], identities: Identities) -> Ages:
    name, since = family.name.encode(), family.since
    return Ages(
        (b"%b{%b} " % (name, labels), moment)
        for subject, labels in zip(subjects, identities.whole, strict=True)
        if (moment := since(subject)) is not None
    )


def _plain_lines(family: Family[T], subjects: Sequence[T], identities: Identities) -> bytes:
    name, values = family.name.encode(), list(map(family.value, subjects))
    known = [value for value in values if value is not None]
    if len(known) == len(values):
        return identities.form.replace(MARK, name) % numbers(known)
    return b"".join(
        [
            b"%b{%b} %b\n" % (name, labels, number(value))
            for value, labels in zip(values, identities.whole, strict=True)
            if value is not None
        ]
    )


def _labelled_lines(
    family: LabelledFamily[T], line: _Line, subjects: Sequence[T], identities: Identities
) -> bytes:
    _, text, arrange = line
    return b"".join(
        [
            text % arrange((*spans, *map(str.encode, escaped(labels)), number(value)))
            for samples, spans in zip(
                map(family.samples, subjects), line.cut(identities), strict=True
            )
            for value, labels in samples
        ]
    )


def _recurring_lines(family: RecurringFamily[T], line: _Line) -> _Writer:
    """Return the writer of a family, which keeps the lines of the states that recur."""

    @lru_cache(maxsize=4096)
    def form(state: Any) -> tuple[bytes, int]:
        samples = family.samples_of(state)
        return line.form((labels, number(value)) for value, labels in samples), len(samples)

    def write(subjects: Sequence[T], identities: Identities) -> bytes:
        forms = map(form, map(family.state, subjects))
        return b"".join(
            [
                lines % (spans * count)
                for (lines, count), spans in zip(forms, line.cut(identities), strict=True)
            ]
        )

    return write


def _measured_lines(family: MeasuredFamily[T], line: _Line) -> _Writer:
    """Return the writer of a family, which keeps the lines of the labels that recur."""

    @lru_cache(maxsize=4096)
    def form(labels: tuple[Names, ...]) -> bytes:
        return line.form((each, b"%b") for each in labels)

    def write(subjects: Sequence[T], identities: Identities) -> bytes:
        forms = map(form, map(family.labels_of, subjects))
        values = map(family.values, subjects)
        return b"".join(
            [
                lines % tuple([part for value in numbers(own) for part in (*spans, value)])
                for lines, own, spans in zip(forms, values, line.cut(identities), strict=True)
            ]
        )

    return write
