"""URLs, hosts and ports in settings. Checks raise ValueError, which never quotes a value."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, SecretStr

from exporter.settings.values import NOT_EMPTY, Kind, Secret, should

_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})")


def parse_address(text: str) -> tuple[str | None, int]:
    """Split ``host:port``; no host means all interfaces, port 0 any that is free.

    Raises ValueError unless it is of that form, an IPv6 address in brackets.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65535 or not _is_ipv6(found["ipv6"] or "::"):
        raise ValueError("should be host:port, such as :10180, 127.0.0.1:10180 or [::1]:10180")
    return found["ipv6"] or found["host"] or None, int(found["port"])


def _is_host(host: str) -> bool:
    if ":" in host:
        return _is_ipv6(host)
    return re.fullmatch(r"\w(?:[\w.-]*\w)?\.?", host) is not None and ".." not in host


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _split_url(text: str) -> SplitResult:
    """Split an http(s) URL with a host; raises ValueError, which never quotes any of it."""
    # urlsplit drops line ends and tabs without a word, so they are refused before it.
    if not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("should be a URL without spaces or control characters")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("should be a URL such as https://api.spectrocloud.com") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("should start with https:// or http://")
    if not host or not _is_host(host) or port == 0 or parts.netloc.endswith(":"):
        raise ValueError("should have a host name, as in https://api.spectrocloud.com")
    if "?" in text or "#" in text:
        raise ValueError("should have no query and no fragment")
    return parts


def _with_scheme(text: str) -> str:
    if "://" in text:
        return text
    host = text.partition("/")[0]
    if "." in host or ":" in host or host.lower() == "localhost":
        return f"https://{text}"
    raise ValueError("needs a scheme, as in https://api.spectrocloud.com")


def _palette_url(text: str) -> str:
    parts = _split_url(_with_scheme(text))
    if "@" in parts.netloc:
        raise ValueError("should hold no user name or password; see palette.username")
    return parts._replace(netloc=parts.netloc.lower(), path=parts.path.rstrip("/")).geturl()


def _proxy_url(secret: SecretStr) -> SecretStr:
    parts = _split_url(secret.get_secret_value())
    if parts.path not in ("", "/"):
        raise ValueError("should have no path")
    return secret


PaletteUrl = Annotated[str, NOT_EMPTY, AfterValidator(_palette_url), Kind("url")]
"""Normal form: with a scheme, without a trailing slash."""
ProxyUrl = Annotated[Secret, NOT_EMPTY, AfterValidator(_proxy_url)]


def _address(text: str) -> str:
    parse_address(text)
    return text


_TAKEN = re.compile(r"/(?:-|api|docs|vms)(?:/.*)?|/(?:config|probe|status\.css)/?")

ListenAddress = Annotated[str, AfterValidator(_address), Kind("host:port")]
TelemetryPath = Annotated[
    str,
    should(
        "be a path such as /metrics, of letters, digits and ._~-/",
        re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?").fullmatch,
    ),
    should("have no '.' and '..' in it", lambda path: not {".", ".."} & set(path.split("/"))),
    should(
        "not be /config, /probe or /status.css, nor below /-/, /api/, /docs/ or /vms/, "
        "which are taken",
        lambda path: not _TAKEN.fullmatch(path),
    ),
    Kind("path"),
]
HostName = Annotated[
    str,
    should(
        "be a host name without a port, such as metrics.example.com",
        lambda text: _is_host(text.removeprefix("[").removesuffix("]")),
    ),
    AfterValidator(str.lower),
]
"""A host name in lower case, or an address; no port."""
