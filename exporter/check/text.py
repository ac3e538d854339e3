"""Tables and lists for a terminal."""

import json
from collections.abc import Iterable, Iterator, Sequence


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows of equal length as lines, in columns; the first row is their heads."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def printable(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines of which none can end early or move the cursor, whatever names are in it."""
    return (line if line.isprintable() else json.dumps(line) for line in lines)
