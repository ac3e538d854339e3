"""Text exposition: rendered when a cluster's state changes, only joined when a scrape asks."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from exporter.metrics.ages import Ages, AgesNow
from exporter.metrics.deflate import Block, deflate, gzip, inflated
from exporter.metrics.families import (
    CLUSTER_FAMILIES,
    NAMED_FAMILIES,
    ORPHAN_FAMILIES,
    SNAPSHOT_FAMILIES,
    VM_FAMILIES,
    ListedSnapshot,
)
from exporter.metrics.family import CLUSTER_LABELS, SNAPSHOT_LABELS, VM_LABELS, AnyFamily
from exporter.metrics.lines import Lines, Table, escaped
from exporter.metrics.rollup import Objective, VirtualMachineRow, roll_up
from exporter.metrics.runs import BLOCK_SIZE, Piece, Runs, piece, rendered
from exporter.snapshot import Cluster, ClusterState, NamedSnapshot, Snapshot, VirtualMachine

TABLES: tuple[tuple[str, Sequence[str], Sequence[AnyFamily[Any]]], ...] = (
    ("Snapshots", SNAPSHOT_LABELS, SNAPSHOT_FAMILIES),
    ("Snapshots beside a list of virtual machines", SNAPSHOT_LABELS, ORPHAN_FAMILIES),
    ("Snapshots that a target names", SNAPSHOT_LABELS, NAMED_FAMILIES),
    ("Virtual machines", VM_LABELS, VM_FAMILIES),
    ("Clusters", CLUSTER_LABELS, CLUSTER_FAMILIES),
)
"""Title, identity labels and families of each table, in the order of the text."""

FAMILIES = tuple(family for _, _, families in TABLES for family in families)

_SNAPSHOTS = Table(SNAPSHOT_FAMILIES, SNAPSHOT_LABELS)
_ORPHANS = Table(ORPHAN_FAMILIES, SNAPSHOT_LABELS)
_NAMED = Table(NAMED_FAMILIES, SNAPSHOT_LABELS)
_MACHINES = Table(VM_FAMILIES, VM_LABELS)
_CLUSTERS = Table(CLUSTER_FAMILIES, CLUSTER_LABELS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderedCluster:
    """A cluster's text: for each of ``FAMILIES`` its pieces, and the runs that they came from."""

    state: ClusterState
    objectives: tuple[Objective, ...]
    pieces: tuple[tuple[Piece, ...], ...]
    snapshots: Runs[ListedSnapshot]
    machines: Runs[VirtualMachineRow]


class Renderer:
    """Makes the text of clusters' states. objectives: the first that applies counts."""

    def __init__(self, objectives: Sequence[Objective] = ()) -> None:
        self.objectives = tuple(objectives)

    def __call__(
        self, state: ClusterState, previous: RenderedCluster | None
    ) -> Generator[None, None, RenderedCluster]:
        """Return the text of a state, using again what did not change since previous.

        It is worked out in steps of a millisecond or so, between which others may have their turn.
        """
        if previous is not None and previous.state.cluster != state.cluster:
            previous = None
        snapshots = yield from _snapshots(state, previous)
        machines = yield from self._machines(state, previous)
        labels = _Labels(state.cluster)
        named = _NAMED.lines(state.named, [labels.snapshot(each) for each in state.named])
        cluster = _CLUSTERS.lines([state], [labels.cluster])
        pieces = (
            *(snapshots.columns or [()] * (len(SNAPSHOT_FAMILIES) + len(ORPHAN_FAMILIES))),
            *((piece(lines),) for lines in named),
            *(machines.columns or [()] * len(VM_FAMILIES)),
            *((piece(lines),) for lines in cluster),
        )
        return RenderedCluster(
            state=state,
            objectives=self.objectives,
            pieces=pieces,
            snapshots=snapshots,
            machines=machines,
        )

    def _machines(
        self, state: ClusterState, previous: RenderedCluster | None
    ) -> Generator[None, None, Runs[VirtualMachineRow]]:
        if (
            previous
            and previous.objectives == self.objectives
            and _same_listing(previous.state, state)
        ):
            return previous.machines
        labels = _Labels(state.cluster)

        def render(rows: Sequence[VirtualMachineRow]) -> Iterable[Lines]:
            return _MACHINES.lines(rows, [labels.machine(row.vm) for row in rows])

        rows = roll_up(state, self.objectives)
        known = previous.machines if previous else None
        return (yield from rendered(rows, known, key=attrgetter("vm.key"), render=render))


