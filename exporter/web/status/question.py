"""What the query of a URL asks the page for; pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from exporter.web.status.states import STATES

LONGEST = 300
"""Characters of a value; Kubernetes' names end before."""

_PAGE = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which machines to show; "" is all.

    cluster: its uid or its name; state: a key of ``STATES``; q: what a name should hold.
    page: of the machines; clusters: the page of the clusters. Both from 1.
    """

    cluster: str = ""
    namespace: str = ""
    state: str = ""
    q: str = ""
    page: int = 1
    clusters: int = 1

    @property
    def narrows(self) -> bool:
        """Whether it asks for some of the machines of a cluster only."""
        return bool(self.namespace or self.state or self.q)

    @property
    def filters(self) -> bool:
        """Whether it asks for less than everything."""
        return bool(self.cluster) or self.narrows

    def query(self, **changes: Any) -> str:
        """Return it as a URL has it, with changes; "?" where everything is asked for."""
        changed = replace(self, **changes)
        given = {name: value for name in NAMES if (value := getattr(changed, name)) != _plain(name)}
        return f"?{urlencode(given, errors='replace')}"


NAMES = tuple(field.name for field in fields(Question))


def _plain(name: str) -> Any:
    return getattr(Question(), name)


def asked(query: Sequence[tuple[str, str]]) -> tuple[Question, tuple[str, ...]]:
    """Return what names and values ask for, and a sentence about each that makes no sense.

    What makes no sense is left out of the question. The sentences repeat no value.
    """
    values: dict[str, Any] = {}
    notes: list[str] = []
    for name, value in query:
        if name not in _READERS:
            notes.append(f"There is no parameter of that name; there are {', '.join(NAMES)}.")
        elif name in values:
            notes.append(f"{name} is given more than once; the first counts.")
        else:
            problem, values[name] = _READERS[name](value.strip())
            if problem:
                notes.append(f"{name} {problem}")
    return Question(**values), tuple(dict.fromkeys(notes))


def _text(value: str) -> tuple[str, str]:
    if len(value) > LONGEST:
        return f"is longer than {LONGEST} characters, and was cut.", value[:LONGEST]
    return "", value


def _state(value: str) -> tuple[str, str]:
    if value and value not in STATES:
        return f"is none of {', '.join(STATES)}; all are shown.", ""
    return "", value


def _number(value: str) -> tuple[str, int]:
    if value and not _PAGE.fullmatch(value):
        return "is not a number from 1 to 999999; the first is shown.", 1
    return "", int(value or 1)


def page_number(value: str) -> int:
    """Return the number of a page, 1 for what is none."""
    return _number(value)[1]


_READERS: Mapping[str, Callable[[str], tuple[str, Any]]] = {
    "cluster": _text,
    "namespace": _text,
    "state": _state,
    "q": _text,
    "page": _number,
    "clusters": _number,
}
