"""The states by which VMs are filtered; pure."""

from collections.abc import Callable
from typing import NamedTuple

from exporter.verdict import PROBLEMS, Severity
from exporter.web.status.assess import Assessed


class Filter(NamedTuple):
    """One answer to how a VM stands. tone: of its tile on the page."""

    title: str
    matches: Callable[[Assessed], bool]
    tone: str = ""


def _verdict(name: str) -> Callable[[Assessed], bool]:
    return lambda each: each.subject.vm is not None and each.verdict == name


def _problem(name: str) -> Callable[[Assessed], bool]:
    return lambda each: any(found.problem.name == name for found in each.findings)


def is_bad(each: Assessed) -> bool:
    """Return True if a VM has a critical problem or a warning."""
    return any(found.severity != Severity.INFO for found in each.findings)


TILES = {
    "not_protected": Filter("Not protected", _verdict("not_protected"), "critical"),
    "unknown": Filter("Verdict unknown", _verdict("unknown"), "warning"),
    "protected": Filter("Protected", _verdict("protected")),
    "exempt": Filter("Exempt", _verdict("exempt")),
} | {
    problem.name: Filter(problem.title, _problem(problem.name), problem.severity)
    for problem in PROBLEMS.values()
    if problem.scope == "vm"
}
"""Word in URLs -> the states that have a tile on the page, which counts their VMs."""

FILTERS = TILES | {
    "bad": Filter("Any critical problem or warning", is_bad),
    "fine": Filter("No critical problem or warning", lambda each: not is_bad(each)),
    "restorable": Filter("Some snapshot restorable", lambda each: each.subject.row.restorable > 0),
    "ready": Filter("Some snapshot ready", lambda each: each.subject.row.ready > 0),
    "failed": Filter("Some snapshot failed", lambda each: each.subject.row.failed > 0),
    "stale": Filter("Not read by the last refresh", lambda each: each.standing.stale),
}
