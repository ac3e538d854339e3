"""Text exposition: rendered when a cluster's state changes, only joined when a scrape asks.

A cluster's snapshots and virtual machines are rendered in runs of neighbours. A run whose
subjects are the same as before is used again as it is, so that a change costs its neighbourhood
and not its cluster.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from zlib import crc32

from exporter.metrics.deflate import Block, deflate, gzip, joined
from exporter.metrics.families import (
    CLUSTER_FAMILIES,
    NAMED_FAMILIES,
    ORPHAN_FAMILIES,
    SNAPSHOT_FAMILIES,
    VM_FAMILIES,
    ListedSnapshot,
)
from exporter.metrics.family import CLUSTER_LABELS, SNAPSHOT_LABELS, VM_LABELS, AnyFamily
from exporter.metrics.lines import Ages, Identity, Lines, Table
from exporter.metrics.rollup import Objective, VirtualMachineRow, roll_up
from exporter.snapshot import Cluster, ClusterState, NamedSnapshot, Snapshot

T = TypeVar("T")

TABLES: tuple[tuple[str, Sequence[str], Sequence[AnyFamily[Any]]], ...] = (
    ("Snapshots", SNAPSHOT_LABELS, SNAPSHOT_FAMILIES),
    ("Snapshots beside a list of virtual machines", SNAPSHOT_LABELS, ORPHAN_FAMILIES),
    ("Snapshots that a target names", SNAPSHOT_LABELS, NAMED_FAMILIES),
    ("Virtual machines", VM_LABELS, VM_FAMILIES),
    ("Clusters", CLUSTER_LABELS, CLUSTER_FAMILIES),
)
"""Title, identity labels and families of each table, in the order of the text."""

FAMILIES = tuple(family for _, _, families in TABLES for family in families)

RUN = 128
"""Subjects in a run, on the average."""

_SNAPSHOTS = Table(SNAPSHOT_FAMILIES, SNAPSHOT_LABELS)
_ORPHANS = Table(ORPHAN_FAMILIES, SNAPSHOT_LABELS)
_NAMED = Table(NAMED_FAMILIES, SNAPSHOT_LABELS)
_MACHINES = Table(VM_FAMILIES, VM_LABELS)
_CLUSTERS = Table(CLUSTER_FAMILIES, CLUSTER_LABELS)

Piece = Block | Ages
"""What a scrape is put together from; ages are worked out then, the rest is ready."""

BLOCK_SIZE = 256 * 1024
"""Bytes of text in a block, at most about; inflating that many takes a fraction of a
millisecond, after which others get their turn."""


@dataclass(frozen=True, slots=True)
class _Run(Generic[T]):
    """Neighbours, and the text of each family of their tables."""

    subjects: tuple[T, ...]
    pieces: tuple[Piece, ...]


_Runs = dict[T, _Run[T]]
"""The first subject of a run -> the run, in the order of the text."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderedCluster:
    """A cluster's text: for each of ``FAMILIES`` its pieces, and the runs that they came from."""

    state: ClusterState
    pieces: tuple[tuple[Piece, ...], ...]
    snapshots: _Runs[ListedSnapshot]
    machines: _Runs[VirtualMachineRow]


class Renderer:
    """Makes the text of clusters' states. objectives: the first that applies counts."""

    def __init__(self, objectives: Sequence[Objective] = ()) -> None:
        self._objectives = tuple(objectives)

    def __call__(
        self, state: ClusterState, previous: RenderedCluster | None
    ) -> Generator[None, None, RenderedCluster]:
        """Return the text of a state, using again what did not change since previous.

        It is worked out in steps of some milliseconds, between which others may have their turn.
        """
        if previous is not None and previous.state.cluster != state.cluster:
            previous = None
        snapshots = yield from _snapshot_runs(state, previous)
        machines = yield from self._machine_runs(state, previous)
        identity = _identities(state.cluster)
        named = _NAMED.lines(state.named, [identity.snapshot(each) for each in state.named])
        cluster = _CLUSTERS.lines([state], [identity.cluster])
        pieces = (
            *_columns(snapshots, len(SNAPSHOT_FAMILIES) + len(ORPHAN_FAMILIES)),
            *((_piece(lines),) for lines in named),
            *_columns(machines, len(VM_FAMILIES)),
            *((_piece(lines),) for lines in cluster),
        )
        return RenderedCluster(state=state, pieces=pieces, snapshots=snapshots, machines=machines)

    def _machine_runs(
        self, state: ClusterState, previous: RenderedCluster | None
    ) -> Generator[None, None, _Runs[VirtualMachineRow]]:
        if previous and _same_listing(previous.state, state):
            return previous.machines
        identity = _identities(state.cluster)

        def render(rows: Sequence[VirtualMachineRow]) -> Iterable[Lines]:
            return _MACHINES.lines(rows, [identity.machine(row) for row in rows])

        rows = roll_up(state, self._objectives)
        known = previous.machines if previous else {}
        return (yield from _runs(rows, lambda row: row.vm.name, known, render))


def _snapshot_runs(
    state: ClusterState, previous: RenderedCluster | None
) -> Generator[None, None, _Runs[ListedSnapshot]]:
    identity, listing = _identities(state.cluster), state.listing

    def render(listed: Sequence[ListedSnapshot]) -> Iterable[Lines]:
        snapshots = [each.snapshot for each in listed]
        identities = [identity.snapshot(snapshot) for snapshot in snapshots]
        return (*_SNAPSHOTS.lines(snapshots, identities), *_ORPHANS.lines(listed, identities))

    listed = (
        ListedSnapshot(snapshot, listing.is_orphan(snapshot) if listing else None)
        for snapshot in state.snapshots
    )
    known = previous.snapshots if previous else {}
    return (yield from _runs(listed, lambda each: each.snapshot.name, known, render))


