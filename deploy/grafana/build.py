"""Writes the dashboards' JSON; with ``--check`` only compares it with what is there."""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from palette_dashboards import exporter_itself, fleet, machine

HERE = Path(__file__).parent
DASHBOARDS = HERE / "dashboards"
RANGE = re.compile(r'{\s+"options": {\s+"from": (?:[^{}]|{[^{}]*})*},\s+"type": "range"\s+}')
"""One of many texts of durations, which take one line each: kubectl apply bears 262,144 bytes."""
RULES = HERE.parent / "prometheus" / "rules"


def main() -> int:
    """Write the files, or with ``--check`` name those that are not what they should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    wanted = dict(_texts())
    there = {path.name: path.read_text() for path in DASHBOARDS.glob("*.json")}
    stale = sorted(name for name in wanted | there if wanted.get(name) != there.get(name))
    if not check:
        for name in stale:
            _write(DASHBOARDS / name, wanted.get(name))
        return 0
    for name in stale:
        print(f"dashboards/{name} is not what the code says: run make dashboards", file=sys.stderr)
    return 1 if stale else 0


def _texts() -> Iterator[tuple[str, str]]:
    boards = {
        "fleet": fleet.build(_alerts()),
        "vm": machine.build(),
        "exporter": exporter_itself.build(),
    }
    for name, board in boards.items():
        yield f"{name}.json", _text(board)


def _text(board: Dashboard) -> str:
    plain = json.loads(json.dumps(board, cls=JSONEncoder))
    for panel in plain["panels"]:
        _without_pages(panel)
    text = json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return RANGE.sub(lambda found: re.sub(r"\s+(?=[\"}])", " ", found[0]), text)


def _without_pages(panel: dict[str, Any]) -> None:
    """Turn off the pages of tables as Grafana 12.2 spells it, which the SDK does not know."""
    if panel["type"] == "table":
        panel["options"]["enablePagination"] = False
    for inner in panel.get("panels") or []:
        _without_pages(inner)


def _alerts() -> list[str]:
    """Return the names of the alerts, in alphabetical order."""
    groups = [
        group
        for path in RULES.glob("*.yaml")
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    return sorted({rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule})


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
    else:
        path.write_text(text)


if __name__ == "__main__":
    raise SystemExit(main())
