"""The smaller parts of a running exporter, each with what a reload changes about it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from exporter.clock import Clock
from exporter.metrics.exposition import RenderedCluster, Renderer
from exporter.metrics.options import RenderOptions
from exporter.palette.client import Palette
from exporter.refresh.probe import Prober, Question
from exporter.refresh.reader import Reading
from exporter.refresh.targets import expired, rescheduled
from exporter.runtime import from_settings
from exporter.runtime.logs import configure
from exporter.runtime.reload import Commit
from exporter.settings import Settings, SettingsError
from exporter.settings.file_modes import Exposures
from exporter.single_flight import Flights
from exporter.snapshot import Cluster, ClusterState
from exporter.store import Store
from exporter.web.probe import Probing

FIXED = (("web", "listen_address"), ("web", "telemetry_path"))
"""Section and key of what stays as it was at the start."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Fixed:
    """What cannot change while the exporter runs."""

    settings: Settings

    async def prepare(self, settings: Settings) -> Commit:
        """Refuse other values."""
        changed = [
            f"{section}.{key}: cannot change while the exporter runs; it is "
            f"{getattr(getattr(self.settings, section), key)} until a restart"
            for section, key in FIXED
            if getattr(getattr(settings, section), key)
            != getattr(getattr(self.settings, section), key)
        ]
        if changed:
            raise SettingsError(changed)
        return _nothing


@dataclass(slots=True)
class Exposed:
    """The files that settings name, as far as they hold secrets."""

    config_file: Path | None
    _exposures: Exposures = field(default_factory=Exposures, init=False)

    def warn(self, settings: Settings) -> None:
        """Warn of those that everybody may read, of each once."""
        self._exposures.warn(settings, self.config_file)

    async def prepare(self, settings: Settings) -> Commit:
        """Warn of others; that is as true where the settings are refused."""
        await asyncio.to_thread(self.warn, settings)
        return _nothing


@dataclass(slots=True)
class LogLines:
    """How log lines look, and which there are."""

    settings: Settings

    async def prepare(self, settings: Settings) -> Commit:
        """Return what changes both, where they change."""

        def commit() -> None:
            if settings.log != self.settings.log:
                configure(level=settings.log.level, log_format=settings.log.format)
            self.settings = settings

        return commit


@dataclass(slots=True)
class Publication:
    """What is published of clusters, how it is rendered, and for how long it is kept."""

    settings: Settings
    clock: Clock
    store: Store[RenderedCluster] = field(init=False)
    _renderer: Renderer = field(init=False)

    def __post_init__(self) -> None:
        self._renderer = Renderer(render_options(self.settings))
        self.store = Store(
            render=self._renderer,
            expire=partial(expired, stale_after=self.settings.refresh.stale_after),
            monotonic=self.clock.monotonic,
        )

    async def prepare(self, settings: Settings) -> Commit:
        """Render all clusters aside where objectives change; others have their turn meanwhile."""
        wanted = Renderer(render_options(settings))
        same = wanted == self._renderer
        render = self._renderer if same else wanted
        steps = self.store.rendering(render)
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
            self._renderer, self.settings = render, settings

        return commit

    def _rescheduling(self, settings: Settings) -> Callable[[ClusterState], ClusterState]:
        if settings.refresh == self.settings.refresh:
            return lambda state: state
        return partial(
            rescheduled,
            now=self.clock.monotonic(),
            interval=settings.refresh.interval,
            stale_after=settings.refresh.stale_after,
        )


@dataclass(slots=True, kw_only=True)
class Probes:
    """What probes are let do, and who does it."""

    palette: Palette
    clock: Clock
    cluster: Callable[[str], Cluster | None]
    flights: Flights[Question, Reading]
    probing: Probing = field(init=False)

    def begin(self, settings: Settings) -> None:
        """Go by these settings."""
        self.probing = Probing(
            enabled=settings.probe.enabled,
            allow_unconfigured=settings.probe.allow_unconfigured,
            project_uid=settings.palette.project_uid or "",
            cluster=self.cluster,
            prober=Prober(
                palette=self.palette, monotonic=self.clock.monotonic, flights=self.flights
            ),
            render=Renderer(render_options(settings)),
        )

    async def prepare(self, settings: Settings) -> Commit:
        """Return what goes by other settings."""
        return partial(self.begin, settings)


def render_options(settings: Settings) -> RenderOptions:
    """Return what the settings say about series."""
    return RenderOptions(
        objectives=tuple(map(from_settings.objective, settings.objectives)),
        owner_label=settings.labels.owner or "",
        vm_labels=settings.labels.vm,
        deny=settings.metrics.deny,
    )