def _runs(
    subjects: Iterable[T],
    name: Callable[[T], str],
    known: _Runs[T],
    render: Callable[[Sequence[T]], Iterable[Lines]],
) -> Generator[None, None, _Runs[T]]:
    """Return the runs of subjects, those that are among the known ones as they are there."""
    runs: _Runs[T] = {}
    for run in _neighbours(subjects, name):
        last = known.get(run[0])
        if last is None or last.subjects != run:
            last = _Run(run, tuple(map(_piece, render(run))))
        runs[run[0]] = last
        yield
    return runs


def _neighbours(subjects: Iterable[T], name: Callable[[T], str]) -> Iterator[tuple[T, ...]]:
    """Yield runs that end where the checksum of a name says so.

    So a subject that comes or goes moves no other boundary, but where a run grew too long.
    """
    run: list[T] = []
    for subject in subjects:
        run.append(subject)
        if crc32(name(subject).encode()) % RUN == 0 or len(run) == 2 * RUN:
            yield tuple(run)
            run = []
    if run:
        yield tuple(run)


def _piece(lines: Lines) -> Piece:
    return lines if isinstance(lines, Ages) else deflate(lines.encode())


def _columns(runs: _Runs[Any], count: int) -> Iterator[tuple[Piece, ...]]:
    """Yield the pieces of all runs, family by family; blocks are joined to a handy size."""
    for index in range(count):
        yield tuple(_joined([run.pieces[index] for run in runs.values()]))


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    waiting: list[Block] = []
    for piece in pieces:
        if isinstance(piece, Ages):
            yield piece
            continue
        waiting.append(piece)
        if sum(block.size for block in waiting) >= BLOCK_SIZE:
            yield joined(waiting)
            waiting = []
    if waiting:
        yield joined(waiting)


def _same_listing(one: ClusterState, other: ClusterState) -> bool:
    """Tell whether both list the very same values, as they do while nothing changes."""
    if one.listing is None or other.listing is None:
        return one.listing is other.listing
    return (
        one.listing.snapshots == other.listing.snapshots
        and one.listing.virtual_machines == other.listing.virtual_machines
    )


@dataclass(frozen=True, slots=True)
class _Identities:
    """The identities of what belongs to one cluster; ``prefix`` is the labels of its own."""

    cluster: Identity

    def snapshot(self, snapshot: Snapshot | NamedSnapshot) -> Identity:
        return self._below(
            ("namespace", "snapshot", "vm"), (snapshot.namespace, snapshot.name, snapshot.vm)
        )

    def machine(self, row: VirtualMachineRow) -> Identity:
        return self._below(("namespace", "vm"), (row.vm.namespace, row.vm.name))

    def _below(self, names: Sequence[str], values: Sequence[str]) -> Identity:
        own = Identity.of(names, values)
        return Identity((*self.cluster.labels, *own.labels), f"{self.cluster.block},{own.block}")


def _identities(cluster: Cluster) -> _Identities:
    return _Identities(Identity.of(_CLUSTERS.names, (cluster.name, cluster.uid)))


def header(family: AnyFamily[Any], *, openmetrics: bool) -> str:
    """Return the lines that say what a family means and what type it is."""
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} gauge\n"


_HEADERS = {
    openmetrics: tuple(
        deflate(header(family, openmetrics=openmetrics).encode()) for family in FAMILIES
    )
    for openmetrics in (False, True)
}


def pieces(
    clusters: Sequence[RenderedCluster], now: float, *, openmetrics: bool
) -> Iterator[Block | bytes]:
    """Yield the text of all families of all clusters, family by family.

    now: seconds since the epoch, what ages are told for. A family without a sample is left out.
    """
    for index, head in enumerate(_HEADERS[openmetrics]):
        found = [piece for cluster in clusters for piece in cluster.pieces[index]]
        if any(piece if isinstance(piece, Ages) else piece.size for piece in found):
            yield head
            for piece in found:
                yield piece.text(now) if isinstance(piece, Ages) else piece


def without_cluster(rendered: RenderedCluster) -> RenderedCluster:
    """Return the text without what is told of the cluster itself."""
    count = len(CLUSTER_FAMILIES)
    return replace(rendered, pieces=(*rendered.pieces[:-count], *[()] * count))


def length(parts: Iterable[Block | bytes]) -> int:
    """Return how many bytes the text of a scrape has."""
    return sum(len(part) if isinstance(part, bytes) else part.size for part in parts)


def plain(parts: Iterable[Block | bytes]) -> Iterator[bytes]:
    """Yield the text of what a scrape is put together from."""
    for part in parts:
        yield part if isinstance(part, bytes) else part.text()


def gzipped(parts: Iterable[Block | bytes]) -> Iterator[bytes]:
    """Yield the same as a gzip file."""
    return gzip(_deflated(parts))


def _deflated(parts: Iterable[Block | bytes]) -> Iterator[Block]:
    waiting: list[bytes] = []
    for part in parts:
        if isinstance(part, bytes):
            waiting.append(part)
        if waiting and (isinstance(part, Block) or sum(map(len, waiting)) >= BLOCK_SIZE):
            yield deflate(b"".join(waiting))
            waiting = []
        if isinstance(part, Block):
            yield part
    if waiting:
        yield deflate(b"".join(waiting))
