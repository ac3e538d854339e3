"""A call as it is sent, and the answer as it came."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from yarl import URL

from exporter.palette.access import Access
from exporter.palette.auth import Headers
from exporter.palette.errors import NotFound, address

_UID = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request; endpoint: the path's template."""

    method: str
    endpoint: str
    # Redirected, it is what the other side says, which may repeat the credential.
    url: URL = field(repr=False)
    access: Access
    headers: Headers
    body: bytes | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """Where it goes, as host and port."""
        return address(self.url.host, self.url.port)

    def __str__(self) -> str:
        return f"{self.method} {self.endpoint} at {self.host}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; body: decompressed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def tail_of(endpoint: str, path: Mapping[str, str], query: Sequence[tuple[str, str]]) -> str:
    """Return path and query, encoded."""
    if {"", ".", ".."} & set(path.values()):
        raise NotFound(f"{endpoint} holds nothing by an empty name, '.' or '..'")
    names = {name: quote(value, safe="") for name, value in path.items()}
    pairs = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query)
    return endpoint.format_map(names) + (f"?{pairs}" if pairs else "")


def url_of(access: Access, tail: str) -> URL:
    """Return where a tail is found; access: the way to Palette."""
    return URL(access.root + tail, encoded=True)


def scope_of(project_uid: str | None) -> Headers:
    """Return the headers that every call has, with the project that is asked; None: the tenant."""
    headers = Headers({"Accept": "application/json", "Accept-Encoding": "gzip"})
    if project_uid:
        if not _UID.fullmatch(project_uid):
            raise NotFound("no project has such a uid")
        headers["ProjectUid"] = project_uid
    return headers
