"""What is watched, how often, and what is promised of it."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from exporter.settings.faults import Fault, FaultsError, SectionError
from exporter.settings.section import Item, Section
from exporter.settings.values import (
    Count,
    HeaderText,
    Interval,
    LabelName,
    Name,
    Pattern,
    PositiveDuration,
    Text,
    ValuePattern,
    as_written,
)

_ALL = (re.compile(".*"),)


def _five_intervals(given: dict[str, float]) -> float:
    return max(300.0, 5 * given["interval"])


class Refresh(Section):
    """How often the clusters are read."""

    interval: Interval = 60.0
    """Time from one refresh of a cluster to the next; at least 1s."""
    stale_after: Interval = Field(default_factory=_five_intervals)
    """How long the series of a cluster stay while its refreshes fail; not below interval. Without
    it: five intervals, at least 5m."""

    @model_validator(mode="after")
    def _stale_after_an_interval(self) -> Self:
        if self.stale_after < self.interval:
            raise SectionError(
                "stale_after",
                f"{as_written(self.stale_after)} is below refresh.interval, "
                f"{as_written(self.interval)}. Set it at least as long",
            )
        return self


class Target(Item):
    """A path into Palette: a cluster, a namespace, a VM, or one snapshot. "" is not given."""

    cluster_uid: Name
    """UID of the cluster."""
    cluster_name: Text = ""
    """Name of the cluster in labels. Without it: its name in Palette."""
    project_uid: HeaderText = ""
    """Project of the cluster. Without it: palette.project_uid."""
    namespace: Name = ""
    """Namespace. Without it: all."""
    vm: Name = ""
    """VM. Without it: all VMs of the namespace."""
    snapshot: Name = ""
    """Snapshot. Without it: all snapshots of the VM."""

    @model_validator(mode="after")
    def _a_path_without_gaps(self) -> Self:
        for above, below in (("namespace", "vm"), ("vm", "snapshot")):
            if getattr(self, below) and not getattr(self, above):
                raise SectionError(below, f"requires {above}")
        for key in ("namespace", "vm"):
            # Palette's list calls separate names by commas; a named snapshot has a call of its own.
            if not self.snapshot and "," in getattr(self, key):
                raise SectionError(key, "should have no comma unless snapshot is set")
        return self


def _consistent(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    if faults := list(_contradictions(targets)):
        raise FaultsError(faults)
    return targets


def _contradictions(targets: Sequence[Target]) -> Iterator[Fault]:
    paths: dict[tuple[str, ...], int] = {}
    given: dict[tuple[str, str], tuple[int, str]] = {}
    for index, target in enumerate(targets):
        path = (target.cluster_uid, target.namespace, target.vm, target.snapshot)
        before = paths.setdefault(path, index)
        if before != index:
            yield Fault((index,), f"the same as targets[{before}]. Remove one of them")
        for key in ("cluster_name", "project_uid"):
            if text := getattr(target, key):
                before, other = given.setdefault((target.cluster_uid, key), (index, text))
                if text != other:
                    clash = f"differs from that of the same cluster in targets[{before}]"
                    yield Fault((index, key), clash)


Targets = Annotated[tuple[Target, ...], AfterValidator(_consistent)]


class Discovery(Section):
    """Discovery of the clusters that run VMs."""

    enabled: bool = False
    """Discover clusters. On by default when there is no config file and no target."""
    interval: Interval = 300.0
    """Time from one discovery to the next; at least 1s."""
    clusters: tuple[Pattern, ...] = _ALL
    """Regular expressions for whole names of the clusters to watch."""
    exclude_clusters: tuple[Pattern, ...] = ()
    """Regular expressions for whole names of clusters to leave out."""
    namespaces: tuple[Pattern, ...] = _ALL
    """Regular expressions for whole names of the namespaces to watch."""
    exclude_namespaces: tuple[Pattern, ...] = ()
    """Regular expressions for whole names of namespaces to leave out."""


class Objective(Item):
    """What is promised of certain VMs."""

    cluster: Pattern | None = None
    """Regular expression for the whole name of the cluster."""
    namespace: Pattern | None = None
    """Regular expression for the whole name of the namespace."""
    vm: Pattern | None = None
    """Regular expression for the whole name of the VM."""
    labels: dict[LabelName, ValuePattern] = Field(default={})
    """Labels of the VM, each with a regular expression for its whole value."""
    exempt: bool = False
    """The VMs need no snapshots. No other promise can be set."""
    max_age: PositiveDuration | None = None
    """Maximum age of the newest restorable snapshot (the RPO)."""
    min_snapshots: Count | None = None
    """Minimum number of restorable snapshots."""
    max_snapshots: Count | None = None
    """Maximum number of snapshots."""
    max_snapshot_age: PositiveDuration | None = None
    """Maximum age of each snapshot."""
    quiesced: bool = False
    """The newest restorable snapshot was taken with a quiesced file system, or with the VM off."""
    ignore_volumes: tuple[Pattern, ...] = ()
    """Regular expressions for whole names of volumes that need no snapshot."""

    @model_validator(mode="after")
    def _one_promise_at_least(self) -> Self:
        given = [key for key in _PROMISES if getattr(self, key)]
        if self.exempt and given:
            raise SectionError(given[0], "conflicts with exempt. Remove one of them")
        if not self.exempt and not given:
            others = ", ".join(key for key in _PROMISES if key != "max_age")
            raise SectionError("max_age", f"is required, or another promise: exempt, {others}")
        least, most = self.min_snapshots, self.max_snapshots
        if least is not None and most is not None and least > most:
            raise SectionError("min_snapshots", f"should be at most max_snapshots, {most}")
        return self


_PROMISES = (
    *("max_age", "min_snapshots", "max_snapshots", "max_snapshot_age"),
    *("quiesced", "ignore_volumes"),
)
