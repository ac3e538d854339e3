"""What ``--config.check`` prints: what the settings mean, without asking Palette; pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from exporter.check.objectives import Place, places, unused
from exporter.duration import format_duration
from exporter.metrics.exposition import FAMILIES, RenderOptions
from exporter.metrics.families import (
    CLUSTER_FAMILIES,
    SNAPSHOT_FAMILIES,
    VM_FAMILIES,
    SnapshotRow,
    vm_labels_family,
)
from exporter.metrics.family import AnyFamily
from exporter.refresh.plan import plan
from exporter.refresh.targets import ClusterTargets, Share
from exporter.rollup import first_objective, row_of
from exporter.settings import Settings
from exporter.snapshot import Cluster, ClusterState, Condition, Snapshot, VirtualMachine
from exporter.volumes import Volumes
from exporter.wording import count, printable, some, table

T = TypeVar("T")

REQUESTS_PER_CLUSTER = 2  # at least, for a whole cluster: a page of snapshots and one of VMs
ROWS = 8  # clusters that are listed; more would not fit a screen
SNAPSHOTS, VMS = 1_000, 333  # the fleet whose series are counted: three snapshots for each VM

USED_BY_NOTHING = frozenset(
    {
        "palette_cluster_info",
        "palette_vm_info",
        "palette_vm_labels",
        "palette_vm_restore_in_progress",
    }
)
"""Families that no shipped rule and no shipped dashboard needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Settings, with the values that are made from them.

    configured: the targets by cluster. options: of the metrics.
    demo: whether a simulated Palette is read.
    """

    settings: Settings
    configured: Sequence[ClusterTargets]
    options: RenderOptions
    demo: bool = False

    def lines(self) -> Iterator[str]:
        """Yield the text, one screen of it."""
        return printable(self._lines())

    def _lines(self) -> Iterator[str]:
        yield "The configuration is valid."
        yield ""
        yield from self._clusters()
        yield from self._discovery()
        yield from self._requests()
        yield from self._objectives()
        yield from self._series()
        yield ""
        yield "Next: --config.check.live reads everything once. --config.print prints all settings."

    def _clusters(self) -> Iterator[str]:
        palette = self.settings.palette
        scope = f"project {palette.project_uid}" if palette.project_uid else "tenant"
        url = "simulated, inside this process" if self.demo else palette.url
        yield f"Palette:     {url}; scope: {scope}"
        yield f"Clusters:    {len(self.configured)} configured"
        if self.configured:
            heads = ("cluster", "name", "watched")
            for line in table([heads, *map(_row, self.configured[:ROWS])]):
                yield f"  {line}"
        if len(self.configured) > ROWS:
            yield f"  and {len(self.configured) - ROWS:,} more"

    def _discovery(self) -> Iterator[str]:
        wanted = self.settings.discovery
        if not wanted.enabled:
            yield "Discovery:   off; only the targets are watched."
            return
        yield (
            f"Discovery:   every {format_duration(wanted.interval)}; "
            f"clusters {_matching(wanted.clusters, wanted.exclude_clusters)}; "
            f"namespaces {_matching(wanted.namespaces, wanted.exclude_namespaces)}"
        )

    def _requests(self) -> Iterator[str]:
        """Compare a round with the interval. How many pages the lists have is not known."""
        shard, discovers = self.settings.shard, self.settings.discovery.enabled
        rate, interval = self.settings.palette.requests_per_second, self.settings.refresh.interval
        share = Share(shard.index, shard.total)
        ours = [targets for targets in self.configured if targets.uid in share]
        if shard.total > 1:
            more = ", plus its share of the discovered ones" if discovers else ""
            yield (
                f"Shard:       {shard.index} (of {shard.total}): reads {len(ours)} of "
                f"{count(len(self.configured), 'configured cluster')}{more}."
            )
        requests = sum(plan(targets).requests for targets in ours)
        limits = f"{rate:g} a second; refresh.interval is {format_duration(interval)}"
        if ours:
            configured = f"at least {requests:,} in a round of the configured clusters"
            limits = f"{configured}: {requests / rate:.1f} s at {limits}"
        yield f"Requests:    {limits}"
        if requests > interval * rate:
            yield (
                "  warning: a round takes longer than refresh.interval. Use a longer interval, or "
                "several shards (shard.total)."
            )
        elif discovers:
            room = int(interval * rate - requests) // REQUESTS_PER_CLUSTER
            yield (
                f"  Each discovered cluster takes at least {REQUESTS_PER_CLUSTER}: "
                f"at most {room:,} fit into the interval."
            )

    def _objectives(self) -> Iterator[str]:
        yield f"Objectives:  {len(self.options.objectives)}"
        if not self.options.objectives:
            yield "  warning: without objectives, no alert reports that snapshots are too old."
        discovered = [Place()] if self.settings.discovery.enabled else []
        for sentence in unused(self.options.objectives, [*places(self.configured), *discovered]):
            yield f"  warning: {sentence}"

    def _series(self) -> Iterator[str]:
        total = _series(self.options)
        yield f"Series:      about {total:,} for each {SNAPSHOTS:,} snapshots of {VMS} VMs"
        needed = {family.name for family in FAMILIES} - USED_BY_NOTHING
        denied = sorted(name for name in needed if not self.options.allows(name))
        if denied:
            yield (
                f"  warning: metrics.deny leaves out {some(denied)}. Shipped alert rules or "
                "dashboards need them, and stay silent or empty."
            )


def _row(targets: ClusterTargets) -> tuple[str, ...]:
    return targets.uid, targets.name or "(from Palette)", _watched(targets)


def _watched(targets: ClusterTargets) -> str:
    coverage = targets.coverage
    paths = {
        "namespace": sorted(coverage.namespaces),
        "VM": ["/".join(vm) for vm in sorted(coverage.vms)],
        "snapshot": ["/".join(target) for target in targets.named],
    }
    whole = ["everything"] if coverage.everywhere else []
    return "; ".join(whole + [_counted(kind, names) for kind, names in paths.items() if names])


def _counted(kind: str, names: Sequence[str]) -> str:
    return f"{kind} {names[0]}" if len(names) == 1 else f"{len(names)} {kind}s: {some(names)}"


def _matching(include: Sequence[re.Pattern[str]], exclude: Sequence[re.Pattern[str]]) -> str:
    wanted = " or ".join(each.pattern for each in include) or "nothing (the list is empty)"
    unwanted = " or ".join(each.pattern for each in exclude)
    return f"matching {wanted}" + (f" but not {unwanted}" if unwanted else "")


def _series(options: RenderOptions) -> int:
    """Return the series of a cluster with SNAPSHOTS good snapshots of VMS virtual machines."""
    cluster = Cluster(uid="uid", name="name")
    vm = VirtualMachine(namespace="n", name="0", created_at=0.0)
    snapshot = Snapshot(
        namespace=vm.namespace,
        vm=vm.name,
        name="0",
        requested_at=0.0,
        creation_time=0.0,
        phase="Succeeded",
        conditions=(Condition("Progressing", "false", 0.0), Condition("Ready", "true", 0.0)),
        ready_to_use=True,
        indications=("Online", "GuestAgent"),
        volumes=Volumes(included=("rootdisk",)),
    )
    row = row_of(vm, [snapshot], first_objective(options.objectives, cluster, vm))
    snapshots = _samples(options, SNAPSHOT_FAMILIES, SnapshotRow(snapshot, orphan=False, vm=vm))
    vms = _samples(options, (*VM_FAMILIES, vm_labels_family(options.vm_labels)), row)
    clusters = _samples(options, CLUSTER_FAMILIES, ClusterState(cluster=cluster, up=True))
    return SNAPSHOTS * snapshots + VMS * vms + clusters


def _samples(options: RenderOptions, families: Iterable[AnyFamily[T]], subject: T) -> int:
    texts = [family.text([("", subject)]) for family in families if options.allows(family.name)]
    return "".join(texts).count("\n")
