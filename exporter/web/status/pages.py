"""The page's HTML: templates, and the words that they ask for."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.web.status import words
from exporter.web.status.clusters import READINGS
from exporter.web.status.documents import path
from exporter.web.status.stages import stage
from exporter.web.status.states import STATES

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"

STYLE = (TEMPLATES / "status.css").read_text(encoding="utf-8")


class Pages:
    """Renders templates. version, telemetry_path: of the exporter, for every page."""

    def __init__(self, *, version: str, telemetry_path: str) -> None:
        self._globals = {"version": version, "telemetry_path": telemetry_path}
        self._templates: dict[str, Template] = {}
        self._loading = asyncio.Lock()

    async def load(self) -> None:
        """Compile the templates, unless they are; needed before ``parts``.

        Many an exporter is never looked at, and needs neither them nor what compiles them.
        """
        async with self._loading:
            if not self._templates:
                # Beside the event loop: that takes a while.
                self._templates = await asyncio.to_thread(_compiled, self._globals)

    def parts(self, template: str, *, here: str, **values: Any) -> Iterator[str]:
        """Yield a page piece by piece.

        here: the page's word in the navigation.
        """
        context: Mapping[str, Any] = {"here": here, **values}
        return self._templates[template].generate(context)


def _compiled(values: Mapping[str, str]) -> "dict[str, Template]":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        name: getattr(words, name) for name in ("ago", "cut", "exact", "rfc3339", "seconds", "span")
    } | {"path": path, "stage": stage}
    environment.globals |= {
        **values,
        "readings": READINGS,
        "states": tuple(STATES.values()),
    }
    return {
        name: environment.get_template(f"{name}.html")
        for name in ("macros", "status", "vm", "message", "guides")
    }
