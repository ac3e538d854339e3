"""Documents in the shapes that Palette sends; names and times in them are made up."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "payloads"
LISTS = {"list-page", "vm-list-page", "vm-enabled-clusters", "error-not-found"}

SNAPSHOTS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text())
    for path in sorted(FOLDER.glob("*.json"))
    if path.stem not in LISTS
}
"""Name of the file -> one VirtualMachineSnapshot."""


def payload(name: str) -> Any:
    """Return a copy of one document."""
    return deepcopy(SNAPSHOTS.get(name)) or json.loads((FOLDER / f"{name}.json").read_text())
