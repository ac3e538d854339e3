"""A metric family as data: a name, a help text, and a pure function from a value to samples.

The text of a sample is the same in both formats: ``name{identity,labels} value``.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from exporter.snapshot import Cluster

T = TypeVar("T")

Sample = tuple[float, tuple[tuple[str, str], ...]]
"""A value, and the names and values of the labels after the identity labels."""

CLUSTER_LABELS = ("cluster_uid", "cluster_name")
VM_LABELS = (*CLUSTER_LABELS, "namespace", "vm")
SNAPSHOT_LABELS = (*VM_LABELS, "snapshot")

_INVALID = re.compile("[^a-zA-Z0-9_]")
_CAMEL_CASE = re.compile("([a-z0-9])([A-Z])")


def escape_label(value: str) -> str:
    """Return a label's value as it is written between quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def cluster_labels(cluster: Cluster) -> str:
    """Return the identity labels of a cluster as text."""
    uid, name = escape_label(cluster.uid), escape_label(cluster.name)
    return f'cluster_uid="{uid}",cluster_name="{name}"'


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gauge:
    """What all families have.

    source: the fields of Palette's documents that the value comes from. After a semicolon follow
        details, which are for the documentation only.
    labels: the names of those after the identity labels.
    """

    name: str
    help: str
    source: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(_Gauge, Generic[T]):
    """A gauge with at most one sample for each subject of type T.

    value: None where it is not known: absent is not zero. A boolean is 0 or 1.
    """

    value: Callable[[T], float | None]

    def text(self, subjects: Iterable[tuple[str, T]]) -> str:
        """Return the lines of subjects, each of which follows its identity labels as text."""
        name, value_of = self.name, self.value
        values = [(identity, value_of(subject)) for identity, subject in subjects]
        # The plus turns a boolean into a number.
        lines = [f"{name}{{{each}}} {+value}\n" for each, value in values if value is not None]
        return "".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeFamily(Family[T]):
    """A gauge of the seconds since a time, which is worked out at each scrape.

    value: the time, in seconds since the epoch; None where it is not known.
    """

    def text(self, subjects: Iterable[tuple[str, T]]) -> str:
        """Return the lines of subjects with a placeholder for each age, for ``Ages``."""
        known = [each for each, subject in subjects if self.value(subject) is not None]
        return "".join([f"{self.name}{{{each.replace('%', '%%')}}} %.3f\n" for each in known])


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFamily(_Gauge, Generic[T]):
    """A gauge with any number of samples for each subject, which labels distinguish."""

    samples: Callable[[T], Iterable[Sample]]

    def text(self, subjects: Iterable[tuple[str, T]]) -> str:
        """Return the lines of subjects, each of which follows its identity labels as text."""
        name, samples_of = self.name, self.samples
        return "".join(
            [
                f"{name}{{{identity}{_text_of(labels)}}} {+value}\n"
                for identity, subject in subjects
                for value, labels in samples_of(subject)
            ]
        )


@lru_cache(maxsize=1024)
def _text_of(labels: tuple[tuple[str, str], ...]) -> str:
    return "".join([f',{name}="{escape_label(value)}"' for name, value in labels])


AnyFamily = Family[T] | LabelledFamily[T]
