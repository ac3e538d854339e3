"""The lines of a family's samples, the same in both formats.

Byte for byte what prometheus-client prints: labels in the order of their names, values as Go
writes them. Written family by family over many subjects, because that is the order of the text.
"""

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

from exporter.metrics.ages import Ages
from exporter.metrics.family import AgeFamily, AnyFamily, Family, LabelledFamily, RecurringFamily
from exporter.metrics.numbers import number

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
        self._spans: dict[tuple[int, int], list[str]] = {}

    @property
    def whole(self) -> list[str]:
        """All of the labels of each subject."""
        return self.span(0, len(self.names))

    def span(self, start: int, end: int) -> list[str]:
        """Return for each subject its labels from start to end, as they stand in a line."""
        found = self._spans.get((start, end))
        if found is None:
            if end - start == 1:
                found = [labels[start] for labels in self._labels]
            else:
                found = [",".join(labels[start:end]) for labels in self._labels]
            self._spans[start, end] = found
        return found


Lines = str | Ages
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
    line = _Line.of(family, names)
    if isinstance(family, RecurringFamily):
        return partial(_recurring_lines, family, line, _recurring(family, line))
    return partial(_labelled_lines, family, line)


class _Line(NamedTuple):
    """A line with a slot for each span of the identity, each further label, and the value.

    spans: of identity labels between which no further label stands.
    text: with a ``%s`` for each slot.
    arrange: what goes into the slots: of spans, of labels, the value -> in the text's order.
    """

    spans: tuple[tuple[int, int], ...]
    text: str
    arrange: Callable[[tuple[str, ...]], tuple[str, ...]]

    @classmethod
    def of(cls, family: LabelledFamily[Any] | RecurringFamily[Any], names: Names) -> "_Line":
        """Return the line of a family whose subjects have identity labels of these names."""
        cuts = sorted({bisect(names, name) for name in family.labels} | {0, len(names)})
        spans = tuple(pairwise(cuts))
        firsts = [names[start] for start, _ in spans]
        parts = sorted(enumerate((*firsts, *family.labels)), key=itemgetter(1))
        slots = ",".join("%s" if name in firsts else f'{name}="%s"' for _, name in parts)
        order = [index for index, _ in parts]
        return cls(spans, f"{family.name}{{{slots}}} %s\n", itemgetter(*order, len(order)))

    def cut(self, identities: Identities) -> Iterator[tuple[str, ...]]:
        """Yield the spans of each subject."""
        return zip(*(identities.span(*span) for span in self.spans), strict=True)


def _recurring(family: RecurringFamily[Any], line: _Line) -> Callable[[Any], tuple[str, int]]:
    """Return the function from a state to its lines, with slots for spans, and their number."""
    spans = ("%s",) * len(line.spans)

    @lru_cache(maxsize=4096)
    def template(state: Any) -> tuple[str, int]:
        samples = family.samples_of(state)
        lines = [
            line.text
            % line.arrange(
                (*spans, *(each.replace("%", "%%") for each in escaped(labels)), number(value))
            )
            for value, labels in samples
        ]
        return "".join(lines), len(lines)

    return template


def _age_lines(family: AgeFamily[T], subjects: Sequence[T], identities: Identities) -> Ages:
    name, since = family.name, family.since
    return Ages(
        (f"{name}{{{labels}}} ", moment)
        for subject, labels in zip(subjects, identities.whole, strict=True)
        if (moment := since(subject)) is not None
    )


def _plain_lines(family: Family[T], subjects: Sequence[T], identities: Identities) -> str:
    start = f"{family.name}{{"
    return "".join(
        [
            f"{start}{labels}}} {number(value)}\n"
            for value, labels in zip(map(family.value, subjects), identities.whole, strict=True)
            if value is not None
        ]
    )


def _labelled_lines(
    family: LabelledFamily[T], line: _Line, subjects: Sequence[T], identities: Identities
) -> str:
    _, text, arrange = line
    return "".join(
        [
            text % arrange((*spans, *escaped(labels), number(value)))
            for samples, spans in zip(
                map(family.samples, subjects), line.cut(identities), strict=True
            )
            for value, labels in samples
        ]
    )


def _recurring_lines(
    family: RecurringFamily[T],
    line: _Line,
    template: Callable[[Any], tuple[str, int]],
    subjects: Sequence[T],
    identities: Identities,
) -> str:
    return "".join(
        [
            text % (spans * count)
            for (text, count), spans in zip(
                map(template, map(family.state, subjects)), line.cut(identities), strict=True
            )
        ]
    )
