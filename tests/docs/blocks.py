"""The fenced blocks of the documents."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.process import ROOT

DOCUMENTS = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
"""All documents; a new one needs no entry here."""

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>\S*) *(?P<rest>.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block; line: of its opening fence, from 1."""

    path: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of a document in order; fails where a fence is not closed."""
    opened: re.Match[str] | None = None
    start, inside = 0, list[str]()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = _FENCE.match(line)
        if opened is None and found:
            opened, start, inside = found, number, []
        elif opened and found and not found["language"] and found["fence"] >= opened["fence"]:
            indent = len(opened["indent"])
            text = "\n".join(each[indent:] for each in inside) + "\n"
            yield Block(path=path, line=start, language=opened["language"], text=text)
            opened = None
        elif opened:
            inside.append(line)
    assert opened is None, f"{path}:{start}: a block that is not closed"


def of_language(*languages: str) -> list[Block]:
    """Return the blocks of all documents in these languages."""
    every = (block for path in DOCUMENTS for block in blocks(path))
    return [block for block in every if block.language in languages]
