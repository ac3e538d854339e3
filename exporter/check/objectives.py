"""Objectives that can match nothing; pure.

Expressions are compared where that is certain: equal ones, ones that match everything, and names.
What cannot be told, such as whether ``a.*`` and ``.*b`` overlap, is not complained of.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from exporter.refresh.targets import ClusterTargets
from exporter.settings import Objective

_EVERYTHING = frozenset({".*", ".*?", "(.*)", "^.*$", "^.*", ".*$"})
_ANYTHING_NAMED = frozenset({".+", ".+?", "(.+)", "^.+$", "^.+", ".+$"})
"""Names are never empty; a label's value may be."""

_SPECIAL = frozenset(".^$*+?{}[]\\()")


class Place(NamedTuple):
    """Where virtual machines are watched; None: any."""

    cluster: str | None = None
    namespace: str | None = None
    vm: str | None = None


class _Selection(NamedTuple):
    """The expressions of an objective, perhaps narrowed to a place."""

    names: tuple[str | None, str | None, str | None]
    labels: Mapping[str, str]


def places(configured: Iterable[ClusterTargets], *, discovery: bool) -> tuple[Place, ...]:
    """Return where virtual machines get rows: where a target covers all of their snapshots.

    A cluster that no target names has a name all the same, which only Palette knows.
    """
    fixed = (place for targets in configured for place in _of_cluster(targets))
    return tuple(dict.fromkeys((*fixed, Place()) if discovery else fixed))


def _of_cluster(targets: ClusterTargets) -> Iterator[Place]:
    name, coverage = targets.name or None, targets.coverage
    if coverage.everywhere is not None:
        yield Place(name)
    yield from (Place(name, namespace) for namespace in sorted(coverage.namespaces))
    yield from (Place(name, vm.namespace, vm.name) for vm in sorted(coverage.vms))


def idle(objectives: Sequence[Objective], watched: Sequence[Place]) -> Iterator[tuple[int, str]]:
    """Yield the index of each objective that can match nothing, and why."""
    selections = [_selection(each) for each in objectives]
    for index, selection in enumerate(selections):
        if why := _why_idle(selection, selections[:index], watched):
            yield index, why


def _selection(objective: Objective) -> _Selection:
    cluster, namespace, vm = (
        None if pattern is None else pattern.pattern
        for pattern in (objective.cluster, objective.namespace, objective.vm)
    )
    labels = {name: pattern.pattern for name, pattern in objective.labels.items()}
    return _Selection((cluster, namespace, vm), labels)


def _why_idle(
    selection: _Selection, earlier: Sequence[_Selection], watched: Sequence[Place]
) -> str:
    if selection in earlier:
        return f"objectives[{earlier.index(selection)}] comes first and is for the same machines"
    if not watched:
        return "targets name snapshots only, and none covers a virtual machine with all of its own"
    takers: set[int] = set()
    for place in watched:
        if _fits(selection, place):
            taker = _first_taker(_narrowed(selection, place), earlier)
            if taker is None:
                return ""
            takers.add(taker)
    if not takers:
        return "no cluster, namespace or virtual machine that targets cover has such a name"
    names = " and ".join(f"objectives[{taker}]" for taker in sorted(takers))
    return f"after {names}, nothing is left that it could match"


def _fits(selection: _Selection, place: Place) -> bool:
    """Tell whether the selection may match anything inside a place."""
    return all(
        name is None or pattern is None or re.fullmatch(pattern, name)
        for pattern, name in zip(selection.names, place, strict=True)
    )


def _narrowed(selection: _Selection, place: Place) -> _Selection:
    """Return what the selection matches inside a place that it fits."""
    cluster, namespace, vm = (
        pattern if name is None else re.escape(name)
        for pattern, name in zip(selection.names, place, strict=True)
    )
    return _Selection((cluster, namespace, vm), selection.labels)


def _first_taker(wanted: _Selection, earlier: Sequence[_Selection]) -> int | None:
    return next((index for index, each in enumerate(earlier) if _takes_all(each, wanted)), None)


def _takes_all(earlier: _Selection, wanted: _Selection) -> bool:
    names = zip(earlier.names, wanted.names, strict=True)
    return all(
        taker is None or taker in _ANYTHING_NAMED or _includes(taker, pattern)
        for taker, pattern in names
    ) and all(
        name in wanted.labels and _includes(taker, wanted.labels[name])
        for name, taker in earlier.labels.items()
    )


def _includes(taker: str, pattern: str | None) -> bool:
    """Tell whether an expression certainly matches all that another one does."""
    if taker in _EVERYTHING or taker == pattern:
        return True
    names = None if pattern is None else _names(pattern)
    return names is not None and all(re.fullmatch(taker, name) for name in names)


def _names(pattern: str) -> list[str] | None:
    """Return the names that an expression lists, as ``a|b`` does; None where it is no list."""
    names = []
    for part in re.split(r"(?<!\\)\|", pattern):
        if _SPECIAL & set(re.sub(r"\\[^A-Za-z0-9]", "", part)):
            return None
        names.append(re.sub(r"\\([^A-Za-z0-9])", r"\1", part))
    return names
