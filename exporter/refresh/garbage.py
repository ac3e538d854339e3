"""When Python looks through all of its objects for garbage: seldom, as that holds the event loop.

A full pass over a large fleet takes some hundred milliseconds. What is published holds no rings of
references and goes as soon as nothing refers to it, so a pass finds only the few rings of tasks and
exceptions that got old, and these can wait.
"""

import gc
from collections.abc import Callable

EVERY = 3600.0
"""Seconds between full passes."""

NEVER = 1_000_000_000


class GarbageCollection:
    """Makes full passes in the place of Python, which makes them at any moment.

    monotonic: seconds that never go back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._due = monotonic() + EVERY
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, NEVER)

    def freeze(self) -> None:
        """Look through it no more, once most of what stays for long is there."""
        gc.freeze()

    def collect_if_due(self) -> None:
        """Make one where the last is an hour ago."""
        if self._monotonic() >= self._due:
            self._due = self._monotonic() + EVERY
            gc.collect()
            gc.freeze()
