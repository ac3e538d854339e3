"""Tries what the exporter would read: the dashboard, and a call or two for each cluster."""

import asyncio
import math
import time
from collections.abc import Awaitable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from exporter.palette.client import Palette
from exporter.palette.cluster_directory import ClusterDirectory
from exporter.palette.errors import PaletteError
from exporter.palette.wire import Fault, Page
from exporter.refresh.plan import Plan, plan
from exporter.refresh.targets import (
    ClusterTargets,
    Share,
    SnapshotTarget,
    by_cluster,
    identity,
    with_discovered,
)
from exporter.runtime import from_settings
from exporter.runtime.connection import connect
from exporter.runtime.demo import simulated
from exporter.settings import Settings
from exporter.snapshot import Cluster, Snapshot, VirtualMachine

PATIENCE = 2.0
"""Seconds for which a request is retried; somebody is waiting at a terminal."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one call brought; more: whether the list goes on behind its first page."""

    count: int
    more: bool = False


Sight = Seen | PaletteError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSight:
    """What may be read of a cluster; None: not wanted of it, so not tried."""

    cluster: Cluster
    snapshots: Sight | None = None
    virtual_machines: Sight | None = None

    @property
    def errors(self) -> tuple[PaletteError, ...]:
        """What went wrong."""
        sights = (self.snapshots, self.virtual_machines)
        return tuple(sight for sight in sights if isinstance(sight, PaletteError))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What was tried.

    dashboard: of discovery, what it lists; None where discovery is off.
    discovered: how many clusters of these are wanted.
    unreadable: how many values there were that make no sense.
    """

    project_uid: str
    dashboard: Sight | None
    discovered: int
    clusters: tuple[ClusterSight, ...]
    requests: int
    unreadable: int

    @property
    def good(self) -> bool:
        """Whether everything could be read."""
        failed = isinstance(self.dashboard, PaletteError)
        return not failed and not any(cluster.errors for cluster in self.clusters)


@dataclass(slots=True)
class _Tally:
    """Counts what the transport and the decoder report."""

    requests: int = 0
    faults: set[Fault] = field(default_factory=set)

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        self.requests += 1

    def throttled(self, seconds: float) -> None:
        """Waiting for the budget is as it should be."""


async def look(settings: Settings) -> Outlook:
    """Try the calls, within the configured time-out and budget.

    Raises nothing that Palette can cause; SettingsError where a file that settings
    name has changed for the worse.
    """
    tally = _Tally()
    async with AsyncExitStack() as stack:
        connection = await connect(settings, tally, time.monotonic, stack)
        looker = _Looker(settings, Palette(connection.transport, tally.faults.add))
        dashboard, found = await looker.dashboard()
        clusters = await looker.clusters(found)
    return Outlook(
        project_uid=settings.palette.project_uid or "",
        dashboard=dashboard,
        discovered=len(found),
        clusters=clusters,
        requests=tally.requests,
        unreadable=len(tally.faults),
    )


async def look_at_demo(settings: Settings) -> Outlook:
    """Do the same with a simulated Palette, as ``--demo`` runs it."""
    async with simulated() as pointed:
        return await look(pointed(settings))


class _Looker:
    """Asks as the exporter does, but for first pages only."""

    def __init__(self, settings: Settings, palette: Palette) -> None:
        self._settings = settings
        self._palette = palette
        self._project_uid = settings.palette.project_uid or ""
        self._directory = ClusterDirectory(palette, clock=time.monotonic, ask_again_after=math.inf)

    async def dashboard(self) -> tuple[Sight | None, tuple[Cluster, ...]]:
        """Return what discovery would see, and the clusters among it that are wanted."""
        wanted = self._settings.discovery
        if not wanted.enabled:
            return None, ()
        try:
            found = await self._directory.ask(self._project_uid, retry_for=PATIENCE)
        except PaletteError as error:
            return error, ()
        names = from_settings.names(wanted.clusters, wanted.exclude_clusters)
        return Seen(len(found)), tuple(cluster for cluster in found if cluster.name in names)

    async def clusters(self, discovered: Iterable[Cluster]) -> tuple[ClusterSight, ...]:
        """Look at the clusters of this exporter's share, all at once."""
        wanted, shard = self._settings.discovery, self._settings.shard
        share = Share(shard.index, shard.total)
        wanted_clusters = with_discovered(
            by_cluster(from_settings.targets(self._settings)),
            discovered,
            from_settings.names(wanted.namespaces, wanted.exclude_namespaces),
        )
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._cluster(targets))
                for targets in wanted_clusters
                if targets.uid in share
            ]
        return tuple(task.result() for task in tasks)

    async def _cluster(self, targets: ClusterTargets) -> ClusterSight:
        found = None
        if not targets.name:
            scope = targets.project_uid or self._project_uid
            found = await self._directory.find(targets.uid, scope)
        cluster, calls = identity(targets, self._project_uid, found), plan(targets)
        async with asyncio.TaskGroup() as group:
            snapshots = group.create_task(self._snapshots(cluster, calls))
            machines = group.create_task(self._machines(cluster, calls))
        return ClusterSight(
            cluster=cluster, snapshots=snapshots.result(), virtual_machines=machines.result()
        )

    async def _snapshots(self, cluster: Cluster, calls: Plan) -> Sight:
        for each in (*calls.snapshots, *calls.named)[:1]:
            return await _page(
                self._palette.first_snapshots(
                    cluster.uid,
                    namespaces=each.namespaces,
                    vms=each.vms,
                    project_uid=cluster.project_uid or None,
                    retry_for=PATIENCE,
                )
            )
        return await self._named(cluster, calls.one_by_one[0])

    async def _named(self, cluster: Cluster, target: SnapshotTarget) -> Sight:
        try:
            await self._palette.snapshot(
                cluster.uid,
                target,
                project_uid=cluster.project_uid or None,
                retry_for=PATIENCE,
            )
        except PaletteError as error:
            return error
        return Seen(1)

    async def _machines(self, cluster: Cluster, calls: Plan) -> Sight | None:
        for each in calls.virtual_machines[:1]:
            return await _page(
                self._palette.first_virtual_machines(
                    cluster.uid,
                    namespaces=each.namespaces,
                    project_uid=cluster.project_uid or None,
                    retry_for=PATIENCE,
                )
            )
        return None


async def _page(call: Awaitable[Page[Snapshot] | Page[VirtualMachine]]) -> Sight:
    try:
        page = await call
    except PaletteError as error:
        return error
    return Seen(len(page.items), more=page.continue_token is not None)
