"""Objectives that apply to no virtual machine; pure.

Only what is certain is reported: an earlier objective without a condition, or with the same
conditions, and names that no target has. Overlapping expressions are not compared.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from exporter.refresh.targets import ClusterTargets
from exporter.rollup import Objective

_EVERYTHING = frozenset({".*", ".+"})


class Place(NamedTuple):
    """Where virtual machines are watched; None: any name."""

    cluster: str | None = None
    namespace: str | None = None
    vm: str | None = None


def places(configured: Iterable[ClusterTargets]) -> Iterator[Place]:
    """Yield where targets cover virtual machines with all of their snapshots."""
    for targets in configured:
        name, coverage = targets.name or None, targets.coverage
        if coverage.everywhere is not None:
            yield Place(name)
        yield from (Place(name, namespace) for namespace in sorted(coverage.namespaces))
        yield from (Place(name, *vm) for vm in sorted(coverage.vms))


def unused(objectives: Sequence[Objective], watched: Sequence[Place]) -> Iterator[str]:
    """Yield a sentence for each objective that applies to no virtual machine."""
    for index, each in enumerate(objectives):
        hidden_by = [i for i in range(index) if _includes(objectives[i], each)]
        if hidden_by:
            yield f"objectives[{index}] is hidden by objectives[{hidden_by[0]}]. Move it up."
        elif not any(_fits(each, place) for place in watched):
            yield f"objectives[{index}] matches nothing that the targets watch. Check its names."


def _includes(earlier: Objective, later: Objective) -> bool:
    """Return True if an objective certainly matches all that a later one does."""
    labels = dict(later.labels)
    return all(map(_wider, _names(earlier), _names(later))) and all(
        name in labels and pattern.pattern in (".*", labels[name].pattern)
        for name, pattern in earlier.labels
    )


def _names(objective: Objective) -> tuple[re.Pattern[str] | None, ...]:
    return objective.cluster, objective.namespace, objective.vm


def _wider(ours: re.Pattern[str] | None, theirs: re.Pattern[str] | None) -> bool:
    if ours is None or ours.pattern in _EVERYTHING:
        return True
    return theirs is not None and ours.pattern == theirs.pattern


def _fits(objective: Objective, place: Place) -> bool:
    return all(
        pattern is None or name is None or pattern.fullmatch(name) is not None
        for pattern, name in zip(_names(objective), place, strict=True)
    )
