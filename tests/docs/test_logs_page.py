"""The page on logs explains each line that is logged, and no other."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.process import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (ROOT / "docs" / "logs.md").read_text()
LEVELS = {"exception": "error", **{each: each for each in ("debug", "info", "warning", "error")}}

Line = tuple[str, str]
"""Level and message."""


def logged() -> Iterator[Line]:
    """Return the messages in the exporter's code."""
    for path in sorted((ROOT / "exporter").rglob("*.py")):
        tree = ast.parse(path.read_text())
        for call in calls(tree):
            if ast.unparse(call.func) == "Transitions":
                failing, recovered = (str(ast.literal_eval(each)) for each in call.args)
                yield from (("warning", failing), ("info", recovered))
            # log.info("…"), or a function with log.info and the message as arguments.
            for writer, message in zip([call.func, *call.args], call.args, strict=False):
                if level := level_of(writer):
                    yield from ((level, text) for text in texts_of(message, tree))


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def level_of(writer: ast.expr) -> str | None:
    if isinstance(writer, ast.Attribute) and ast.unparse(writer.value) in {"log", "_log"}:
        return LEVELS.get(writer.attr)
    return None


def texts_of(message: ast.expr, tree: ast.Module) -> Iterator[str]:
    """Return the possible messages of an expression, with N for parts that vary."""
    if isinstance(message, ast.Constant):
        yield str(message.value)
    elif isinstance(message, ast.JoinedStr):
        parts = [next(texts_of(part, tree), "N") for part in message.values]
        yield "".join(parts)
    elif isinstance(message, ast.FormattedValue):
        yield from texts_of(message.value, tree)
    elif isinstance(message, ast.Name):
        for value in values_of(message.id, tree):
            yield from texts_of(value, tree)


def values_of(name: str, tree: ast.Module) -> Iterator[ast.expr]:
    """Return the values of a name: assigned, or passed by callers in this module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
            yield node.value
        if isinstance(node, ast.FunctionDef):
            parameters = [each.arg for each in node.args.args if each.arg != "self"]
            for call in calls(tree) if name in parameters else ():
                if ast.unparse(call.func).removeprefix("self.") == node.name:
                    yield call.args[parameters.index(name)]


def explained() -> list[Line]:
    rows = re.findall(r"^\| (\w+) \| `([^`]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert all(meaning.endswith(".") for _, _, meaning in rows)
    return [(level, message) for level, message, _ in rows]


def test_every_line_of_the_log_is_explained_once_and_no_other() -> None:
    found = set(logged())
    assert ("warning", "refresh failing") in found
    assert len(found) > 15
    assert sorted(explained()) == sorted(found)
