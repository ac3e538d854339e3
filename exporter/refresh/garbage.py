"""When Python collects garbage: rarely, because a full pass holds the event loop.

A full pass over a large fleet takes some hundred milliseconds. The published state has no rings of
references and goes as soon as nothing refers to it, so a pass finds only the few rings of tasks and
exceptions that got old.
"""

import ctypes
import gc
import resource
from collections.abc import Callable
from pathlib import Path

EVERY = 3600.0
"""Seconds between full passes."""

GROWTH = 32 * 1024 * 1024
"""Bytes by which a process can grow between full passes, once the first round is complete; a
quarter of its size if that is more."""

AGAIN = 15.0
"""The least seconds between two passes because of growth."""

NEVER = 1_000_000_000

# glibc keeps what was freed, after many connections more than half as much as the process had.
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def resident_bytes() -> int:
    """Return the bytes that the process has in memory; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()


class GarbageCollection:
    """Makes full passes instead of Python, which makes them at any moment.

    monotonic: seconds that never go back; resident: returns the bytes that the process has.
    """

    def __init__(
        self, monotonic: Callable[[], float], resident: Callable[[], int] = resident_bytes
    ) -> None:
        self._monotonic = monotonic
        self._resident = resident
        self._due = monotonic() + EVERY
        self._again, self._wait = monotonic(), AGAIN
        self._most: int | None = None
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, NEVER)

    def freeze(self) -> None:
        """Exclude from later passes all objects that exist now."""
        gc.freeze()
        self._most = self._allowed()

    def collect_if_due(self) -> None:
        """Make a full pass if the last is an hour ago, or the process has grown since then.

        What was in use may be garbage soon: after a pass that left the process too large, another
        follows, each after twice the time.
        """
        now = self._monotonic()
        hourly = now >= self._due
        if not hourly and (now < self._again or not self._too_large()):
            return
        # Without a freeze, which would keep the rings of requests that run now forever.
        gc.collect()
        if _trim:
            _trim(0)
        if hourly:
            self._due = now + EVERY
            self._most = self._most and self._allowed()
        self._wait = min(EVERY, 2 * self._wait) if self._too_large() else AGAIN
        self._again = now + self._wait

    def _too_large(self) -> bool:
        return self._most is not None and self._resident() > self._most

    def _allowed(self) -> int:
        size = self._resident()
        return size + max(GROWTH, size // 4)
