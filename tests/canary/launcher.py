"""Starts the exporter with a fault in it: python launcher.py FAULT ROUTES [flags of the exporter].

FAULT is a key of FAULTS; the fault reports everything about every object of the exporter. ROUTES
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
"""Modules whose objects are reported: the exporter's, and those that show their content."""


def told() -> str:
    """Return repr and str of every object of these modules."""
    shown: set[str] = set()
    # The collector does not list frozen objects.
    gc.unfreeze()
    for each in gc.get_objects():
        # A class whose __module__ is a descriptor is not one of the exporter's.
        if str(type(each).__module__).startswith(MODULES):
            # The repr of a library's object can fail, which shows nothing either.
            with suppress(Exception):
                shown |= {repr(each), str(each)}
    return "\n".join(sorted(shown))


TELLING = iter([told])
"""The function that reports the objects, once."""


def failing(*args: Any, **kwargs: Any) -> Any:
    """Replace a function by one that reports the objects and fails."""
    raise RuntimeError(next(TELLING, str)())


def break_answers() -> None:
    """Make every scrape fail."""
    Telemetry.text = failing  # type: ignore[method-assign]


def break_refreshes() -> None:
    """Make every refresh fail with a bug."""
    ClusterReader.read = failing  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "answers": break_answers,
    "refreshes": break_refreshes,
}


def note_routes(path: Path) -> None:
    """Make the application write its routes to a file."""
    freeze = web.Application.freeze

    def noting(self: web.Application) -> None:
        path.write_text("\n".join(sorted({each.canonical for each in self.router.resources()})))
        freeze(self)

    web.Application.freeze = noting  # type: ignore[method-assign]


def arrange(fault: str, routes: Path) -> None:
    """Put the fault into this process."""
    FAULTS[fault]()
    note_routes(routes)


if __name__ == "__main__":
    fault, routes, *flags = sys.argv[1:]
    arrange(fault, Path(routes))
    raise SystemExit(main(flags))
