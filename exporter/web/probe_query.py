"""The query of a probe, and how long its answer can take; pure."""

import re
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

SECONDS = r"[0-9]{1,9}(\.[0-9]{1,9})?"
HEADER_TEXT = r"[\x21-\x7e]+"

FAULTS = {
    r"": "not be empty.",
    rf".{{{LONGEST_NAME + 1},}}": f"have at most {LONGEST_NAME} characters.",
    r"\.\.?": "be a name, not '.' or '..'.",
    # A proxy in between that normalises paths would turn these into a path to another object.
    r".*[/\\%].*": "have no '/', '\\' or '%'.",
    r".*[\x00-\x1f\x7f-\x9f\ud800-\udfff].*": "have no control characters.",
}
"""Pattern of a whole value -> what the parameter should be instead."""


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
    _check_names([name for name, _ in query])
    values = dict(query)
    for name, value in values.items():
        for pattern, fault in FAULTS.items():
            if re.fullmatch(pattern, value, re.DOTALL):
                raise QueryError(f"{name} should {fault}")
    for name in ("namespace", "vm"):
        # The list calls separate names by commas.
        if "," in values[name] and "snapshot" not in values:
            raise QueryError(f"{name} should have no comma, unless snapshot is given.")
    if not re.fullmatch(HEADER_TEXT, values.get("project_uid", "none")):
        raise QueryError("project_uid should be printable ASCII without spaces.")
    debug = values.pop("debug", "false")
    if debug not in ("true", "false"):
        raise QueryError("debug should be true or false.")
    return ProbeQuery(**values, debug=debug == "true")


def _check_names(names: Sequence[str]) -> None:
    if not {*names} <= {*PARAMETERS}:
        raise QueryError(f"Unknown parameter. The parameters are {', '.join(PARAMETERS)}.")
    for name in PARAMETERS:
        if names.count(name) > 1:
            raise QueryError(f"{name} should be given once.")
        if name in REQUIRED and name not in names:
            raise QueryError(f"{name} is missing; a probe needs {', '.join(REQUIRED)}.")


def time_limit(headers: Sequence[str]) -> float:
    """Return for how many seconds a probe can read, by X-Prometheus-Scrape-Timeout-Seconds.

    headers: its values; if it is missing, repeated or not a number, the default counts.
    """
    said = headers[0].strip() if len(headers) == 1 else ""
    timeout = float(said) if re.fullmatch(SECONDS, said) else 0.0
    timeout = min(timeout or DEFAULT_TIMEOUT, LONGEST_TIMEOUT)
    return max(timeout - RESERVE, min(LEAST, timeout / 2))
