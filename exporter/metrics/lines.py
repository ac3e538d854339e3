"""The lines of a family's samples, the same in both formats.

Byte for byte what prometheus-client prints: labels in the order of their names, values as Go
writes them. Written family by family over many subjects, because that is the order of the text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Generic, NamedTuple, TypeVar

from prometheus_client.utils import floatToGoString

from exporter.metrics.family import AgeFamily, AnyFamily, Family, LabelledFamily, Sample

T = TypeVar("T")

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_in_go: Callable[[float], str] = lru_cache(maxsize=1024)(floatToGoString)


def number(value: float) -> str:
    """Return a sample's value as it stands in the text."""
    # Up to a million Go and Python agree; times are beyond, and many at once are the same.
    return repr(float(value)) if -1e6 < value < 1e6 else _in_go(value)


def escape_label(value: str) -> str:
    """Return a label's value as it stands between the quotes."""
    if "\\" in value or '"' in value or "\n" in value:
        return value.translate(_ESCAPES)
    return value


_FRACTIONS = tuple(f".{ms:03d}".rstrip("0") if ms else ".0" for ms in range(1000))
_MILLION = 1_000_000


def _age(milliseconds: int) -> str:
    """Return ``number`` of an age in seconds, several times as fast: this is done at scrapes."""
    seconds, rest = divmod(milliseconds, 1000)
    if seconds < _MILLION:
        return f"{seconds}{_FRACTIONS[rest]}"
    digits = str(seconds)
    mantissa = f"{digits[0]}.{digits[1:]}{rest:03d}".rstrip("0.")
    return f"{mantissa}e+{len(digits) - 1:02d}"


class Ages:
    """Lines of which only the value is missing: seconds since a moment, told at the scrape.

    lines: what stands before each value, and the moment in seconds since the epoch. Ages are
    told to the millisecond.
    """

    __slots__ = ("_lines",)

    def __init__(self, lines: Iterable[tuple[str, float]]) -> None:
        self._lines = tuple((start, round(since * 1000)) for start, since in lines)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def text(self, now: float) -> bytes:
        """Return the lines as they are at the moment now; no age is below 0."""
        moment = round(now * 1000)
        return "".join(
            [
                f"{start}{_age(moment - since) if since < moment else '0.0'}\n"
                for start, since in self._lines
            ]
        ).encode()


class Identity(NamedTuple):
    """A subject's identity labels, each ``name="value"``, in the order of their names.

    block: all of them, as they stand in the line of a family without further labels.
    """

    labels: tuple[str, ...]
    block: str

    @classmethod
    def of(cls, names: Sequence[str], values: Sequence[str]) -> "Identity":
        """Return the identity of sorted names and their values."""
        pairs = zip(names, values, strict=True)
        labels = tuple(f'{name}="{escape_label(value)}"' for name, value in pairs)
        return cls(labels, ",".join(labels))


Lines = str | Ages
_Writer = Callable[[Sequence[Any], Sequence[Identity]], Lines]


class Table(Generic[T]):
    """Families whose subjects have the same identity labels; ``names`` are these, sorted."""

    def __init__(self, families: Sequence[AnyFamily[T]], identity: Sequence[str]) -> None:
        self.names = tuple(sorted(identity))
        self._writers: list[_Writer] = [_writer(family, self.names) for family in families]

    def lines(self, subjects: Sequence[T], identities: Sequence[Identity]) -> Iterator[Lines]:
        """Yield what each family has to say of the subjects, which have these identities."""
        for write in self._writers:
            yield write(subjects, identities)


def _writer(family: AnyFamily[Any], identity: Sequence[str]) -> _Writer:
    if isinstance(family, AgeFamily):
        return partial(_age_lines, family)
    if isinstance(family, Family):
        return partial(_plain_lines, family)
    if family.recurring:
        return partial(_recurring_lines, family, _template_of(family, identity))
    return partial(_labelled_lines, family, _line_template(family, identity))


def _line_template(family: AnyFamily[Any], identity: Sequence[str]) -> str:
    """Return a line with a slot for each identity label, then each of its own, then the value."""
    names = (*identity, *family.labels)
    slots = (f'{n}="{{{i}}}"' if n in family.labels else f"{{{i}}}" for i, n in enumerate(names))
    pairs = sorted(zip(names, slots, strict=True))
    return f"{family.name}{{{{{','.join(slot for _, slot in pairs)}}}}} {{{len(names)}}}\n"


def _template_of(
    family: LabelledFamily[Any], identity: Sequence[str]
) -> Callable[[tuple[Sample, ...]], str]:
    """Return the function from samples to their lines, in which only the identity is missing."""
    line = _line_template(family, identity)
    slots = ["%s"] * len(identity)

    @lru_cache(maxsize=4096)
    def template(samples: tuple[Sample, ...]) -> str:
        return "".join(
            line.format(
                *slots, *(escape_label(label).replace("%", "%%") for label in labels), number(value)
            )
            for value, labels in samples
        )

    return template


def _age_lines(family: AgeFamily[T], subjects: Sequence[T], identities: Sequence[Identity]) -> Ages:
    name, since = family.name, family.since
    return Ages(
        (f"{name}{{{identity.block}}} ", moment)
        for subject, identity in zip(subjects, identities, strict=True)
        if (moment := since(subject)) is not None
    )


def _plain_lines(family: Family[T], subjects: Sequence[T], identities: Sequence[Identity]) -> str:
    name, value = family.name, family.value
    return "".join(
        [
            f"{name}{{{identity.block}}} {number(found)}\n"
            for subject, identity in zip(subjects, identities, strict=True)
            if (found := value(subject)) is not None
        ]
    )


def _labelled_lines(
    family: LabelledFamily[T],
    line: str,
    subjects: Sequence[T],
    identities: Sequence[Identity],
) -> str:
    samples = family.samples
    return "".join(
        [
            line.format(*identity.labels, *map(escape_label, labels), number(value))
            for subject, identity in zip(subjects, identities, strict=True)
            for value, labels in samples(subject)
        ]
    )


def _recurring_lines(
    family: LabelledFamily[T],
    template: Callable[[tuple[Sample, ...]], str],
    subjects: Sequence[T],
    identities: Sequence[Identity],
) -> str:
    samples = family.samples
    return "".join(
        [
            template(found) % (identity.labels * len(found))
            for subject, identity in zip(subjects, identities, strict=True)
            if (found := samples(subject))
        ]
    )
