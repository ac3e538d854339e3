"""What ``--config.check`` prints: what the settings mean, without asking Palette; pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.check.objectives import Place, places, unused
from exporter.check.series import SNAPSHOTS, VMS, needed, series
from exporter.check.text import printable, table
from exporter.duration import format_duration
from exporter.metrics.exposition import RenderOptions
from exporter.refresh.plan import plan
from exporter.refresh.targets import ClusterTargets, Share
from exporter.settings import Settings
from exporter.wording import count, some

REQUESTS_PER_CLUSTER = 2
"""Requests that a whole cluster takes at least: a page of snapshots and one of VMs."""

ROWS = 8
"""Clusters that are listed; more would not fit a screen."""


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
        total = series(self.options)
        yield f"Series:      about {total:,} for each {SNAPSHOTS:,} snapshots of {VMS} VMs"
        denied = sorted(needed(self.options))
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
