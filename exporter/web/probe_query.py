"""The query of a probe, and how long its answer can take; pure."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

REQUIRED = ("cluster_uid", "namespace", "vm")
OPTIONAL = ("snapshot", "project_uid", "debug")
PARAMETERS = (*REQUIRED, *OPTIONAL)

LONGEST_NAME = 253
"""Characters; Kubernetes' longest names have as many."""

RESERVE = 0.5
"""Seconds of a scrape's timeout that are left for the network."""

LEAST = 0.1
"""Seconds that a probe takes at least, where the reserve would be the whole timeout."""

DEFAULT_TIMEOUT = 10.0
"""Seconds; the default of Prometheus, for clients that send no timeout."""

LONGEST_TIMEOUT = 120.0
"""Seconds; no probe takes longer."""

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_HEADER_TEXT = re.compile(r"[\x21-\x7e]+")


class QueryError(ValueError):
    """An invalid query; the message repeats nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeQuery:
    """A valid query; "" for what it leaves out. debug: whether the answer explains itself."""

    cluster_uid: str
    namespace: str
    vm: str
    snapshot: str = ""
    project_uid: str = ""
    debug: bool = False


def parse(query: Sequence[tuple[str, str]]) -> ProbeQuery:
    """Return the query of decoded names and values. Raises QueryError."""
    values = dict(query)
    if not values.keys() <= set(PARAMETERS):
        raise QueryError(f"Unknown parameter. The parameters are {', '.join(PARAMETERS)}.")
    for name in PARAMETERS:
        _check_number(name, sum(name == each for each, _ in query))
    for name, value in values.items():
        _check_value(name, value)
    if "snapshot" not in values:
        for name in ("namespace", "vm"):
            # The list calls separate names by commas.
            if "," in values[name]:
                raise QueryError(f"{name} should have no comma, unless snapshot is given.")
    debug = values.pop("debug", "false")
    if debug not in ("true", "false"):
        raise QueryError("debug should be true or false.")
    return ProbeQuery(**values, debug=debug == "true")


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
    # A proxy in between that normalises paths would turn these into a path to another object.
    if any(character in "/\\%" for character in value):
        raise QueryError(f"{name} should have no '/', '\\' or '%'.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise QueryError(f"{name} should have no control characters.")
    if name == "project_uid" and not _HEADER_TEXT.fullmatch(value):
        raise QueryError("project_uid should be printable ASCII without spaces.")


def time_limit(headers: Sequence[str]) -> float:
    """Return for how many seconds a probe can read, by X-Prometheus-Scrape-Timeout-Seconds.

    headers: its values; if it is missing, repeated or not a number, the default counts.
    """
    said = headers[0].strip() if len(headers) == 1 else ""
    timeout = float(said) if _SECONDS.fullmatch(said) else 0.0
    timeout = min(timeout or DEFAULT_TIMEOUT, LONGEST_TIMEOUT)
    return max(timeout - RESERVE, min(LEAST, timeout / 2))
