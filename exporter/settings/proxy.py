"""The proxy that the environment names for a URL, as Go's and the vendor's tools read it."""

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from exporter.settings.files import plain


def proxy_for(url: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the proxy for a URL, and the variable that names it; None for a direct connection."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None  # the key that holds the URL refuses it
    names = (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper())
    name = next((name for name in names if plain(environ.get(name, ""))), None)
    if name is None or _is_direct(host, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    proxy = plain(environ[name])
    return (proxy if "://" in proxy else f"http://{proxy}"), name


def _is_direct(host: str, no_proxy: str) -> bool:
    if host == "localhost" or proxy_bypass_environment(host, {"no": plain(no_proxy)}):
        return True
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return address.is_loopback or any(
            address in network for network in _networks(no_proxy.split(","))
        )
    return False


def _networks(names: list[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for name in names:
        with suppress(ValueError):
            found.append(ipaddress.ip_network(name.strip(), strict=False))
    return found
