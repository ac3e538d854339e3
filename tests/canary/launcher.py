"""Starts the exporter with a fault in it: python launcher.py FAULT ROUTES [flags of the exporter].

FAULT is a key of FAULTS; what fails says all it can about every object of the exporter's. ROUTES
is a file for the paths that the exporter answers, one a line.
"""

import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from exporter.cli import main
from exporter.metrics.telemetry import Telemetry
from exporter.refresh.reader import ClusterReader

MODULES = ("exporter.", "pydantic", "functools")
"""Modules whose objects are reported: ours, and those that show what ours hold."""


def told() -> str:
    """Return what repr and str say of every object of these modules."""
    shown: set[str] = set()
    # What was frozen is not among the objects that the collector knows.
    gc.unfreeze()
    for each in gc.get_objects():
        # A class whose __module__ is a descriptor is none of ours.
        if str(type(each).__module__).startswith(MODULES):
            # The repr of a library's object that it holds may fail; that shows nothing either.
            with suppress(Exception):
                shown |= {repr(each), str(each)}
    return "\n".join(sorted(shown))


TELLING = iter([told])
"""The function that reports the objects, once."""


def failing(*args: Any, **kwargs: Any) -> Any:
    """Stand in for what fails."""
    raise RuntimeError(next(TELLING, str)())


def break_answers() -> None:
    """Let every scrape fail."""
    Telemetry.text = failing  # type: ignore[method-assign]


def break_refreshes() -> None:
    """Let every refresh fail by a bug."""
    ClusterReader.read = failing  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "answers": break_answers,
    "refreshes": break_refreshes,
}


def note_routes(path: Path) -> None:
    """Let the application write down what it answers."""
    freeze = web.Application.freeze

    def noting(self: web.Application) -> None:
        path.write_text("\n".join(sorted({each.canonical for each in self.router.resources()})))
        freeze(self)

    web.Application.freeze = noting  # type: ignore[method-assign]


if __name__ == "__main__":
    fault, routes, *flags = sys.argv[1:]
    FAULTS[fault]()
    note_routes(Path(routes))
    raise SystemExit(main(flags))
