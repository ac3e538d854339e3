"""Renders the templates."""

from functools import cache
from pathlib import Path
from shlex import quote
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exporter.web.status import words
from exporter.web.status.describe import STAGES
from exporter.web.status.query import FILTERS, WINDOWS
from exporter.wording import count

TEMPLATES = Path(__file__).parent / "templates"

STYLE = (TEMPLATES / "status.css").read_text(encoding="utf-8")

READINGS = {
    "read": "Read",
    "stale": "Stale",
    "unreadable": "Never read",
    "waiting": "Not read yet",
}
"""State of a cluster -> its words."""


def compile_templates() -> None:
    """Compile the templates, which takes a tenth of a second."""
    for name in _environment().list_templates(extensions=["html"]):
        _environment().get_template(name)


def html(template: str, **values: Any) -> bytes:
    """Return a page; to be called in a thread, as a large one takes long."""
    text = _environment().get_template(f"{template}.html").render(values)
    # What UTF-8 cannot encode, half of a surrogate pair, becomes a question mark.
    return text.encode(errors="replace")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    names = ("ago", "cut", "exact", "seconds", "since", "span")
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
