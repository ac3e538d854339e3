"""One way for new settings to take the place of the old ones, whoever asks for it.

They are read and checked whole, every part builds aside what they mean for it, and only then does
each part put that into force, all in one step. What is refused anywhere on the way changes nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from exporter.metrics.telemetry import Telemetry
from exporter.settings import Settings, SettingsError

STOPPING = "the exporter is stopping"

PAUSE = 1.0
"""Seconds between two reloads: each of them asks Palette for the clusters."""

Commit = Callable[[], None]
"""Puts into force what was built aside. It cannot fail, and does not take long."""

log = structlog.get_logger()


class Part(Protocol):
    """Something that goes by settings, and can go by others."""

    async def prepare(self, settings: Settings) -> Commit:
        """Build aside what the settings mean, without a change to what runs.

        Raises SettingsError where they cannot be gone by.
        """


@dataclass(slots=True, kw_only=True)
class Reloader:
    """Reads the settings again, one time after the other.

    read: reads and checks all settings, as at the start; raises SettingsError.
    parts: in the order in which they change.
    wall: seconds since the epoch.
    asked: whether somebody asked who does not wait for the outcome.
    refused: why the last reload was refused; "" when it succeeded, and before the first.
    """

    read: Callable[[], Settings]
    parts: Sequence[Part]
    telemetry: Telemetry
    wall: Callable[[], float]
    asked: asyncio.Event
    _askers: list[asyncio.Future[str]] = field(default_factory=list, init=False)
    refused: str = field(default="", init=False)

    async def reload(self) -> str:
        """Return "" once the settings as they are now are in force, or why they were refused."""
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._askers.append(outcome)
        self.asked.set()
        return await outcome

    async def run(self) -> None:
        """Reload whenever asked; ends only when cancelled, or by a fault of the exporter's own.

        Those who ask while a reload is under way share the next one: the files may have changed
        since the first was begun.
        """
        askers: list[asyncio.Future[str]] = []
        try:
            while True:
                await self.asked.wait()
                self.asked.clear()
                askers, self._askers = self._askers, []
                _tell(askers, await self._once())
                await asyncio.sleep(PAUSE)
        finally:
            _tell([*askers, *self._askers], STOPPING)

    async def _once(self) -> str:
        try:
            # In a thread: a long file takes seconds, and a network's file system may hang.
            settings = await asyncio.to_thread(self.read)
            commits = [await part.prepare(settings) for part in self.parts]
        except SettingsError as error:
            self._refuse(str(error))
            return str(error)
        for commit in commits:
            commit()
        self.refused = ""
        self.telemetry.configured(self.wall())
        log.info("configuration reloaded")
        return ""

    def _refuse(self, reason: str) -> None:
        self.telemetry.refused()
        if reason != self.refused:
            log.error("configuration refused; the one before stays in force", reason=reason)
        self.refused = reason


def _tell(askers: Sequence[asyncio.Future[str]], outcome: str) -> None:
    for asker in askers:
        if not asker.done():  # one who asked may have left
            asker.set_result(outcome)
