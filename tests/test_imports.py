"""The allowed imports between packages: data flows one way, and no import runs back up."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import exporter

PACKAGE = Path(exporter.__file__).parent

SMALL = {"clock", "cooperative", "duration", "single_flight", "volumes", "wording"}
"""Modules of one concept each: they import no other module, and all except demo can import them."""

MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"cli"},
    "cli": {"runtime", "web", "check", "refresh", "settings"},
    "runtime": {
        *("web", "check", "refresh", "palette", "store", "metrics", "rollup", "snapshot"),
        *("settings", "demo"),
    },
    "check": {"refresh", "metrics", "findings", "rollup", "verdict", "snapshot", "settings"},
    "web": {"refresh", "store", "metrics", "findings", "rollup", "verdict", "snapshot"},
    "refresh": {"palette", "store", "metrics", "snapshot"},
    "palette": {"snapshot"},
    "store": {"snapshot"},
    "metrics": {"rollup", "snapshot"},
    "findings": {"rollup", "verdict", "snapshot"},
    "rollup": {"snapshot", "volumes"},
    "snapshot": {"volumes"},
    "verdict": set(),
    "settings": set(),
    "demo": set(),
}
"""A top-level package or module -> the others that it can import in addition to the small ones."""

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imported(path: Path) -> set[str]:
    """Return the exporter's modules that a file imports, without the package's name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name.removeprefix("exporter.") for name in names if name.startswith("exporter.")}
    return {module for name in ours if (module := _module(name))}


def _module(name: str) -> str:
    """Return the module of a dotted name; "" for the package itself."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


@cache
def imports() -> dict[str, set[str]]:
    """Return the exporter's modules that each of them imports."""
    return {name: imported(path) for name, path in MODULES.items() if name != "__init__"}


def top(name: str) -> str:
    return name.split(".")[0]


def used() -> dict[str, set[str]]:
    """Return the imports between top-level packages and modules."""
    uses: dict[str, set[str]] = {name: set() for name in (*MAY_IMPORT, *SMALL)}
    for name, modules in imports().items():
        uses[top(name)] |= {top(module) for module in modules} - {top(name)}
    return uses


def test_nothing_is_imported_against_the_flow() -> None:
    open_to_all = {name: SMALL - {name} for name in used()}
    open_to_all |= {name: set() for name in ("demo", "snapshot", *SMALL)}
    granted = {name: MAY_IMPORT.get(name, set()) | open_to_all[name] for name in used()}
    assert {
        name: against for name, uses in used().items() if (against := uses - granted[name])
    } == {}


def test_no_row_grants_an_unused_import() -> None:
    assert not {name: unused for name, may in MAY_IMPORT.items() if (unused := may - used()[name])}


def test_no_module_imports_itself_by_way_of_others() -> None:
    tuple(TopologicalSorter(imports()).static_order())


def test_the_package_imports_nothing_of_its_own() -> None:
    assert (
        imported(MODULES["__init__"] if "__init__" in MODULES else PACKAGE / "__init__.py") == set()
    )
