"""The query of a URL, and which VMs it selects; pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from exporter.verdict import PROBLEMS, Severity
from exporter.web.status.assess import Assessed

LONGEST = 300  # characters of a value; the names of Kubernetes are shorter
LARGEST_PAGE = 1000  # VMs on one page

WINDOWS = {"1h": 3600.0, "12h": 43_200.0}
"""Value of ``since`` -> seconds."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which VMs to show; "" means all. Names match by substring, ignoring case.

    cluster: part of its name, or its uid; q: part of a VM's name or of a snapshot's.
    state: a key of ``FILTERS``; since: a key of ``WINDOWS``: VMs with a problem that began in it.
    page: of the VMs, from 1; size: VMs on a page; clusters: page of the clusters, from 1.
    refresh: seconds after which the browser loads the page again; 0 is never.
    """

    q: str = ""
    cluster: str = ""
    namespace: str = ""
    owner: str = ""
    state: str = ""
    since: str = ""
    page: int = 1
    size: int = 20
    clusters: int = 1
    refresh: int = 0

    @property
    def filters(self) -> dict[str, str]:
        """The filters that are set, by parameter."""
        names = ("q", "cluster", "namespace", "owner", "state", "since")
        return {name: value for name in names if (value := getattr(self, name))}

    def url(self, **changes: Any) -> str:
        """Return the query string with changes; "?" where nothing is left."""
        query = replace(self, **changes)
        values = {each.name: (getattr(query, each.name), each.default) for each in fields(Query)}
        given = {name: value for name, (value, default) in values.items() if value != default}
        return "?" + urlencode(given, errors="replace")

    def only(self, **changes: Any) -> str:
        """Return the query string with these filters in place of all others."""
        return Query(refresh=self.refresh, **changes).url()


PARAMETERS = tuple(field.name for field in fields(Query))
CHOICES: Mapping[str, Mapping[str, object]] = {"state": FILTERS, "since": WINDOWS}
NUMBERS = {
    "page": (1, 999_999),
    "size": (1, LARGEST_PAGE),
    "clusters": (1, 999_999),
    "refresh": (5, 9_999),
}
"""Parameter -> the least and the greatest number."""


def parse(query: Sequence[tuple[str, str]]) -> tuple[Query, tuple[str, ...]]:
    """Return what names and values ask for, and a sentence about each that is invalid.

    Invalid values are ignored. The sentences repeat no value.
    """
    values: dict[str, Any] = {}
    notes: list[str] = []
    for name, text in query:
        if name not in PARAMETERS:
            # What is not a short word could be anything.
            shown = f" {name}" if re.fullmatch(r"[A-Za-z_.-]{1,20}", name) else ""
            known = ", ".join(PARAMETERS)
            notes.append(f"Unknown parameter{shown}. The parameters are {known}.")
        elif name in values:
            notes.append(f"{name}: given more than once. Only the first value is used.")
        else:
            values[name], problem = _read(name, text.strip())
            if problem:
                notes.append(f"{name}: {problem}")
    return Query(**values), tuple(dict.fromkeys(notes))


def _read(name: str, text: str) -> tuple[str | int, str]:
    """Return the value of a parameter, or its default, and what is wrong with the text."""
    default: str | int = getattr(Query(), name)
    if not text:
        return default, ""
    if name in NUMBERS:
        least, most = NUMBERS[name]
        if re.fullmatch("[0-9]{1,7}", text) and least <= int(text) <= most:
            return int(text), ""
        return default, f"not a number from {least} to {most}."
    if name in CHOICES and text not in CHOICES[name]:
        return default, f"not one of {', '.join(CHOICES[name])}."
    if len(text) > LONGEST:
        return text[:LONGEST], f"longer than {LONGEST} characters. Only the beginning is used."
    return text, ""
