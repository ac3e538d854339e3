"""Starts the exporter with a signal or a bug: python launcher.py AMISS [flags of the exporter].

AMISS is a key of STAGES, at which a signal comes, or of BUGS, where a collaborator raises.
"""

import importlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from exporter.cli import main

CANARY = "c4n4ry-S3CR3T-9f"


@cache
def interrupt() -> None:
    """Send this process a signal, once: a second one ends it without grace."""
    os.kill(os.getpid(), int(os.environ["SIGNAL"]))


class OnImport:
    """Sends the signal when a module is imported."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == self._name:
            interrupt()
        return None


def on_import(name: str) -> Callable[[], None]:
    return lambda: sys.meta_path.insert(0, OnImport(name))


def on_call(module: str, name: str) -> Callable[[], None]:
    """Send the signal when a function is called."""

    def arrange() -> None:
        home = importlib.import_module(module)
        real = getattr(home, name)

        def interrupted(*args: Any, **kwargs: Any) -> Any:
            interrupt()
            return real(*args, **kwargs)

        setattr(home, name, interrupted)

    return arrange


def bug(module: str, *path: str, after: int = 0) -> Callable[[], None]:
    """Make a function with access to a secret raise, after a number of good calls."""

    def arrange() -> None:
        home: Any = importlib.import_module(module)
        for name in path[:-1]:
            home = getattr(home, name)

        real, good = getattr(home, path[-1]), iter(range(after))

        def raising(*args: Any, **kwargs: Any) -> Any:
            if next(good, None) is not None:
                return real(*args, **kwargs)
            at_hand = CANARY[:]
            raise TypeError(f"a bug, beside {len(at_hand)} characters")

        setattr(home, path[-1], raising)

    return arrange


def slow_reload() -> None:
    """Make every load of the settings except the first hang."""
    source: Any = importlib.import_module("exporter.settings.source")
    real, began = source.load, Path(os.environ["BEGAN"])

    def hanging(**kwargs: Any) -> Any:
        if began.exists():
            began.write_text("again")
            time.sleep(60)
        began.touch()
        return real(**kwargs)

    source.load = hanging


STAGES: dict[str, Callable[[], None]] = {
    "first-import": on_import("exporter.settings.flags"),
    "import-of-settings": on_import("pydantic"),
    "import-of-all": on_import("exporter.runtime.run"),
    "reading-settings": on_call("exporter.settings.source", "load"),
    "before-the-loop": on_call("uvloop", "new_event_loop"),
    "connecting": on_call("exporter.runtime.run", "Connection"),
    "binding": on_call("exporter.runtime.run", "served"),
    "first-refresh": on_call("exporter.refresh.cluster", "plan"),
}
BUGS: dict[str, Callable[[], None]] = {
    "cluster": bug("exporter.refresh.reader", "ClusterReader", "read"),
    "discovery": bug("exporter.refresh.discovery", "Discovery", "added_to"),
    "watch": bug("exporter.settings.files", "Watch", "look", after=1),
    "reload": bug("exporter.runtime.parts", "Publication", "prepare", after=1),
    "listening": bug("exporter.web.guard.listener", "Listener", "listen"),
}
AMISS = {"slow-reload": slow_reload, **STAGES, **BUGS}


def arrange(amiss: str) -> None:
    """Put it into this process."""
    AMISS[amiss]()


if __name__ == "__main__":
    arrange(sys.argv[1])
    raise SystemExit(main(sys.argv[2:]))
