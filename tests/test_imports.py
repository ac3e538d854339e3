"""Who may import whom: data flows one way, and the simulated Palette shares no line with us."""

import ast
from pathlib import Path

import pytest

import exporter

PACKAGE = Path(exporter.__file__).parent

VALUES = {"snapshot", "duration"}
REFRESH = {"palette", "targets", "store", "snapshot", "metrics.telemetry", "turns"}
MAY_IMPORT: dict[str, set[str] | None] = {
    "__main__": {"cli"},
    "check": {
        *("settings", "from_settings", "connection", "simulation"),
        *("palette", "plan", "targets", "snapshot", "duration"),
    },
    "cli": {
        *("settings", "flags", "logs", "origin", "runtime", "signals", "check"),
        "web.entrance",
    },
    "clock": set(),
    "connection": {"settings", "from_settings", "palette"},
    "demo": set(),
    "discovery": {"clock", *REFRESH},
    "duration": set(),
    "exposure": {"settings"},
    "flags": {"settings"},
    "fleet": {"clock", "discovery", "from_settings", "refresh", "refresher", "settings", *REFRESH},
    "flight": set(),
    "garbage": set(),
    "logs": set(),
    "metrics": VALUES,
    "palette": VALUES,
    "from_settings": {"settings", "metrics.rollup", "palette", "targets", "web.door"},
    "news": {"reading", *REFRESH},
    "origin": {"settings", "watch"},
    "parts": {
        *("clock", "flight", "from_settings", "logs", "metrics", "probing", "reading", "reload"),
        *("exposure", "settings", "web", *REFRESH),
    },
    "plan": {"targets", *VALUES},
    "probing": {"flight", "plan", "reading", *REFRESH},
    "reading": {"plan", *REFRESH},
    "refresh": {"clock", "news", "plan", "reading", *REFRESH},
    "refresher": {"garbage", "refresh", "rounds", "snapshot", "targets"},
    "reload": {"metrics.telemetry", "settings"},
    "rounds": set(),
    "runtime": None,
    "settings": {"duration"},
    "signals": set(),
    "simulation": {"settings", "demo"},
    "snapshot": set(),
    "store": VALUES,
    "targets": VALUES,
    "turns": set(),
    "watch": {"clock", "settings"},
    "web": {"probing", "refresh", "store", "metrics", "targets", "snapshot", "turns"},
}
"""A module or package of ours -> what of ours it may import; None: everything but cli."""


def imported(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, without the package's name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("exporter.") for name in names if name.startswith("exporter.")}


def allowed(owner: str, name: str) -> bool:
    if name in {"__version__", "revision"} or name.split(".")[0] == owner:
        return True
    rule = MAY_IMPORT[owner]
    if rule is None:
        return name.split(".")[0] != "cli"
    return any(name == module or name.startswith(f"{module}.") for module in rule)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_a_module_imports_only_what_its_place_allows(path: Path) -> None:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if parts == ("__init__",):
        assert not imported(path)
        return
    assert {name for name in imported(path) if not allowed(parts[0], name)} == set()
