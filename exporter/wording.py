"""Numbers, lists, durations, addresses and tables as people read them."""

import json
from collections.abc import Iterable, Iterator, Sequence


def count(number: int, one: str) -> str:
    """Return a number with its noun: ``1 snapshot``, ``2,000 snapshots``."""
    return f"{number:,} {one}" + ("" if number == 1 else "s")


def some(names: Sequence[str], shown: int = 3) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def span(seconds: float) -> str:
    """Return a duration in the unit that people say: ``45 min``, ``26 h``, ``8 d``."""
    if seconds < 3_600:
        return f"{max(0, round(seconds / 60))} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 3 * 86_400 else f"{seconds / 86_400:.0f} d"


def host_port(host: str | None, port: int | None) -> str:
    """Return host and port as URLs write them."""
    return f"[{host}]:{port}" if ":" in (host or "") else f"{host}:{port}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows of equal length as lines, in columns; the first row is their heads."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def printable(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines of which none can end early or move the cursor, whatever names are in it."""
    return (line if line.isprintable() else json.dumps(line) for line in lines)
