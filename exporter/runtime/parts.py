"""The smaller parts of a running exporter, each with what settings change about it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from exporter.clock import Clock
from exporter.metrics.exposition import RenderedCluster, Renderer
from exporter.metrics.options import RenderOptions, ScrapeOptions
from exporter.refresh.probe import Prober
from exporter.refresh.state import expired, rescheduled
from exporter.runtime import from_settings
from exporter.runtime.connection import Connection
from exporter.runtime.logs import configure
from exporter.runtime.reload import Commit
from exporter.settings import Log, Refresh, Settings, SettingsError
from exporter.settings.file_modes import warn_world_readable
from exporter.snapshot import Cluster, ClusterState
from exporter.store import Store
from exporter.web.probe import Probing

FIXED = (("web", "listen_address"), ("web", "telemetry_path"))
"""Section and key of what stays as it was at the start."""


@dataclass(slots=True)
class Process:
    """What concerns the process as a whole: its address, its log, and who can read its secrets.

    first: the settings of the start. config_file: where they are from.
    """

    first: Settings
    config_file: Path | None
    _warned: set[Path] = field(default_factory=set, init=False)
    _log: Log = field(init=False)

    def __post_init__(self) -> None:
        self._log = self.first.log

    async def prepare(self, settings: Settings) -> Commit:
        """Refuse changes that need a restart; warn, once a file, of secrets that all can read."""
        changed = [
            f"{section}.{key}: cannot change while the exporter runs; it stays {before} until a "
            "restart"
            for section, key in FIXED
            if (before := getattr(getattr(self.first, section), key))
            != getattr(getattr(settings, section), key)
        ]
        if changed:
            raise SettingsError(changed)
        await asyncio.to_thread(warn_world_readable, settings, self.config_file, self._warned)

        def commit() -> None:
            if settings.log != self._log:
                configure(level=settings.log.level, log_format=settings.log.format)
            self._log = settings.log

        return commit


@dataclass(slots=True)
class Publication:
    """How published clusters are rendered, and how long they are kept."""

    clock: Clock
    store: Store[RenderedCluster] = field(init=False)
    _renderer: Renderer = field(default_factory=Renderer, init=False)
    scrape_options: ScrapeOptions = field(default_factory=ScrapeOptions, init=False)
    _refresh: Refresh | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.store = Store(
            render=self._renderer,
            expire=lambda state, now: state,
            monotonic=self.clock.monotonic,
        )

    async def prepare(self, settings: Settings) -> Commit:
        """Render all clusters again where their options change; other tasks run meanwhile."""
        wanted = Renderer(render_options(settings))
        same = wanted == self._renderer
        render = self._renderer if same else wanted
        steps = self.store.rerendering(render)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                ready = end.value
                break
            await asyncio.sleep(0)

        def commit() -> None:
            self.store.adopt(
                render=render,
                expire=partial(expired, stale_after=settings.refresh.stale_after),
                reschedule=self._rescheduling(settings),
                ready=ready,
            )
            self._renderer, self._refresh = render, settings.refresh
            self.scrape_options = ScrapeOptions(
                render=render.options, max_series=settings.metrics.max_series
            )

        return commit

    def _rescheduling(self, settings: Settings) -> Callable[[ClusterState], ClusterState]:
        if settings.refresh == self._refresh:
            return lambda state: state
        return partial(
            rescheduled,
            now=self.clock.monotonic(),
            interval=settings.refresh.interval,
            stale_after=settings.refresh.stale_after,
        )


@dataclass(slots=True, kw_only=True)
class Probes:
    """What probes can read, and what reads it."""

    connection: Connection
    clock: Clock
    cluster: Callable[[str], Cluster | None]
    probing: Probing = field(init=False)

    async def prepare(self, settings: Settings) -> Commit:
        """Return what applies the section ``probe``."""
        probing = Probing(
            enabled=settings.probe.enabled,
            allow_unconfigured=settings.probe.allow_unconfigured,
            project_uid=settings.palette.project_uid or "",
            cluster=self.cluster,
            prober=Prober(palette=self.connection.client.palette, monotonic=self.clock.monotonic),
            render=Renderer(render_options(settings)),
        )

        def commit() -> None:
            self.probing = probing

        return commit


def render_options(settings: Settings) -> RenderOptions:
    """Return what the settings say about series."""
    return RenderOptions(
        objectives=tuple(map(from_settings.objective, settings.objectives)),
        owner_label=settings.labels.owner or "",
        vm_labels=settings.labels.vm,
        deny=settings.metrics.deny,
    )
