"""Adds to the wheel what depends on the checkout: the documents as HTML, and the revision."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def revision(root: Path) -> str:
    """Return the commit of the checkout, with -dirty after it if files differ; "" without git."""
    describe = ("git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    # Not the commit of a repository that happens to hold an unpacked source archive.
    environ = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.resolve().parent)}
    try:
        found = subprocess.run(  # noqa: S603
            describe, cwd=root, env=environ, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


class RenderedDocuments(BuildHookInterface[Any]):
    """Puts each document as HTML, and the revision, into the package."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Render the documents, unless the package is installed from its checkout."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from exporter.web.status.docs import render

        rendered = Path(mkdtemp())
        known = Path(self.root) / "exporter" / "REVISION"  # of a build without git, as in the image
        if not known.exists() and (commit := revision(Path(self.root))):
            (rendered / "REVISION").write_text(f"{commit}\n", encoding="ascii")
            build_data["force_include"][str(rendered / "REVISION")] = "exporter/REVISION"
        for source in sorted((Path(self.root) / "docs").glob("*.md")):
            page = rendered / f"{source.stem}.html"
            page.write_text(render(source.read_text(encoding="utf-8")), encoding="utf-8")
            build_data["force_include"][str(page)] = f"exporter/docs/{page.name}"
