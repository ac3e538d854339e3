"""One way for settings to take effect, at the start and at every reload.

They are read and checked as a whole, every part prepares what they mean for it, and only then does
each part apply that, all in one step. A refusal anywhere changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from exporter.metrics.telemetry import Telemetry
from exporter.settings import Settings, SettingsError

STOPPING = "the exporter is stopping"

NO_THREAD = "can't start new thread"  # Python's RuntimeError where no more threads are allowed
PAUSE = 1.0  # seconds between two reloads: each of them asks Palette for the clusters

Commit = Callable[[], None]
"""Applies what was prepared. It cannot fail, and does not take long."""

Prepare = Callable[[Settings], Awaitable[Commit]]
"""Prepares what settings mean for a part, without a change to what runs. Raises SettingsError
where they cannot be used."""

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Reloader:
    """Reads the settings again, one time after the other.

    read: reads and checks all settings, as at the start; raises SettingsError.
    parts: in the order in which they change.
    wall: seconds since the epoch.
    requested: set by a request that does not wait for the outcome.
    settings: those that are active.
    refused: why the last reload was refused; "" when it succeeded, and before the first.
    """

    read: Callable[[], Settings]
    telemetry: Telemetry
    wall: Callable[[], float]
    requested: asyncio.Event
    parts: Sequence[Prepare] = ()
    settings: Settings = field(init=False)
    refused: str = field(default="", init=False)
    _next: asyncio.Future[str] = field(default_factory=asyncio.Future, init=False)

    async def apply(self, settings: Settings) -> None:
        """Make all parts use the settings, or none of them. Raises SettingsError."""
        self._commit(settings, await self._prepared(settings))

    async def _prepared(self, settings: Settings) -> list[Commit]:
        return [await prepare(settings) for prepare in self.parts]

    def _commit(self, settings: Settings, commits: Iterable[Commit]) -> None:
        for commit in commits:
            commit()
        self.settings = settings
        self.telemetry.configured(self.wall())

    async def reload(self) -> str:
        """Return "" once the settings as they are now are active, or why they were refused."""
        self.requested.set()
        # Shielded: the others who wait do not leave with this one.
        return await asyncio.shield(self._next)

    async def run(self) -> None:
        """Reload at each request; ends only when cancelled, or by a fault of the exporter's own.

        Requests during a reload share the next one: files can have changed since the reload began.
        """
        outcome = self._next
        try:
            while True:
                await self.requested.wait()
                self.requested.clear()
                outcome, self._next = self._next, asyncio.Future()
                outcome.set_result(await self._reload())
                await asyncio.sleep(PAUSE)
        finally:
            for each in {outcome, self._next}:
                if not each.done():
                    each.set_result(STOPPING)

    async def _reload(self) -> str:
        try:
            # In a thread: a long file takes seconds, and a network file system can hang.
            settings = await asyncio.to_thread(self.read)
            commits = await self._prepared(settings)
        except SettingsError as error:
            refused = str(error)
        except (OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and str(error) != NO_THREAD:
                raise
            refused = f"the settings cannot be read: {getattr(error, 'strerror', None) or error}"
        else:
            refused = ""
            # Not above: what fails here is no refusal, because a part of it is already active.
            self._commit(settings, commits)
            log.info("configuration reloaded")
        if refused:
            self.telemetry.refused()
        if refused not in ("", self.refused):
            log.error("configuration refused; the previous one stays active", reason=refused)
        self.refused = refused
        return refused
