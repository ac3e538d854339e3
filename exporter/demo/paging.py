"""Continue tokens: opaque to the client, self-describing to the server."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from exporter.demo.storage import Key, json_bytes

PAGE_SIZE = 50
"""The default number of items on a page, and the most there can be."""


class BadTokenError(Exception):
    """A continue token that this server did not issue, or not for this query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """Where the next page starts: after `last`, as page number `page` of the query."""

    last: Key
    page: int
    query: str
    issued_at: float
    generation: int = 0

    @property
    def token(self) -> str:
        """The bookmark as the client carries it."""
        fields = [*self.last, self.page, self.query, self.issued_at, self.generation]
        return base64.urlsafe_b64encode(json_bytes(fields)).decode().rstrip("=")


def bookmark(token: str) -> Bookmark:
    """Read a token back; raises BadTokenError when it is none of ours."""
    try:
        padded = token + "=" * (-len(token) % 4)
        fields = json.loads(base64.urlsafe_b64decode(padded))
        namespace, name, page, query, issued_at, generation = fields
        return Bookmark(
            last=(str(namespace), str(name)),
            page=int(page),
            query=str(query),
            issued_at=float(issued_at),
            generation=int(generation),
        )
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadTokenError(token) from error


def page_of(token: str) -> int:
    """The number of the page that a token leads to; 0 when it is none of ours."""
    try:
        return bookmark(token).page
    except BadTokenError:
        return 0


def fingerprint(*parts: object) -> str:
    """Return what ties a token to its query."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def page_size(limit: str | None) -> int:
    """Return the number of items on a page for a `limit`; raises ValueError for no number."""
    asked = int(limit) if limit else PAGE_SIZE
    return min(asked, PAGE_SIZE) if asked > 0 else PAGE_SIZE
