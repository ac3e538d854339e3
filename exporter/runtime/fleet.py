"""What settings mean for the clusters that are watched: the configured and the discovered ones."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exporter.clock import Clock
from exporter.cooperative import TimeSlices
from exporter.metrics.telemetry import Telemetry
from exporter.palette.client import Palette
from exporter.palette.cluster_directory import ClusterDirectory
from exporter.refresh.cluster import RefreshContext
from exporter.refresh.discovery import Search
from exporter.refresh.fleet import Fleet
from exporter.refresh.targets import ClusterTargets, Names, Share, by_cluster
from exporter.runtime import from_settings
from exporter.runtime.reload import Commit
from exporter.settings import Settings
from exporter.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """Applies settings to the fleet, whose loops use the other parts."""

    fleet: Fleet
    palette: Palette
    store: Store[Any]
    telemetry: Telemetry
    clock: Clock
    slices: TimeSlices

    async def prepare(self, settings: Settings) -> Commit:
        """Plan what to read; a cluster that stays keeps its loop."""
        # In a thread, because fleets of thousands of targets take their time.
        configured = await asyncio.to_thread(lambda: by_cluster(from_settings.targets(settings)))
        context = self._context(settings)
        search = _search(settings, context, configured)

        def commit() -> None:
            self.telemetry.sharing(context.share.ordinal, context.share.total)
            self.telemetry.refreshing(context.interval)
            self.fleet.adopt(context, configured, search)

        return commit

    def _context(self, settings: Settings) -> RefreshContext:
        interval = settings.refresh.interval
        return RefreshContext(
            palette=self.palette,
            directory=ClusterDirectory(
                self.palette, clock=self.clock.monotonic, ask_again_after=interval / 2
            ),
            store=self.store,
            telemetry=self.telemetry,
            clock=self.clock,
            slices=self.slices,
            interval=interval,
            stale_after=settings.refresh.stale_after,
            rate=settings.palette.requests_per_second,
            project_uid=settings.palette.project_uid or "",
            share=Share(settings.shard.index, settings.shard.total),
        )


def _search(
    settings: Settings, context: RefreshContext, configured: Sequence[ClusterTargets]
) -> Search | None:
    """Return which clusters to discover, in addition to the configured ones; None for none."""
    wanted = settings.discovery
    if not wanted.enabled:
        return None
    return Search(
        context=context,
        interval=wanted.interval,
        clusters=Names(wanted.clusters, wanted.exclude_clusters),
        namespaces=Names(wanted.namespaces, wanted.exclude_namespaces),
        configured=configured,
    )
