"""Tables and sentences as comments in YAML, which leave what stands beside them as it is."""

import json
from collections.abc import Iterable, Iterator, Sequence


def comment(lines: Iterable[str]) -> str:
    """Return lines as comments; a name that holds line ends or the like cannot leave its line."""
    return "".join(f"# {_one_line(line)}".rstrip() + "\n" for line in lines)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows of equal length as lines, in columns; the first row is their heads."""
    cells = [[_one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(padded)}".rstrip()


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)
