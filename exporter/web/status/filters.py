"""The states by which VMs are filtered."""

from collections.abc import Callable
from dataclasses import dataclass

from exporter.verdict import PROBLEMS, Severity
from exporter.web.status.assess import Assessed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filter:
    """One answer to how a VM stands. key: its word in URLs; tone: of its tile."""

    key: str
    title: str
    matches: Callable[[Assessed], bool]
    tone: str = ""


def _verdict(name: str) -> Callable[[Assessed], bool]:
    return lambda each: each.subject.vm is not None and each.verdict == name


def _problem(name: str) -> Callable[[Assessed], bool]:
    return lambda each: any(found.problem.name == name for found in each.findings)


def is_bad(each: Assessed) -> bool:
    """Return True if something is wrong that is not only worth knowing."""
    return any(found.severity != Severity.INFO for found in each.findings)


_TILES = (
    Filter(
        key="not_protected",
        title="not protected",
        matches=_verdict("not_protected"),
        tone="critical",
    ),
    Filter(key="unknown", title="not known", matches=_verdict("unknown"), tone="warning"),
    Filter(key="protected", title="protected", matches=_verdict("protected")),
    Filter(key="exempt", title="exempt", matches=_verdict("exempt")),
    *(
        Filter(
            key=problem.name,
            title=problem.title,
            matches=_problem(problem.name),
            tone=problem.severity,
        )
        for problem in PROBLEMS.values()
        if problem.scope == "vm"
    ),
)
"""Each has a tile on the page that counts its VMs."""

_OTHERS = (
    Filter(key="bad", title="Any critical problem or warning", matches=is_bad),
    Filter(
        key="fine", title="No critical problem or warning", matches=lambda each: not is_bad(each)
    ),
    Filter(
        key="restorable",
        title="Some snapshot restorable",
        matches=lambda each: each.subject.row.restorable > 0,
    ),
    Filter(
        key="ready", title="Some snapshot ready", matches=lambda each: each.subject.row.ready > 0
    ),
    Filter(
        key="failed", title="Some snapshot failed", matches=lambda each: each.subject.row.failed > 0
    ),
    Filter(key="stale", title="Not read by the last refresh", matches=lambda each: each.stale),
)

TILES = {each.key: each for each in _TILES}
FILTERS = TILES | {each.key: each for each in _OTHERS}
