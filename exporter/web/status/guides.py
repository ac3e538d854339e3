"""The documents that come with the exporter."""

from pathlib import Path

import exporter

GUIDES = {
    "metrics.md": "Metrics",
    "runbooks.md": "Runbooks: what each alert means, and what to do",
    "status.md": "Status page and its JSON",
}
"""File -> title."""

_PACKAGE = Path(exporter.__file__).parent
_PLACES = (_PACKAGE / "docs", _PACKAGE.parent / "docs")
"""Where they are when installed, and where in the repository."""


def guide(name: str) -> str | None:
    """Return a document's text; None where there is none of that name."""
    if name not in GUIDES:
        return None
    found = next((place / name for place in _PLACES if (place / name).is_file()), None)
    return found.read_text(encoding="utf-8") if found else None
