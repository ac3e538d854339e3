"""Words that are hard to understand do not return to the texts of the project."""

from __future__ import annotations

import ast
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.process import ROOT, SCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSTEAD = {
    r"tells?|told": "report, return, log",
    r"anew": "again",
    r"asked for": "requested",
    r"goes before|go before": "overrides",
    r"(in|into) force": "active",
    r"stands? in(?!-)": "is in",
    r"by (itself|themselves)": "by default, automatically",
    r"beside": "next to, in addition",
    r"put right|puts right": "fix",
    r"whoever": "anyone who, a client that",
    r"be it": "whether",
    r"such a one": "one that",
    r"time-outs?": "timeout",
}
"""A pattern of whole words to avoid -> the words to write."""

BANNED = re.compile(rf"\b({'|'.join(INSTEAD)})\b", re.IGNORECASE)

SUFFIXES = {".md", ".py", ".yaml", ".yml", ".html", ".tmpl", ".tpl", ".toml", ".txt"}
FOLDERS = ("benchmarks", "deploy", "docs", "exporter")


def published() -> Iterator[Path]:
    """Yield documents, settings and source, with its messages, HELP texts and comments."""
    for folder in FOLDERS:
        paths = sorted((ROOT / folder).rglob("*"))
        yield from (path for path in paths if path.suffix in SUFFIXES and "build" not in path.parts)
    yield from sorted((*ROOT.glob("*.md"), ROOT / "config.example.yaml", ROOT / "Makefile"))


def found(text: str) -> list[str]:
    """Return the words to avoid in a text, with their lines; quoted code is left out."""
    lines = enumerate(re.sub(r"`[^`\n]*`", "", text).splitlines(), 1)
    return [f"line {number}: {each[0]}" for number, line in lines for each in BANNED.finditer(line)]


@pytest.mark.parametrize("path", [*published()], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_text_is_in_plain_english(path: Path) -> None:
    assert not found(path.read_text()), INSTEAD


def test_the_help_is_in_plain_english() -> None:
    done = subprocess.run(
        [*SCRIPT, "--help"], capture_output=True, text=True, timeout=30, check=True
    )
    assert "--config.file" in done.stdout
    assert not found(done.stdout), INSTEAD


def test_the_names_of_tests_are_in_plain_english() -> None:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert not found(node.name.replace("_", " ")), f"{path}: {node.name}"


def test_the_docstrings_of_tests_are_in_plain_english() -> None:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                assert not found(ast.get_docstring(node) or ""), f"{path}: {node}"


def test_the_words_are_found() -> None:
    assert found("What was\nasked for stands in a file.") == [
        "line 2: asked for",
        "line 2: stands in",
    ]
    assert not found("`asked for`, a stand-in, besides, foretold")