def _snapshots(
    state: ClusterState, previous: RenderedCluster | None
) -> Generator[None, None, Runs[ListedSnapshot]]:
    alike = previous and _same_listing(previous.state, state)
    if previous and alike and not (previous.state.named or state.named):
        return previous.snapshots
    labels, listing = _Labels(state.cluster), state.listing

    def render(listed: Sequence[ListedSnapshot]) -> Iterable[Lines]:
        snapshots = [each.snapshot for each in listed]
        identities = [labels.snapshot(snapshot) for snapshot in snapshots]
        return (*_SNAPSHOTS.lines(snapshots, identities), *_ORPHANS.lines(listed, identities))

    listed = (
        ListedSnapshot(snapshot, listing.is_orphan(snapshot) if listing else None)
        for snapshot in state.snapshots
    )
    known = previous.snapshots if previous else None
    return (yield from rendered(listed, known, key=attrgetter("snapshot.key"), render=render))


def _same_listing(one: ClusterState, other: ClusterState) -> bool:
    """Tell whether both list the very same values, as they do while nothing changes."""
    if one.listing is None or other.listing is None:
        return one.listing is other.listing
    return one.listing.tells_the_same_as(other.listing)


class _Labels:
    """The identity labels of what belongs to one cluster, in the order of their names."""

    def __init__(self, cluster: Cluster) -> None:
        name, uid = escaped((cluster.name, cluster.uid))
        self.cluster = (f'cluster_name="{name}"', f'cluster_uid="{uid}"')

    def snapshot(self, of: Snapshot | NamedSnapshot) -> tuple[str, ...]:
        namespace, name, vm = escaped((of.namespace, of.name, of.vm))
        return (*self.cluster, f'namespace="{namespace}"', f'snapshot="{name}"', f'vm="{vm}"')

    def machine(self, of: VirtualMachine) -> tuple[str, ...]:
        namespace, name = escaped((of.namespace, of.name))
        return (*self.cluster, f'namespace="{namespace}"', f'vm="{name}"')


def header(family: AnyFamily[Any], *, openmetrics: bool) -> str:
    """Return the lines that say what a family means and what type it is."""
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} gauge\n"


_HEADERS = {
    openmetrics: tuple(header(family, openmetrics=openmetrics).encode() for family in FAMILIES)
    for openmetrics in (False, True)
}


Part = Block | bytes | AgesNow
"""What the text of a scrape is put together from."""


def pieces(clusters: Sequence[RenderedCluster], now: float, *, openmetrics: bool) -> Iterator[Part]:
    """Yield the text of all families of all clusters, family by family.

    now: seconds since the epoch, what ages are told for. A family without a sample is left out.
    """
    for index, head in enumerate(_HEADERS[openmetrics]):
        found = [part for cluster in clusters for part in cluster.pieces[index]]
        if any(part.size if isinstance(part, Block) else part for part in found):
            yield head
            for part in found:
                yield AgesNow(part, now) if isinstance(part, Ages) else part


def without_cluster(rendered: RenderedCluster) -> RenderedCluster:
    """Return the text without what is told of the cluster itself."""
    count = len(CLUSTER_FAMILIES)
    return replace(rendered, pieces=(*rendered.pieces[:-count], *[()] * count))


def size(part: Part) -> int:
    """Return how many bytes of text a part has."""
    return len(part) if isinstance(part, bytes) else part.size


def plain(parts: Iterable[Part]) -> Iterator[bytes]:
    """Yield the text of what a scrape is put together from."""
    return inflated(map(_told, parts), BLOCK_SIZE)


def gzipped(parts: Iterable[Part]) -> Iterator[bytes]:
    """Yield the same as a gzip file."""
    return gzip(_deflated(map(_told, parts)))


def _told(part: Part) -> Block | bytes:
    return part.text() if isinstance(part, AgesNow) else part


def _deflated(parts: Iterable[Block | bytes]) -> Iterator[Block]:
    """Yield blocks as they are, and what stands between them as one."""
    waiting: list[bytes] = []
    length = 0
    for part in parts:
        if isinstance(part, bytes):
            waiting.append(part)
            length += len(part)
        if waiting and (isinstance(part, Block) or length >= BLOCK_SIZE):
            yield deflate(b"".join(waiting))
            waiting, length = [], 0
        if isinstance(part, Block):
            yield part
    if waiting:
        yield deflate(b"".join(waiting))
