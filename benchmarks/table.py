"""A table with a column for each size of fleet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NAME, COLUMN = 48, 14


@dataclass(frozen=True, slots=True)
class Figure:
    """A measurement. unit: a format for it."""

    value: float
    unit: str

    def __str__(self) -> str:
        return self.unit.format(self.value)


Cell = Figure | str
Column = dict[str, Cell]


def ms(seconds: float) -> Figure:
    """Return seconds as milliseconds."""
    return Figure(seconds * 1e3, "{:.1f} ms")


def us(seconds: float) -> Figure:
    """Return seconds per snapshot as microseconds."""
    return Figure(seconds * 1e6, "{:.1f} us")


def times(ratio: float) -> Figure:
    """Return a ratio."""
    return Figure(ratio, "{:.2f} times")


def lines(titles: Sequence[str], columns: Sequence[Column]) -> Iterable[str]:
    """Yield the table."""
    yield _line("snapshots", titles)
    for name in dict.fromkeys(name for column in columns for name in column):
        yield _line(name, [str(column.get(name, "-")) for column in columns])


def _line(name: str, cells: Iterable[str]) -> str:
    return f"{name:{NAME}}{''.join(f'{cell:>{COLUMN}}' for cell in cells)}"
