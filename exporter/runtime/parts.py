"""The smaller parts of a running exporter, and what settings mean to each of them."""

import asyncio
import ctypes
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from exporter.clock import Clock
from exporter.cooperative import TimeSlices
from exporter.metrics.exposition import RenderedCluster, Renderer, RenderOptions
from exporter.refresh.discovery import Search
from exporter.refresh.fleet import Fleet
from exporter.refresh.state import expired, rescheduled
from exporter.refresh.targets import Names, Share, Target, by_cluster
from exporter.rollup import Objective
from exporter.runtime.logs import configure
from exporter.runtime.reload import Commit
from exporter.settings import Objective as ObjectiveSetting
from exporter.settings import Refresh, Settings, SettingsError
from exporter.settings.file_modes import warn_world_readable
from exporter.snapshot import ClusterState
from exporter.store import Store

FIXED = ("listen_address", "telemetry_path")  # keys of the section web that only a restart changes


@dataclass(slots=True)
class Process:
    """What concerns the process as a whole: its address, its log, and who can read its secrets.

    settings: those that are active, at first those of the start. config_file: where they are from.
    """

    settings: Settings
    config_file: Path | None
    _warned: set[Path] = field(default_factory=set, init=False)

    async def prepare(self, settings: Settings) -> Commit:
        """Refuse changes that need a restart; warn, once a file, of secrets that all can read."""
        changed = [
            f"web.{key}: cannot change while the exporter runs; it stays {before} until a restart"
            for key in FIXED
            if (before := getattr(self.settings.web, key)) != getattr(settings.web, key)
        ]
        if changed:
            raise SettingsError(changed)
        await asyncio.to_thread(warn_world_readable, settings, self.config_file, self._warned)

        def commit() -> None:
            if settings.log != self.settings.log:
                configure(level=settings.log.level, log_format=settings.log.format)
            self.settings = settings

        return commit


async def return_memory() -> None:
    """Return freed memory to the system every 15 s: after a flood, glibc would keep it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim:
        trim(0)
        await asyncio.sleep(15.0)


class Publication:
    """How published clusters are rendered, and how long they are kept."""

    def __init__(self, clock: Clock, slices: TimeSlices) -> None:
        self._clock = clock
        self._slices = slices
        self._renderer = Renderer()
        self._refresh: Refresh | None = None
        self.store: Store[RenderedCluster] = Store(
            render=self._renderer, expire=lambda state, now: state, monotonic=clock.monotonic
        )

    @property
    def options(self) -> RenderOptions:
        """What the active settings say about series."""
        return self._renderer.options

    async def prepare(self, settings: Settings) -> Commit:
        """Render all clusters again where their options change; other tasks run meanwhile."""
        wanted = Renderer(render_options(settings))
        render = self._renderer if wanted == self._renderer else wanted
        ready = await self._slices.run(self.store.rerendering(render))

        def commit() -> None:
            self.store.adopt(
                render=render,
                expire=partial(expired, stale_after=settings.refresh.stale_after),
                reschedule=partial(self._rescheduled, settings.refresh),
                ready=ready,
            )
            self._renderer, self._refresh = render, settings.refresh

        return commit

    def _rescheduled(self, refresh: Refresh, state: ClusterState) -> ClusterState:
        if refresh == self._refresh:
            return state
        return rescheduled(
            state,
            self._clock.monotonic(),
            interval=refresh.interval,
            stale_after=refresh.stale_after,
        )


def targets(settings: Settings) -> list[Target]:
    """Return the targets."""
    return [Target(**dict(target)) for target in settings.targets]


def objective(setting: ObjectiveSetting) -> Objective:
    """Return an objective as the roll-up of VMs takes it."""
    # Plain numbers, without the text that the user wrote them as.
    given: dict[str, Any] = {
        key: float(value) if isinstance(value, float) else value for key, value in setting
    }
    return Objective(**{**given, "labels": tuple(setting.labels.items())})


def render_options(settings: Settings) -> RenderOptions:
    """Return what the settings say about series."""
    return RenderOptions(
        objectives=tuple(map(objective, settings.objectives)),
        owner_label=settings.labels.owner or "",
        vm_labels=settings.labels.vm,
        deny=settings.metrics.deny,
        max_series=settings.metrics.max_series,
    )


async def prepare_fleet(fleet: Fleet, settings: Settings) -> Commit:
    """Plan what to read; a cluster that stays keeps its loop."""
    # In a thread, because fleets of thousands of targets take their time.
    configured = await asyncio.to_thread(lambda: by_cluster(targets(settings)))
    context = replace(
        fleet.context,
        interval=settings.refresh.interval,
        stale_after=settings.refresh.stale_after,
        rate=settings.palette.requests_per_second,
        project_uid=settings.palette.project_uid or "",
        share=Share(settings.shard.index, settings.shard.total),
    )
    wanted = settings.discovery
    search = Search(
        interval=wanted.interval,
        clusters=Names(wanted.clusters, wanted.exclude_clusters),
        namespaces=Names(wanted.namespaces, wanted.exclude_namespaces),
    )

    def commit() -> None:
        share = context.share
        context.telemetry.refreshing(context.interval, share.ordinal, share.total)
        fleet.adopt(context, configured, search if wanted.enabled else None)

    return commit
