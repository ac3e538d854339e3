"""The text of clusters, rendered when a listing changes."""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from typing import Any, TypeVar

from msgspec import Struct

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
    cluster_labels,
    escape_label,
)
from exporter.rollup import Objective, believed, believed_snapshot, roll_up
from exporter.snapshot import ClusterState

T = TypeVar("T")

TABLES: tuple[tuple[str, Sequence[str], Sequence[AnyFamily[Any]]], ...] = (
    ("Snapshots", SNAPSHOT_LABELS, SNAPSHOT_FAMILIES),
    ("Snapshots that a target names", SNAPSHOT_LABELS, NAMED_FAMILIES),
    ("Virtual machines", VM_LABELS, (*VM_FAMILIES, vm_labels_family())),
    ("Clusters", CLUSTER_LABELS, CLUSTER_FAMILIES),
)
"""Title, identity labels and families of each table, in the order of the text."""

FAMILIES = tuple(family for _, _, families in TABLES for family in families)

SUBJECTS = 250  # whose text becomes one block for each family; making one takes some milliseconds


class FamilyText(Struct, frozen=True, gc=False):
    """The text of a family in one cluster; samples: how many lines it has."""

    pieces: tuple[Block | Ages | bytes, ...] = ()
    samples: int = 0


Texts = Mapping[str, FamilyText]
"""The name of a family -> its text in one cluster. A family without samples might be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """How clusters are rendered, and what is exported.

    objectives: the first that applies to a virtual machine counts.
    owner_label: the Kubernetes label of a VM that becomes the label ``owner``; "" for none.
    vm_labels: the Kubernetes labels in ``palette_vm_labels``; without any, it has no samples.
    deny: a family is left out if one of these matches its whole name.
    max_series: the number of series above which the exporter warns; 0 for no limit.
    """

    objectives: tuple[Objective, ...] = ()
    owner_label: str = ""
    vm_labels: tuple[str, ...] = ()
    deny: tuple[re.Pattern[str], ...] = ()
    max_series: int = 0

    def allows(self, family: str) -> bool:
        """Return whether the family of this name is exported."""
        return not any(pattern.fullmatch(family) for pattern in self.deny)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderedCluster:
    """The text of a cluster, and what it was rendered from.

    content: the same object as long as snapshots and virtual machines are equal, for the page.
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
        about_cluster = self._about_cluster(state)
        known = previous if previous and previous.options == self.options else None
        if known and (yield from _are_alike(known.state, state)):
            return replace(known, state=state, texts={**known.texts, **about_cluster})
        texts = {**(yield from self._subjects(state)), **about_cluster}
        return RenderedCluster(state=state, options=self.options, texts=texts)

    def _about_cluster(self, state: ClusterState) -> Texts:
        """Return the text about the cluster itself. It is short, so it is not deflated yet."""
        identity = cluster_labels(state.cluster)
        lines = {
            family.name: family.text([(identity, state)]).encode()
            for family in CLUSTER_FAMILIES
            if self.options.allows(family.name)
        }
        return {name: FamilyText((text,), text.count(b"\n")) for name, text in lines.items()}

    def _subjects(self, state: ClusterState) -> Generator[None, None, Texts]:
        listing, cluster = state.listing, cluster_labels(state.cluster)
        vms = {vm.key: vm for vm in listing.virtual_machines} if listing else {}

        def identity(namespace: str, vm: str, snapshot: str | None = None) -> str:
            text = f'{cluster},namespace="{escape_label(namespace)}",vm="{escape_label(vm)}"'
            if snapshot is not None:
                text += f',snapshot="{escape_label(snapshot)}"'
            found = vms.get((namespace, vm))
            owner = found.owner(self.options.owner_label) if found else None
            return f'{text},owner="{escape_label(owner)}"' if owner else text

        snapshots = (
            (
                identity(each.namespace, each.vm, each.name),
                SnapshotRow(
                    each, listing.lacks(each.vm_key) if listing else None, vms.get(each.vm_key)
                ),
            )
            for each in state.snapshots
        )
        named = ((identity(each.namespace, each.vm, each.name), each) for each in state.named)
        rows = (
            (identity(row.vm.namespace, row.vm.name), row)
            for row in roll_up(state, self.options.objectives)
        )
        families = (*VM_FAMILIES, vm_labels_family(self.options.vm_labels))
        return {
            **(yield from self._rendered(SNAPSHOT_FAMILIES, snapshots)),
            **(yield from self._rendered(NAMED_FAMILIES, named)),
            **(yield from self._rendered(families, rows)),
        }

    def _rendered(
        self, families: Iterable[AnyFamily[T]], subjects: Iterator[tuple[str, T]]
    ) -> Generator[None, None, Texts]:
        """Return the text of subjects, each given after its identity labels, for each family."""
        texts = {each.name: FamilyText() for each in families if self.options.allows(each.name)}
        while True:
            batch: list[tuple[str, T]] = []
            for pair in islice(subjects, SUBJECTS):
                batch.append(pair)
                yield
            if not batch:
                return texts
            for family in families:
                if family.name in texts:
                    last, more = texts[family.name], _family_text(family, batch)
                    texts[family.name] = FamilyText(
                        last.pieces + more.pieces, last.samples + more.samples
                    )
                    yield


def _family_text(family: AnyFamily[T], subjects: Sequence[tuple[str, T]]) -> FamilyText:
    text = family.text(subjects)
    if not text:
        return FamilyText()
    block, lines = deflate(text.encode()), text.count("\n")
    if not isinstance(family, AgeFamily):
        return FamilyText((block,), lines)
    times = (family.value(subject) for _, subject in subjects)
    return FamilyText((Ages(block, tuple(time for time in times if time is not None)),), lines)


def _are_alike(one: ClusterState, other: ClusterState) -> Generator[None, None, bool]:
    """Return whether the text of snapshots and virtual machines is the same."""
    for ours, theirs in zip_longest(_content(one), _content(other)):
        if ours != theirs:
            return False
        yield
    return True


def _content(state: ClusterState) -> Iterator[object]:
    """Yield everything that the text of snapshots and virtual machines depends on."""
    listing, read_at, future = state.listing, state.refreshed_at, False
    yield state.cluster
    for each in state.named:
        yield each.namespace, each.vm, each.name, each.up
    for snapshot in state.snapshots:
        future = future or believed_snapshot(snapshot, read_at) is not snapshot
        yield snapshot
    if listing:
        yield listing.known_machines, listing.namespaces
        for vm in listing.virtual_machines:
            future = future or believed(vm.created_at, read_at) != vm.created_at
            yield vm
    if future:  # then rows also depend on the time of the refresh
        yield read_at
