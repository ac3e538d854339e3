"""Detection of changes to files."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.clock import Clock
from exporter.settings.files import digest

LOOK_EVERY = 2.0
"""Seconds."""

SETTLED_AFTER = 1.0
"""Seconds without another change after which one counts: half a file can be valid too."""

Look = Mapping[Path, bytes]
"""Hashes of the files."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Compares the contents of files, however they change: written in place, renamed, or behind a
    symbolic link that is swapped, as Kubernetes mounts them.

    files: returns the files; they depend on the content of the first one.
    seen: the files when they were last read.
    """

    files: Callable[[], Iterable[Path]]
    seen: Look = field(default_factory=dict)
    _names: tuple[Path, ...] = field(default=(), init=False)

    def look(self) -> Look:
        """Return how the files look now. The list of files is read again when the first changes."""
        if not self._names or digest(self._names[0]) != self.seen.get(self._names[0]):
            self._names = tuple(self.files())
        return {name: digest(name) for name in self._names}

    async def run(self, changed: Callable[[], None], clock: Clock) -> None:
        """Look every few seconds, and call ``changed`` after a change; ends only when cancelled."""
        while True:
            await clock.sleep(LOOK_EVERY)
            look = await asyncio.to_thread(self.look)
            while look != self.seen:
                await clock.sleep(SETTLED_AFTER)
                before, look = look, await asyncio.to_thread(self.look)
                if look == before:
                    self.seen = look
                    changed()
