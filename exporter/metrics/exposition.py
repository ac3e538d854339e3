"""The text of clusters, rendered when a listing changes."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from exporter.metrics.deflate import Ages, Block, deflate
from exporter.metrics.families import (
    CLUSTER_FAMILIES,
    NAMED_FAMILIES,
    SNAPSHOT_FAMILIES,
    VM_FAMILIES,
    SnapshotRow,
    vm_labels_family,
)
from exporter.metrics.family import (
    CLUSTER_LABELS,
    SNAPSHOT_LABELS,
    VM_LABELS,
    AgeFamily,
    AnyFamily,
    escape_label,
)
from exporter.metrics.options import RenderOptions
from exporter.rollup import DAY, VirtualMachineRow, roll_up
from exporter.snapshot import ClusterState, NamedSnapshot, Snapshot

T = TypeVar("T")

TABLES: tuple[tuple[str, Sequence[str], Sequence[AnyFamily[Any]]], ...] = (
    ("Snapshots", SNAPSHOT_LABELS, SNAPSHOT_FAMILIES),
    ("Snapshots that a target names", SNAPSHOT_LABELS, NAMED_FAMILIES),
    ("Virtual machines", VM_LABELS, (*VM_FAMILIES, vm_labels_family())),
    ("Clusters", CLUSTER_LABELS, CLUSTER_FAMILIES),
)
"""Title, identity labels and families of each table, in the order of the text."""

FAMILIES = tuple(family for _, _, families in TABLES for family in families)

SUBJECTS = 500
"""Subjects whose text becomes one block for each family. Deflating one takes below 3 ms."""

Piece = Block | Ages | bytes
"""A part of the text of a family; ages are filled in at the scrape."""


class FamilyText(NamedTuple):
    """The text of a family in one cluster; samples: how many lines it has."""

    pieces: tuple[Piece, ...]
    samples: int


NO_TEXT = FamilyText((), 0)

Texts = Mapping[str, FamilyText]
"""The name of a family -> its text in one cluster. A family without samples might be missing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderedCluster:
    """The text of a cluster, and what it was rendered from.

    content: the same object as long as snapshots and virtual machines are equal.
    """

    state: ClusterState
    options: RenderOptions
    texts: Texts
    content: object = field(default_factory=object)

    @property
    def series(self) -> int:
        """How many samples the text has."""
        return sum(text.samples for text in self.texts.values())


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders the text of clusters."""

    options: RenderOptions = field(default_factory=RenderOptions)

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
        about_cluster = self._cluster(state)
        if previous and alike:
            texts = {**previous.texts, **about_cluster}
            return replace(previous, state=state, texts=texts)
        texts = {**(yield from self._subjects(state)), **about_cluster}
        return RenderedCluster(state=state, options=self.options, texts=texts)

    def _subjects(self, state: ClusterState) -> Generator[None, None, Texts]:
        labels, render = _Labels(state, self.options), self._rendered
        rows = roll_up(state, self.options.objectives)
        families = (*VM_FAMILIES, vm_labels_family(self.options.vm_labels))
        snapshots = yield from render(SNAPSHOT_FAMILIES, _snapshot_rows(state), labels.snapshot)
        named = yield from render(NAMED_FAMILIES, state.named, labels.named)
        machines = yield from render(families, rows, labels.machine)
        return {**snapshots, **named, **machines}

    def _rendered(
        self, families: Sequence[AnyFamily[T]], subjects: Iterable[T], identity: Callable[[T], str]
    ) -> Generator[None, None, Texts]:
        """Return the text of subjects for each family, one subject or block in a step."""
        allowed = [family for family in families if self.options.allows(family.name)]
        texts: dict[str, FamilyText] = {}
        remaining = iter(subjects)
        while True:
            neighbours: list[T] = []
            lines: list[list[str]] = []
            for subject in islice(remaining, SUBJECTS):
                labels = identity(subject)
                neighbours.append(subject)
                lines.append([family.text(labels, subject) for family in allowed])
                yield
            if not neighbours:
                return texts
            for family, column in zip(allowed, zip(*lines, strict=True), strict=True):
                text = _family_text(family, "".join(column), neighbours)
                pieces, samples = texts.get(family.name, NO_TEXT)
                texts[family.name] = FamilyText(pieces + text.pieces, samples + text.samples)
                yield

    def _cluster(self, state: ClusterState) -> Texts:
        """Return the text about the cluster itself. It is short, so it is not deflated yet."""
        identity = _Labels(state, self.options).cluster
        lines = {each.name: each.text(identity, state).encode() for each in CLUSTER_FAMILIES}
        return {
            name: FamilyText((text,), text.count(b"\n"))
            for name, text in lines.items()
            if self.options.allows(name)
        }


def _content(state: ClusterState) -> tuple[Sequence[Any], ...]:
    """Return everything that the text of snapshots and virtual machines depends on."""
    named = tuple((each.namespace, each.vm, each.name, each.up) for each in state.named)
    listing = state.listing
    if listing is None:
        return (state.cluster,), named, state.snapshots
    known = (
        state.cluster,
        listing.known_machines,
        listing.namespaces,
        state.refreshed_at if _has_future_times(state) else None,
    )
    return known, named, state.snapshots, listing.virtual_machines


def _has_future_times(state: ClusterState) -> bool:
    """Return whether the roll-up depends on the time of the refresh."""
    latest = (state.refreshed_at or 0.0) + DAY
    vms = state.listing.virtual_machines if state.listing else ()
    return any((each.created_at or 0.0) > latest for each in vms) or any(
        (each.creation_time or 0.0) > latest or (each.requested_at or 0.0) > latest
        for each in state.snapshots
    )


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
        orphan = listing.lacks(snapshot.vm_key) if listing else None
        yield SnapshotRow(snapshot, orphan, vms.get(snapshot.vm_key))


class _Labels:
    """The identity labels, as text, of everything in one cluster."""

    def __init__(self, state: ClusterState, options: RenderOptions) -> None:
        uid, name = escape_label(state.cluster.uid), escape_label(state.cluster.name)
        self.cluster = f'cluster_uid="{uid}",cluster_name="{name}"'
        self._owners: dict[tuple[str, str], str] = {}
        for vm in state.listing.virtual_machines if state.listing and options.owner_label else ():
            if owner := options.owner(vm):
                self._owners[vm.key] = f',owner="{escape_label(owner)}"'

    def snapshot(self, row: SnapshotRow) -> str:
        return self.named(row.snapshot)

    def named(self, of: Snapshot | NamedSnapshot) -> str:
        owner = self._owners.get((of.namespace, of.vm), "")
        return f'{self._vm(of.namespace, of.vm)},snapshot="{escape_label(of.name)}"{owner}'

    def machine(self, row: VirtualMachineRow) -> str:
        return self._vm(row.vm.namespace, row.vm.name) + self._owners.get(row.vm.key, "")

    def _vm(self, namespace: str, name: str) -> str:
        return f'{self.cluster},namespace="{escape_label(namespace)}",vm="{escape_label(name)}"'


def _family_text(family: AnyFamily[T], text: str, subjects: Sequence[T]) -> FamilyText:
    if not text:
        return NO_TEXT
    block = deflate(text.encode())
    if not isinstance(family, AgeFamily):
        return FamilyText((block,), text.count("\n"))
    times = map(family.since, subjects)
    ages = Ages(block, tuple([since for since in times if since is not None]))
    return FamilyText((ages,), text.count("\n"))
