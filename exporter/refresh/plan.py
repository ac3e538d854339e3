"""Which calls read what the targets want, in the fewest requests; pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from exporter.palette.client import PAGE_SIZE
from exporter.refresh.targets import ClusterTargets, SnapshotTarget
from exporter.snapshot import NamespacedName

FILTER_CHARACTERS = 4096
"""How long the names in one list call can be together, as a URL writes them; proxies refuse
URLs past 8 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The filters of one list call; empty means all."""

    namespaces: tuple[str, ...] = ()
    vms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The calls of one refresh.

    snapshots, virtual_machines: the list calls for what is covered.
    listed: the named snapshots that these lists hold too.
    one_by_one: the other named snapshots.
    named: the list calls that read them instead, where that takes fewer requests.
    """

    snapshots: tuple[Filter, ...] = ()
    virtual_machines: tuple[Filter, ...] = ()
    listed: tuple[SnapshotTarget, ...] = ()
    named: tuple[Filter, ...] = ()
    one_by_one: tuple[SnapshotTarget, ...] = ()

    @property
    def requests(self) -> int:
        """How many requests the calls take at least."""
        named = len(self.named) or len(self.one_by_one)
        return len(self.snapshots) + len(self.virtual_machines) + named


def plan(targets: ClusterTargets, named_pages: int = 0) -> Plan:
    """Return the calls for one cluster.

    named_pages: how many pages the lists of named snapshots had the last time, 0 where they were
        never read. Palette reports nowhere how many snapshots a VM has, so only a list shows it.
    """
    coverage = targets.coverage
    if coverage.everywhere is not None:
        whole = (Filter(),)
        return Plan(snapshots=whole, virtual_machines=whole, listed=targets.named)
    others = tuple(target for target in targets.named if target.vm_key not in coverage)
    vms, namespaces = {*coverage.vms}, {(name, "") for name in coverage.namespaces}
    if vms and _can_be_listed(others):
        # VMs are listed by name anyway: a few more names cost nothing.
        vms.update(target.vm_key for target in others)
        others = ()
    apart = frozenset(others)
    return Plan(
        snapshots=_filters(namespaces) + _filters(vms),
        virtual_machines=_filters(namespaces | {(name, "") for name, _ in coverage.vms}),
        listed=tuple(target for target in targets.named if target not in apart),
        named=_named_filters(others, named_pages),
        one_by_one=others,
    )


def pages(items: int) -> int:
    """Return how many pages a list of so many items has."""
    return max(1, -(-items // PAGE_SIZE))


def _named_filters(named: Sequence[SnapshotTarget], named_pages: int) -> tuple[Filter, ...]:
    """Return list calls for named snapshots, none where one by one is no worse."""
    if not _can_be_listed(named):
        return ()
    filters = _filters({target.vm_key for target in named})
    return filters if max(len(filters), named_pages) < len(named) else ()


def _can_be_listed(named: Iterable[SnapshotTarget]) -> bool:
    """Return True if all names can be in a filter, whose values a comma separates."""
    return not any("," in name for target in named for name in target.vm_key)


def _filters(vms: Collection[NamespacedName]) -> tuple[Filter, ...]:
    """Return the list calls for VMs; "" instead of a VM's name means its whole namespace."""
    return tuple(
        Filter(
            namespaces=tuple(sorted({namespace for namespace, _ in group})),
            vms=tuple(sorted({vm for _, vm in group if vm})),
        )
        for group in _batches(sorted(vms))
    )


def _batches(vms: Iterable[NamespacedName]) -> Iterator[list[NamespacedName]]:
    """Yield groups whose names, each counted once, fit into one list call."""
    batch: list[NamespacedName] = []
    names: set[str] = set()
    size = 0
    for vm in vms:
        fresh = _length(set(vm) - names)
        if batch and size + fresh > FILTER_CHARACTERS:
            yield batch
            batch, names, size = [], set(), 0
            fresh = _length(set(vm))
        batch.append(vm)
        names.update(vm)
        size += fresh
    if batch:
        yield batch


def _length(names: Iterable[str]) -> int:
    return sum(len(quote(f"{name},", safe="")) for name in names if name)
