"""Continue tokens: opaque to the client; the server keeps no state for them."""

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
    """The start of the next page: after `last`, as page number `page` of the query."""

    last: Key
    page: int
    query: str
    issued_at: float
    generation: int = 0

    @property
    def token(self) -> str:
        """Return the bookmark in the form that the client sends back."""
        fields = [*self.last, self.page, self.query, self.issued_at, self.generation]
        return base64.urlsafe_b64encode(json_bytes(fields)).decode().rstrip("=")


def bookmark(token: str) -> Bookmark:
    """Decode a token; raises BadTokenError if this server did not issue it."""
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
    """Return the number of the page that a token leads to; 0 if it is invalid."""
    try:
        return bookmark(token).page
    except BadTokenError:
        return 0


def fingerprint(*parts: object) -> str:
    """Return a hash that binds a token to its query."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def page_size(limit: str | None) -> int:
    """Return the number of items on a page; raises ValueError if `limit` is not a number."""
    asked = int(limit) if limit else PAGE_SIZE
    return min(asked, PAGE_SIZE) if asked > 0 else PAGE_SIZE
