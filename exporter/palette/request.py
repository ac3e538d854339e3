"""Where Palette is, and one request as it is sent."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ssl import SSLContext
from urllib.parse import quote

from yarl import URL

from exporter.palette.auth import Credential, Headers
from exporter.palette.errors import InvalidResponse, NotFound, shows_secret
from exporter.wording import host_port

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,253}")
_UID = re.compile(r"[\x21-\x7e]+")
_UNSAFE = re.compile(r"|\.\.?|.*[/\\%].*", re.DOTALL)
"""Names that a proxy which normalizes paths could turn into the path of another object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How Palette is reached; all of it comes from the same settings.

    base_url: scheme, host and the path before ``/v1``.
    timeout: seconds for one HTTP request, from the connection to the last byte of its answer.
    ssl: True verifies with the system's authorities, False verifies nothing. proxy: URL.
    """

    base_url: str
    credential: Credential
    timeout: float
    ssl: SSLContext | bool = True
    proxy: str | None = field(default=None, repr=False)

    def url(self, tail: str) -> URL:
        """Return the URL of an encoded path and query."""
        root = str(URL(self.base_url).with_user(None)).rstrip("/")
        return URL(root + tail, encoded=True)

    def secrets(self) -> tuple[str, ...]:
        """Return what must not be in any message, the proxy's password too."""
        proxy = URL(self.proxy or "")
        return (*self.credential.secrets(), proxy.password or "", proxy.raw_password or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request; endpoint: the path's template."""

    method: str
    endpoint: str
    # After a redirect it is what the server wrote, which can repeat the credential.
    url: URL = field(repr=False)
    access: Access
    headers: Headers
    body: bytes | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """The host and port that it goes to."""
        return host_port(self.url.host, self.url.port)

    def __str__(self) -> str:
        return f"{self.method} {self.endpoint} at {self.host}"


def redirected(request: Request, location: str) -> Request:
    """Return the request to where a redirect leads.

    Raises InvalidResponse unless that is the same origin.
    """
    where = "another host"
    try:
        target = request.url.join(URL(location))
        if target.origin() == request.url.origin() and "@" not in target.raw_authority:
            return replace(request, url=target)
        host = target.host or ""
        if _HOST.fullmatch(host) and not shows_secret(host, request.access.secrets()):
            where = f"another host, {host_port(host, target.port)}"
    except Exception:  # yarl and idna raise errors of many kinds
        where = "an address that cannot be read"
    raise InvalidResponse(f"{request} was redirected to {where}; check palette.url")


def tail_of(endpoint: str, path: Mapping[str, str], query: Sequence[tuple[str, str]]) -> str:
    """Return path and query, encoded. Raises NotFound for names that no object can have."""
    if any(_UNSAFE.fullmatch(name) for name in path.values()):
        raise NotFound(
            f"{endpoint}: a name is empty, '.' or '..', or contains '/', '\\' or '%'. "
            "No Kubernetes object has such a name."
        )
    names = {name: quote(value, safe="") for name, value in path.items()}
    pairs = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query)
    return endpoint.format_map(names) + (f"?{pairs}" if pairs else "")


def common_headers(project_uid: str = "") -> Headers:
    """Return the headers of every request; project_uid: its scope, "" for the tenant."""
    headers = Headers({"Accept": "application/json", "Accept-Encoding": "gzip"})
    if project_uid:
        if not _UID.fullmatch(project_uid):
            raise NotFound("no project has such a uid")
        headers["ProjectUid"] = project_uid
    return headers
