"""The clear meaning of a document, without any code of the exporter."""

from __future__ import annotations

import json
import re
from typing import Any

Key = tuple[str, str]
"""Namespace and name."""

UNKNOWN = object()
"""A document that cannot be parsed here; another parser might read it."""


def parsed(body: bytes) -> Any:
    """Return the document, UNKNOWN if it nests too deep; raises ValueError if it is not JSON."""
    text = body.decode(errors="replace")
    try:
        return json.loads(text, strict=False, parse_int=float, parse_float=float)
    except RecursionError:
        return UNKNOWN


def ready(document: Any) -> bool:
    """Return whether a snapshot clearly says that it is ready."""
    return _part(document, "status", "readyToUse") is True


def may_be_restorable(document: Any) -> bool:
    """Return whether nothing in a snapshot prevents a restore."""
    return (
        ready(document)
        and not _says_it_is_deleted(document)
        and _part(document, "status", "phase") not in ("Failed", "Deleting")
        and _may_hold_data(_part(document, "status", "snapshotVolumes"))
    )


def key(document: Any, default: Key) -> Key:
    """Return the key of a snapshot, as far as it has one."""
    found = (_part(document, "metadata", name) for name in ("namespace", "name"))
    namespace, name = (
        value if _is_text(value) else instead for value, instead in zip(found, default, strict=True)
    )
    return namespace, name


def items(document: Any) -> list[Any]:
    """Return the items of a list."""
    found = _part(document, "items")
    return found if isinstance(found, list) else []


def _part(document: Any, *path: str) -> Any:
    for name in path:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


def _is_text(value: Any) -> bool:
    """Return whether a text is present; half a surrogate pair is not."""
    return (
        isinstance(value, str)
        and value.encode(errors="replace") == value.encode(errors="surrogatepass") != b""
    )


def _says_it_is_deleted(document: Any) -> bool:
    when = _part(document, "metadata", "deletionTimestamp")
    if when is None or when == "":
        return False
    # Any year up to 1970 means unset; in the first hours of 1971 the zone decides.
    year = re.match(r"(\d{4})-", when, re.ASCII) if isinstance(when, str) else None
    return year is None or int(year[1]) > 1971


def _may_hold_data(volumes: Any) -> bool:
    if volumes is None:
        return True
    included = _part(volumes, "includedVolumes")
    return isinstance(included, list) and any(isinstance(name, str) and name for name in included)
