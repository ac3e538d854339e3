"""Notices that the files change which the settings are read from."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.clock import Clock
from exporter.settings.files import digest

LOOK_EVERY = 2.0
"""Seconds."""

SETTLED_AFTER = 1.0
"""Seconds without another change after which one is believed: half a file may well be valid."""

Look = Mapping[Path, bytes]
"""The files there are, and what tells the content of each from any other."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Compares contents, so that it is all the same how they come about: written in place, renamed,
    or behind a symbolic link that is swapped, as Kubernetes mounts them.

    files: returns the files, by the content of the first, where there is one.
    seen: how they looked when the settings were read the last time.
    """

    files: Callable[[], Iterable[Path]]
    seen: Look = field(default_factory=dict)
    _names: tuple[Path, ...] = field(default=(), init=False)

    def look(self) -> Look:
        """Return how the files look now; which these are is asked for where that may change."""
        if not self._names or digest(self._names[0]) != self.seen.get(self._names[0]):
            self._names = tuple(self.files())
        return {name: digest(name) for name in self._names}

    async def run(self, changed: Callable[[], None], clock: Clock) -> None:
        """Look every few seconds, and tell when something has changed; ends only when cancelled."""
        while True:
            await clock.sleep(LOOK_EVERY)
            look = await asyncio.to_thread(self.look)
            while look != self.seen:
                await clock.sleep(SETTLED_AFTER)
                before, look = look, await asyncio.to_thread(self.look)
                if look == before:
                    self.seen = look
                    changed()
