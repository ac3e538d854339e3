"""The page's HTML: templates, and the words that they ask for."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exporter.web.status import words
from exporter.web.status.clusters import READINGS
from exporter.web.status.documents import path
from exporter.web.status.stages import stage
from exporter.web.status.states import STATES

TEMPLATES = Path(__file__).parent / "templates"

STYLE = (TEMPLATES / "status.css").read_text(encoding="utf-8")


class Pages:
    """Renders templates. version, telemetry_path: of the exporter, for every page."""

    def __init__(self, *, version: str, telemetry_path: str) -> None:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters |= {
            name: getattr(words, name)
            for name in ("ago", "cut", "exact", "rfc3339", "seconds", "span")
        } | {"path": path, "stage": stage}
        environment.globals |= {
            "version": version,
            "telemetry_path": telemetry_path,
            "readings": READINGS,
            "states": tuple(STATES.values()),
        }
        # Now rather than when the first page is asked for: that one would hold the event loop.
        self._templates = {
            name: environment.get_template(f"{name}.html")
            for name in ("macros", "status", "vm", "message", "guides")
        }

    def parts(self, template: str, *, here: str, **values: Any) -> Iterator[str]:
        """Yield a page piece by piece.

        here: the page's word in the navigation.
        """
        context: Mapping[str, Any] = {"here": here, **values}
        return self._templates[template].generate(context)
