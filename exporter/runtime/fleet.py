"""The clusters that are watched: those that are configured, and those that discovery finds."""

import asyncio
from collections.abc import Callable
from typing import Any

from exporter.clock import Clock
from exporter.metrics.telemetry import Telemetry
from exporter.palette.client import Palette
from exporter.palette.cluster_directory import ClusterDirectory
from exporter.refresh.cluster import Surroundings
from exporter.refresh.clusters import Refresher
from exporter.refresh.discovery import Discovery, Search
from exporter.refresh.targets import ClusterTargets, Share, by_cluster
from exporter.runtime import from_settings
from exporter.settings import Settings
from exporter.store import Store


class Fleet:
    """Runs the loops of the clusters, and what finds more of these.

    discovery: None where it is off.
    """

    def __init__(self, settings: Settings, shared: Surroundings) -> None:
        self.configured = by_cluster(from_settings.targets(settings))
        self.refresher = Refresher(shared)
        self.discovery: Discovery | None = None
        self._shared = shared
        self._group = asyncio.TaskGroup()
        self._looking: asyncio.Task[None] | None = None
        if settings.discovery.enabled:
            search = _search(settings, shared, self.configured)
            self.discovery = Discovery(search, shared.telemetry, shared.clock)

    @property
    def ready(self) -> bool:
        """Whether clusters were looked for, and each one's first refresh has ended."""
        return (self.discovery is None or self.discovery.ended) and self.refresher.ready

    async def run(self) -> None:
        """Refresh, and discover; ends only when cancelled, or when one of the loops fails."""
        self._group = asyncio.TaskGroup()
        async with self._group:
            self._look()
            self.refresher.apply(self.configured, self._group)
            # Without a cluster there would be nothing to wait for.
            await asyncio.get_running_loop().create_future()

    async def prepare(self, settings: Settings) -> Callable[[], None]:
        """Return what watches by other settings; a cluster that stays keeps its loop."""
        # In a thread, as fleets of thousands of targets take their time.
        configured = await asyncio.to_thread(lambda: by_cluster(from_settings.targets(settings)))
        shared = surroundings(
            settings,
            palette=self._shared.palette,
            store=self._shared.store,
            telemetry=self._shared.telemetry,
            clock=self._shared.clock,
        )
        search = _search(settings, shared, configured) if settings.discovery.enabled else None

        def commit() -> None:
            self._shared, self.configured = shared, configured
            shared.telemetry.sharing(shared.share.ordinal, shared.share.total)
            self.refresher.adopt(shared)
            self._adopt(search)
            wanted = self.discovery.wanted if self.discovery else configured
            self.refresher.apply(wanted, self._group)

        return commit

    def _adopt(self, search: Search | None) -> None:
        if search is None:
            self._look_no_more()
        elif self.discovery is None:
            self.discovery = Discovery(search, self._shared.telemetry, self._shared.clock)
            self._look()
        else:
            self.discovery.adopt(search)

    def _look(self) -> None:
        if self.discovery is not None:
            looking = self.discovery.run(lambda wanted: self.refresher.apply(wanted, self._group))
            self._looking = self._group.create_task(looking, name="discovery")

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._looking = self.discovery = None
        self._shared.telemetry.no_discovery()


def surroundings(
    settings: Settings,
    *,
    palette: Palette,
    store: Store[Any],
    telemetry: Telemetry,
    clock: Clock,
) -> Surroundings:
    """Return what the loops of all clusters share."""
    interval = settings.refresh.interval
    return Surroundings(
        palette=palette,
        directory=ClusterDirectory(palette, clock=clock.monotonic, ask_again_after=interval / 2),
        store=store,
        telemetry=telemetry,
        clock=clock,
        interval=interval,
        stale_after=settings.refresh.stale_after,
        rate=settings.palette.requests_per_second,
        project_uid=settings.palette.project_uid or "",
        share=Share(settings.shard.index, settings.shard.total),
    )


def _search(
    settings: Settings, shared: Surroundings, configured: tuple[ClusterTargets, ...]
) -> Search:
    wanted = settings.discovery
    return Search(
        directory=shared.directory,
        interval=wanted.interval,
        retry_for=shared.retry_for,
        project_uid=shared.project_uid,
        clusters=from_settings.names(wanted.clusters, wanted.exclude_clusters),
        namespaces=from_settings.names(wanted.namespaces, wanted.exclude_namespaces),
        configured=configured,
    )
