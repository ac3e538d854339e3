"""Renders docs/*.md for the wheel, so that the exporter serves the documents of its version."""

import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RenderedDocuments(BuildHookInterface[Any]):
    """Puts each document into the package as HTML."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Render the documents, unless the package is installed from its checkout."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from exporter.web.status.docs import render

        rendered = Path(mkdtemp())
        for source in sorted((Path(self.root) / "docs").glob("*.md")):
            page = rendered / f"{source.stem}.html"
            page.write_text(render(source.read_text(encoding="utf-8")), encoding="utf-8")
            build_data["force_include"][str(page)] = f"exporter/docs/{page.name}"
