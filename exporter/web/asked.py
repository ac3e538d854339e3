"""What the query of a probe asks for, and how long its answer may take; pure."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

REQUIRED = ("cluster_uid", "namespace", "vm")
OPTIONAL = ("snapshot", "project_uid")
PARAMETERS = (*REQUIRED, *OPTIONAL)

LONGEST_NAME = 253
"""Characters; Kubernetes' longest names have as many."""

RESERVE = 0.5
"""Seconds of a scrape's time that are left to the way there and back."""

LEAST = 0.1
"""Seconds that a probe takes of a scrape's time though the reserve would be all of it."""

DEFAULT_TIMEOUT = 10.0
"""Seconds; Prometheus' default, for who does not say."""

LONGEST_TIMEOUT = 120.0
"""Seconds; nobody's probe holds on for longer."""

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_HEADER_TEXT = re.compile(r"[\x21-\x7e]+")


class QueryError(ValueError):
    """A query that asks for nothing; the message is a sentence without a word of the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query that makes sense; "" for what it leaves off."""

    cluster_uid: str
    namespace: str
    vm: str
    snapshot: str = ""
    project_uid: str = ""


def asked(query: Sequence[tuple[str, str]]) -> Asked:
    """Return what is asked for by names and values, decoded. Raises QueryError."""
    values = dict(query)
    if not values.keys() <= set(PARAMETERS):
        raise QueryError(f"Unknown parameter; there are {', '.join(PARAMETERS)}.")
    for name in PARAMETERS:
        _check_number(name, sum(name == each for each, _ in query))
    for name, value in values.items():
        _check_value(name, value)
    if "snapshot" not in values:
        for name in ("namespace", "vm"):
            # Lists take names by commas.
            if "," in values[name]:
                raise QueryError(f"{name} should have no comma where no snapshot is named.")
    return Asked(**values)


def _check_number(name: str, number: int) -> None:
    if number > 1:
        raise QueryError(f"{name} should be given once.")
    if number < 1 and name in REQUIRED:
        raise QueryError(f"{name} is missing; a probe needs {', '.join(REQUIRED)}.")


def _check_value(name: str, value: str) -> None:
    if not value:
        raise QueryError(f"{name} should not be empty.")
    if len(value) > LONGEST_NAME:
        raise QueryError(f"{name} should have at most {LONGEST_NAME} characters.")
    if value in (".", ".."):
        raise QueryError(f"{name} should be a name, not '.' or '..'.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise QueryError(f"{name} should have no control characters.")
    if name == "project_uid" and not _HEADER_TEXT.fullmatch(value):
        raise QueryError("project_uid should be printable ASCII without spaces.")


def time_limit(headers: Sequence[str]) -> float:
    """Return for how many seconds a probe may read, by X-Prometheus-Scrape-Timeout-Seconds.

    headers: its values; what is missing, repeated or no number counts as Prometheus' default.
    """
    said = headers[0].strip() if len(headers) == 1 else ""
    timeout = float(said) if _SECONDS.fullmatch(said) else 0.0
    timeout = min(timeout or DEFAULT_TIMEOUT, LONGEST_TIMEOUT)
    return max(timeout - RESERVE, min(LEAST, timeout / 2))
