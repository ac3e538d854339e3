"""Renders the templates."""

from functools import cache
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from exporter.web.status import words
from exporter.web.status.filters import FILTERS
from exporter.web.status.query import WINDOWS
from exporter.web.status.stages import STAGES
from exporter.wording import count

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

STYLE = (TEMPLATES / "status.css").read_text(encoding="utf-8")

READINGS = {
    "read": "Read",
    "stale": "Stale",
    "unreadable": "Never read",
    "waiting": "Not read yet",
}
"""State of a cluster -> its words."""


def html(template: str, **values: Any) -> bytes:
    """Return a page; to be called in a thread, as the first call compiles the templates."""
    text = _environment().get_template(f"{template}.html").render(values)
    # What UTF-8 cannot encode, half of a surrogate pair, becomes a question mark.
    return text.encode(errors="replace")


@cache
def _environment() -> "Environment":
    # Imported late: most exporters are only scraped, and need neither it nor its memory.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    names = ("ago", "cut", "exact", "rfc3339", "seconds", "since", "span")
    environment.filters |= {name: getattr(words, name) for name in names}
    environment.filters |= {
        "count": count,
        "page": lambda path: path.removeprefix("/api/v1/"),
        "shell": quote,
    }
    environment.globals |= {
        "filters": FILTERS,
        "readings": READINGS,
        "stages": STAGES,
        "windows": {seconds: name for name, seconds in WINDOWS.items()},
    }
    return environment
