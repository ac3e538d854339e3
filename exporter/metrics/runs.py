"""Text in runs of neighbours: what changes costs its neighbourhood, and not its cluster.

A run whose subjects are the same as before is used again as it is. Larger ones would cost more
where little changes; smaller ones more where much does, as each is deflated by itself.
"""

from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import is_
from typing import Any, Generic, TypeVar

from exporter.metrics.ages import Ages
from exporter.metrics.deflate import LEVEL, QUICK_LEVEL, Block, deflate, joined
from exporter.metrics.lines import Lines

T = TypeVar("T")

SHORTEST, LONGEST = 32, 128
"""Subjects in a run, but for the last one; 64 on the average."""

BLOCK_SIZE = 256 * 1024
"""Bytes of text in a block, at most about; inflating that many takes a fraction of a
millisecond, after which others get their turn."""

SHORT = 16 * 1024
"""Bytes of a text that is deflated quickly rather than well."""

TINY = 1024
"""Bytes of a text that is not deflated before a scrape asks for it, with what stands beside it."""

Piece = Block | Ages | bytes
"""What a scrape is put together from; ages are worked out then, the rest is ready."""


@dataclass(frozen=True, slots=True)
class Run(Generic[T]):
    """Neighbours, what the first of them is known by, and their text, family by family."""

    key: Hashable
    subjects: tuple[T, ...]
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Runs(Generic[T]):
    """All subjects of a kind. columns: for each family the pieces of all runs."""

    runs: tuple[Run[T], ...]
    columns: tuple[tuple[Piece, ...], ...]


def rendered(
    subjects: Iterable[T],
    previous: Runs[T] | None,
    *,
    key: Callable[[T], Hashable],
    render: Callable[[Sequence[T]], Iterable[Lines]],
) -> Generator[None, None, Runs[T]]:
    """Return the text of subjects, with the runs that are the same as before.

    It is worked out in steps of a millisecond or so.
    """
    before = previous.runs if previous else ()
    known = {run.key: run for run in before}
    runs: list[Run[T]] = []
    for start, neighbours in _neighbours(subjects, key):
        run = known.get(start)
        if run is None or run.subjects != neighbours:
            run = Run(start, neighbours, tuple(map(piece, render(neighbours))))
        runs.append(run)
        yield
    if previous and len(runs) == len(before) and all(map(is_, runs, before)):
        return previous
    columns: list[tuple[Piece, ...]] = []
    for pieces in zip(*(run.pieces for run in runs), strict=True):
        columns.append(tuple(_column(pieces)))
        yield
    return Runs(tuple(runs), tuple(columns))


def _neighbours(
    subjects: Iterable[T], key: Callable[[T], Hashable]
) -> Iterator[tuple[Hashable, tuple[T, ...]]]:
    """Yield runs that end where the hash of a key says so, and the key of the first.

    So a subject that comes or goes moves few other boundaries, wherever it stands.
    """
    run: list[T] = []
    start: Hashable = None
    for subject in subjects:
        known_by = key(subject)
        if not run:
            start = known_by
        run.append(subject)
        if len(run) >= SHORTEST and (hash(known_by) % SHORTEST == 0 or len(run) == LONGEST):
            yield start, tuple(run)
            run = []
    if run:
        yield start, tuple(run)


def piece(lines: Lines) -> Piece:
    """Return lines as they are kept."""
    return lines if isinstance(lines, Ages) else _packed(lines)


def _packed(text: bytes) -> Block | bytes:
    if len(text) < TINY:
        return text
    return deflate(text, QUICK_LEVEL if len(text) < SHORT else LEVEL)


def _column(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the pieces of a family, those of a kind joined to a handy size."""
    kept: Iterable[Any] = filter(None, pieces)
    for kind, neighbours in groupby(kept, type):
        if kind is Block:
            yield from _joined(neighbours)
        elif kind is bytes:
            yield _packed(b"".join(neighbours))
        else:
            yield from neighbours


def _joined(blocks: Iterable[Block]) -> Iterator[Block]:
    waiting: list[Block] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += block.size
        if size >= BLOCK_SIZE:
            yield joined(waiting)
            waiting, size = [], 0
    if waiting:
        yield joined(waiting) if len(waiting) > 1 else waiting[0]
