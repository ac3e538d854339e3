"""The proxy that the environment names for a URL, as Go's and the vendor's tools read it."""

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from pydantic import SecretStr

from exporter.settings.files import plain
from exporter.settings.sources import Source


def proxy(url: str, environ: Mapping[str, str]) -> Source:
    """Return what gives ``palette.proxy_url`` its value, which is nothing without a proxy."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host = parts.hostname or ""
    except ValueError:
        return Source({})  # the key that holds the URL refuses it
    names = (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper())
    name = next((name for name in names if plain(environ.get(name, ""))), None)
    if name is None or _is_direct(host, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return Source({})
    found = plain(environ[name])
    secret = SecretStr(found if "://" in found else f"http://{found}")
    return Source({"palette": {"proxy_url": secret}}, {("palette", "proxy_url"): name})


def _is_direct(host: str, no_proxy: str) -> bool:
    if host == "localhost" or proxy_bypass_environment(host, {"no": plain(no_proxy)}):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(_holds(each, address) for each in no_proxy.split(","))


def _holds(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    with suppress(ValueError):
        return address in ipaddress.ip_network(network.strip(), strict=False)
    return False
