"""Kubernetes labels as labels of a series, with the names that kube-state-metrics gives them."""

import re
from collections.abc import Iterable
from functools import lru_cache

_INVALID = re.compile("[^a-zA-Z0-9_]")
_CAMEL_CASE = re.compile("([a-z0-9])([A-Z])")


def prometheus_labels(labels: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the name and value of each label, in the order of the Kubernetes names."""
    ordered = sorted(labels)
    names = label_names(tuple(key for key, _ in ordered))
    return tuple(zip(names, (value for _, value in ordered), strict=True))


@lru_cache(maxsize=1024)
def label_names(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return the name of each label of one object; keys: of its Kubernetes labels, sorted.

    Names that would be equal are numbered: ``label_a_b_conflict1``, ``label_a_b_conflict2``.
    """
    names: list[str] = []
    conflicts: dict[str, int] = {}

    def numbered(base: str) -> str:
        while True:
            conflicts[base] = conflicts.get(base, 0) + 1
            name = f"{base}_conflict{conflicts[base]}"
            if name not in names:
                return name

    for key in keys:
        base = "label_" + _CAMEL_CASE.sub(r"\1_\2", _INVALID.sub("_", key)).lower()
        if base not in conflicts and base in names:
            names[names.index(base)] = numbered(base)
        names.append(numbered(base) if base in conflicts else base)
    return tuple(names)
