"""The text exposition of clusters: rendered when a listing changes, concatenated at a scrape."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from exporter.metrics.deflate import Block, deflate, gzip, inflated
from exporter.metrics.families import (
    CLUSTER_FAMILIES,
    NAMED_FAMILIES,
    SNAPSHOT_FAMILIES,
    VM_FAMILIES,
    SnapshotRow,
)
from exporter.metrics.family import (
    CLUSTER_LABELS,
    SNAPSHOT_LABELS,
    VM_LABELS,
    AgeFamily,
    Ages,
    AnyFamily,
    escape_label,
)
from exporter.rollup import Objective, VirtualMachineRow, roll_up
from exporter.snapshot import ClusterState, NamedSnapshot, Snapshot

T = TypeVar("T")

TABLES: tuple[tuple[str, Sequence[str], Sequence[AnyFamily[Any]]], ...] = (
    ("Snapshots", SNAPSHOT_LABELS, SNAPSHOT_FAMILIES),
    ("Snapshots that a target names", SNAPSHOT_LABELS, NAMED_FAMILIES),
    ("Virtual machines", VM_LABELS, VM_FAMILIES),
    ("Clusters", CLUSTER_LABELS, CLUSTER_FAMILIES),
)
"""Title, identity labels and families of each table, in the order of the text."""

FAMILIES = tuple(family for _, _, families in TABLES for family in families)

SUBJECTS = 500
"""Subjects whose text becomes one block for each family. Deflating one takes below 3 ms."""

BLOCK_SIZE = 256 * 1024
"""Bytes of text that a scrape deflates or inflates in one step, at least."""

Piece = Block | Ages | bytes
"""A part of the text of a family; ages are filled in at the scrape."""

Pieces = Mapping[str, tuple[Piece, ...]]
"""The name of a family -> its text in one cluster. A family without samples is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """What the settings say about series.

    objectives: the first that applies to a virtual machine counts.
    """

    objectives: tuple[Objective, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderedCluster:
    """The text of a cluster, and what it was rendered from."""

    state: ClusterState
    options: RenderOptions
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders the text of clusters."""

    options: RenderOptions = RenderOptions()

    def __call__(
        self, state: ClusterState, previous: RenderedCluster | None
    ) -> Generator[None, None, RenderedCluster]:
        """Return the text of a state, in steps of some milliseconds at most.

        previous: the last text of the same cluster. Its snapshots and virtual machines are used
        again while the listing is equal.
        """
        if previous and previous.options == self.options:
            alike = yield from _are_equal(_content(previous.state), _content(state))
        else:
            alike = False
        subjects = previous.pieces if previous and alike else (yield from self._subjects(state))
        return RenderedCluster(
            state=state, options=self.options, pieces={**subjects, **_of_cluster(state)}
        )

    def _subjects(self, state: ClusterState) -> Generator[None, None, Pieces]:
        labels = _Labels(state)
        rows = roll_up(state, self.options.objectives)
        snapshots = yield from _rendered(SNAPSHOT_FAMILIES, _snapshot_rows(state), labels.snapshot)
        named = yield from _rendered(NAMED_FAMILIES, state.named, labels.named)
        machines = yield from _rendered(VM_FAMILIES, rows, labels.machine)
        return {**snapshots, **named, **machines}


def _content(state: ClusterState) -> tuple[Sequence[Any], ...]:
    """Return everything that the text of snapshots and virtual machines depends on."""
    named = tuple((each.namespace, each.vm, each.name, each.up) for each in state.named)
    listing = state.listing
    if listing is None:
        return (state.cluster,), named, state.snapshots
    known = (state.cluster, listing.known_machines, listing.namespaces)
    return known, named, state.snapshots, listing.virtual_machines


def _are_equal(
    one: Sequence[Sequence[Any]], other: Sequence[Sequence[Any]]
) -> Generator[None, None, bool]:
    if [len(each) for each in one] != [len(each) for each in other]:
        return False
    for ours, theirs in zip(one, other, strict=True):
        for start in range(0, len(ours), SUBJECTS):
            if ours[start : start + SUBJECTS] != theirs[start : start + SUBJECTS]:
                return False
            yield
    return True


def _snapshot_rows(state: ClusterState) -> Iterator[SnapshotRow]:
    listing = state.listing
    vms = {vm.key: vm for vm in listing.virtual_machines} if listing else {}
    for snapshot in state.snapshots:
        orphan = listing.is_orphan(snapshot) if listing else None
        yield SnapshotRow(snapshot, orphan, vms.get(snapshot.vm_key))


class _Labels:
    """The identity labels, as text, of everything in one cluster."""

    def __init__(self, state: ClusterState) -> None:
        uid, name = escape_label(state.cluster.uid), escape_label(state.cluster.name)
        self.cluster = f'cluster_uid="{uid}",cluster_name="{name}"'

    def snapshot(self, row: SnapshotRow) -> str:
        return self.named(row.snapshot)

    def named(self, of: Snapshot | NamedSnapshot) -> str:
        return f'{self._vm(of.namespace, of.vm)},snapshot="{escape_label(of.name)}"'

    def machine(self, row: VirtualMachineRow) -> str:
        return self._vm(row.vm.namespace, row.vm.name)

    def _vm(self, namespace: str, name: str) -> str:
        return f'{self.cluster},namespace="{escape_label(namespace)}",vm="{escape_label(name)}"'


def _rendered(
    families: Sequence[AnyFamily[T]], subjects: Iterable[T], identity: Callable[[T], str]
) -> Generator[None, None, Pieces]:
    """Return the text of subjects in the order of families, one subject or block in a step."""
    pieces: dict[str, tuple[Piece, ...]] = {}
    remaining = iter(subjects)
    while neighbours := list(islice(remaining, SUBJECTS)):
        lines: list[list[str]] = []
        for subject in neighbours:
            labels = identity(subject)
            lines.append([family.text(labels, subject) for family in families])
            yield
        for family, column in zip(families, zip(*lines, strict=True), strict=True):
            text = "".join(column).encode()
            if text:
                piece = _piece(family, text, neighbours)
                pieces[family.name] = (*pieces.get(family.name, ()), piece)
                yield
    return pieces


def _piece(family: AnyFamily[T], text: bytes, subjects: Sequence[T]) -> Piece:
    if not isinstance(family, AgeFamily):
        return deflate(text)
    times = map(family.since, subjects)
    return Ages(text, tuple([since for since in times if since is not None]))


def _of_cluster(state: ClusterState) -> Pieces:
    """Return the text about the cluster itself. It is short, so it is not deflated yet."""
    identity = _Labels(state).cluster
    return {each.name: (each.text(identity, state).encode(),) for each in CLUSTER_FAMILIES}


def help_text(family: AnyFamily[Any]) -> str:
    """Return what a family means, and the fields that it comes from."""
    fields = family.source.partition(";")[0]
    return f"{family.help} Source: {fields}." if fields else family.help


def header(family: AnyFamily[Any], *, openmetrics: bool) -> str:
    """Return the HELP and TYPE lines of a family."""
    text = help_text(family).replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} gauge\n"


def exposition(
    clusters: Sequence[RenderedCluster],
    now: float,
    *,
    openmetrics: bool,
    families: Sequence[AnyFamily[Any]] = FAMILIES,
) -> Iterator[Block | bytes]:
    """Yield the text of all clusters, family by family; a family without samples is left out.

    now: seconds since the epoch, for ages.
    """
    for family in families:
        found = [piece for cluster in clusters for piece in cluster.pieces.get(family.name, ())]
        if any(found):
            yield header(family, openmetrics=openmetrics).encode()
            for piece in found:
                yield piece.text(now) if isinstance(piece, Ages) else piece


def plain(parts: Iterable[Block | bytes]) -> Iterator[bytes]:
    """Yield the text of the parts of a scrape."""
    return inflated(parts, BLOCK_SIZE)


def gzipped(parts: Iterable[Block | bytes]) -> Iterator[bytes]:
    """Yield the text of the parts of a scrape as a gzip file."""
    return gzip(_deflated(parts))


def _deflated(parts: Iterable[Block | bytes]) -> Iterator[Block]:
    """Yield blocks as they are, and the text between them as one block."""
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
