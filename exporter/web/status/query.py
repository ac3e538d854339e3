"""The query of a URL: which VMs to show; pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from exporter.web.status.filters import FILTERS

LONGEST = 300
"""Characters of a value; the names of Kubernetes are shorter."""

LARGEST_PAGE = 1000
"""VMs on one page at most."""

WINDOWS = {"1h": 3600.0, "12h": 43_200.0}
"""Value of ``since`` -> seconds."""


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
        return "?" + _encoded(replace(self, **changes))

    def only(self, **changes: Any) -> str:
        """Return the query string with these filters in place of all others."""
        return "?" + _encoded(Query(refresh=self.refresh, **changes))


PARAMETERS = tuple(field.name for field in fields(Query))
_DEFAULTS = Query()


def _encoded(query: Query) -> str:
    given = {
        name: value
        for name in PARAMETERS
        if (value := getattr(query, name)) != getattr(_DEFAULTS, name)
    }
    return urlencode(given, errors="replace")


def parse(query: Sequence[tuple[str, str]]) -> tuple[Query, tuple[str, ...]]:
    """Return what names and values ask for, and a sentence about each that is invalid.

    Invalid values are ignored. The sentences repeat no value.
    """
    values: dict[str, Any] = {}
    notes: list[str] = []
    for name, value in query:
        if name not in _READERS:
            known = ", ".join(PARAMETERS)
            notes.append(f"Unknown parameter{_shown(name)}. The parameters are {known}.")
        elif name in values:
            notes.append(f"{name}: given more than once. Only the first value is used.")
        else:
            problem, values[name] = _READERS[name](value.strip())
            if problem:
                notes.append(f"{name}: {problem}")
    return Query(**values), tuple(dict.fromkeys(notes))


def _text(value: str) -> tuple[str, str]:
    if len(value) > LONGEST:
        return f"longer than {LONGEST} characters. Only the beginning is used.", value[:LONGEST]
    return "", value


def _one_of(values: Mapping[str, object]) -> Callable[[str], tuple[str, str]]:
    def read(value: str) -> tuple[str, str]:
        known = not value or value in values
        return ("", value) if known else (f"not one of {', '.join(values)}.", "")

    return read


def _number(default: int, least: int, most: int) -> Callable[[str], tuple[str, int]]:
    def read(value: str) -> tuple[str, int]:
        if not value:
            return "", default
        if value.isascii() and value.isdigit() and len(value) < 8 and least <= int(value) <= most:
            return "", int(value)
        return f"not a number from {least} to {most}.", default

    return read


def page_number(value: str) -> int:
    """Return the number of a page, 1 for what is none."""
    return _page(value)[1]


_page = _number(1, 1, 999_999)

_READERS: Mapping[str, Callable[[str], tuple[str, Any]]] = {
    "q": _text,
    "cluster": _text,
    "namespace": _text,
    "owner": _text,
    "state": _one_of(FILTERS),
    "since": _one_of(WINDOWS),
    "page": _page,
    "size": _number(20, 1, LARGEST_PAGE),
    "clusters": _page,
    "refresh": _number(0, 5, 9999),
}


def _shown(name: str) -> str:
    """Return a name to print; "" if it is not a short word, and could be anything."""
    return f" {name}" if re.fullmatch(r"[A-Za-z_.-]{1,20}", name, re.ASCII) else ""
