"""The base of what the status page shows: frozen values, which the HTML and the JSON both render.

Field names are the keys of the JSON, and the OpenAPI document is made from these types. None is
what is not known: ``null`` in JSON, "unknown" on the page.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

Instant = Annotated[datetime, Meta(tz=True, extra_json_schema={"format": "date-time"})]
"""In UTC, to the second; RFC 3339 in JSON."""

Reading = Literal["read", "stale", "unreadable", "waiting"]
Verdict = Literal["protected", "not_protected", "unknown", "exempt"]
Severity = Literal["critical", "warning", "info"]


class View(Struct, frozen=True, kw_only=True):
    """A value that JSON shows as an object with the same keys."""


class ErrorView(View, frozen=True, kw_only=True):
    """Why something failed. reason: as in the metrics; message: from Palette or the network."""

    reason: str
    meaning: str
    message: str
    time: Instant | None
