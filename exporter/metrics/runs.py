"""Text in runs of neighbours: what changes costs its neighbourhood, and not its cluster.

A run whose subjects are the same as before is used again as it is. Larger ones would cost more
where little changes; smaller ones more where much does, as each is deflated by itself.
"""

from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, Generic, TypeVar

from exporter.metrics.deflate import Block, deflate, joined
from exporter.metrics.lines import Ages, Lines

T = TypeVar("T")

RUN = 64
"""Subjects in a run, on the average."""

BLOCK_SIZE = 256 * 1024
"""Bytes of text in a block, at most about; inflating that many takes a fraction of a
millisecond, after which others get their turn."""

Piece = Block | Ages | bytes
"""What a scrape is put together from; ages are worked out then, the rest is ready."""


@dataclass(frozen=True, slots=True)
class Run(Generic[T]):
    """Neighbours, what the first of them is known by, and their text, family by family."""

    key: Hashable
    subjects: tuple[T, ...]
    pieces: tuple[Block | Ages, ...]


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
            run = Run(start, neighbours, tuple(map(_piece, render(neighbours))))
        runs.append(run)
        yield
    if previous and len(runs) == len(before) and all(map(is_, runs, before)):
        return previous
    columns: list[tuple[Piece, ...]] = []
    for pieces in zip(*(run.pieces for run in runs), strict=True):
        columns.append(tuple(_joined(pieces)))
        yield
    return Runs(tuple(runs), tuple(columns))


def _neighbours(
    subjects: Iterable[T], key: Callable[[T], Hashable]
) -> Iterator[tuple[Hashable, tuple[T, ...]]]:
    """Yield runs that end where the hash of a key says so, and the key of the first.

    So a subject that comes or goes moves no other boundary, but where a run grew too long.
    """
    run: list[T] = []
    start: Hashable = None
    for subject in subjects:
        known_by = key(subject)
        if not run:
            start = known_by
        run.append(subject)
        if hash(known_by) % RUN == 0 or len(run) == 2 * RUN:
            yield start, tuple(run)
            run = []
    if run:
        yield start, tuple(run)


def _piece(lines: Lines) -> Block | Ages:
    return lines if isinstance(lines, Ages) else deflate(lines.encode())


def _joined(pieces: Iterable[Any]) -> Iterator[Piece]:
    """Yield the pieces of a family, blocks joined to a handy size."""
    waiting: list[Block] = []
    size = 0
    for piece in pieces:
        if isinstance(piece, Ages):
            yield piece
            continue
        waiting.append(piece)
        size += piece.size
        if size >= BLOCK_SIZE:
            yield joined(waiting)
            waiting, size = [], 0
    if size:
        yield joined(waiting)
