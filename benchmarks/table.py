"""A table with a column for each size of fleet, and how each cost grows between the last two."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NAME, COLUMN = 48, 14


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured. unit: a format for it; grows: whether its growth is worth telling."""

    value: float
    unit: str
    grows: bool = True

    def __str__(self) -> str:
        return self.unit.format(self.value)


Cell = Figure | str
Column = dict[str, Cell]


def ms(seconds: float) -> Figure:
    """Return seconds as milliseconds."""
    return Figure(seconds * 1e3, "{:.1f} ms")


def us(seconds: float) -> Figure:
    """Return seconds per snapshot as microseconds."""
    return Figure(seconds * 1e6, "{:.1f} us", grows=False)


def times(ratio: float) -> Figure:
    """Return a ratio."""
    return Figure(ratio, "{:.2f} times", grows=False)


def lines(sizes: Sequence[int], columns: Sequence[Column]) -> Iterable[str]:
    """Yield the table."""
    yield _line("snapshots", [f"{size:,}" for size in sizes], "growth")
    names = dict.fromkeys(name for column in columns for name in column)
    for name in names:
        cells = [column.get(name, "-") for column in columns]
        yield _line(name, [str(cell) for cell in cells], _growth(sizes, cells))


def _line(name: str, cells: Iterable[str], growth: str) -> str:
    return f"{name:{NAME}}{''.join(f'{cell:>{COLUMN}}' for cell in cells)}{growth:>16}"


def _growth(sizes: Sequence[int], cells: Sequence[Cell]) -> str:
    """Return how many times as much the last is, and for how many times as many snapshots."""
    if len(cells) < 2:
        return ""
    before, after = cells[-2:]
    if isinstance(before, str) or isinstance(after, str) or not after.grows or not before.value:
        return ""
    return f"{after.value / before.value:.1f} for {sizes[-1] / sizes[-2]:.1f}"
