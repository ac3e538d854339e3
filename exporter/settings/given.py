"""What the file, flags and environment variables give: a value for each place, and its source."""

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from exporter.settings import schema
from exporter.settings.faults import Fault, Place, unknown_key
from exporter.settings.files import plain
from exporter.settings.schema import PREFIX
from exporter.settings.values import FILE, SECRET

T = TypeVar("T")


class Value(NamedTuple):
    """A value, and the flag, environment variable or file that gives it; "" for a default."""

    value: Any
    source: str = ""


Given = dict[Place, Value]
"""What is given, by its place; a section is here only if it is no mapping, which is a fault."""


def given_by(
    tree: Mapping[Any, Any], model: type[BaseModel], directory: Path, names: Mapping[Place, str]
) -> tuple[Given, list[Fault]]:
    """Return what a tree of sections gives, and its unknown keys.

    directory: where relative paths start; names: of what gives a place and all below it.
    """
    given: Given = {}
    faults = []
    for place, field, value in _values(tree, model):
        name = nearest(names, place) or ""
        if field is None:
            faults.append(replace(unknown_key(model, place, value), source=name))
        elif value is not None:
            # An empty key or section is the default.
            given[place] = Value(_prepared(value, field, directory), name)
    return given, faults


def _values(
    tree: Mapping[Any, Any], model: type[BaseModel]
) -> Iterator[tuple[Place, FieldInfo | None, Any]]:
    """Yield the place, the field and the value of each key; an unknown key has no field."""
    for key, value in tree.items():
        field = model.model_fields.get(key)
        section = field and schema.section_of(field)
        if section and isinstance(value, Mapping):
            for place, inner, found in _values(value, section):
                yield (key, *place), inner, found
        else:
            yield (key,), field, value


def _prepared(value: object, field: FieldInfo, directory: Path) -> object:
    if not isinstance(value, str):
        return value
    mark = schema.mark_of(field)
    if mark == SECRET:
        return SecretStr(value)  # from here on, nothing that prints the value prints it
    return directory / value if mark == FILE and value else value


def nearest(found: Mapping[Place, T], place: Place) -> T | None:
    """Return what is found for a place or, if there is nothing, for what it is a part of."""
    above = (place[:length] for length in range(len(place), -1, -1))
    return next((found[each] for each in above if each in found), None)


def tree_of(given: Given) -> dict[str, Any]:
    """Return values nested by section. What should be a section and is not hides its keys."""
    tree: dict[Any, Any] = {}
    for place in sorted(given, key=len, reverse=True):
        *sections, key = place
        inner = tree
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[key] = given[place].value
    return tree


HOST, API_KEY = "SPECTROCLOUD_HOST", "SPECTROCLOUD_APIKEY"

# What Kubernetes sets for Services called palette-exporter or palette-exporter-something.
_SERVICE_LINK = re.compile(
    PREFIX + r"(?:[A-Z0-9_]+_)??(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_[0-9]+_\w+)?)"
)


class _Variables(EnvSettingsSource):
    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read JSON; other text stays text, which its key then refuses."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value


def environment(
    settings_cls: type[BaseSettings], environ: Mapping[str, str], directory: Path
) -> tuple[Given, list[Fault]]:
    """Return what environment variables give; an empty one counts as not given.

    directory: where relative paths start.
    """
    values = {name: plain(value) for name, value in environ.items()}
    ours = {
        name: tuple(name[len(PREFIX) :].lower().split("__"))
        for name, value in values.items()
        if value and name.upper().startswith(PREFIX) and not _is_service_link(name, value)
    }
    known = set(schema.places(settings_cls))
    names: dict[Place, str] = {place: name for name, place in ours.items() if place in known}
    variables = _Variables(settings_cls)
    variables.env_vars = {name.lower(): values[name] for name in names.values()}
    given, faults = given_by(variables(), settings_cls, directory, names)
    strangers = [_unknown(name, settings_cls) for name in ours if ours[name] not in known]
    key, url = ("palette", "api_key"), ("palette", "url")
    if key in given:
        faults.append(Fault(key, f"is not read from here. Use {API_KEY}", given.pop(key).source))
    if found := values.get(API_KEY):
        given[key] = Value(SecretStr(found), API_KEY)
    if (host := values.get(HOST)) and url not in given:
        given[url] = Value(host if "://" in host else f"https://{host}", HOST)
    return given, [*strangers, *faults]


def _is_service_link(name: str, value: str) -> bool:
    # PALETTE_EXPORTER_WEB_PORT=80 is a guess at a key; what Kubernetes sets is a URL.
    is_guess = name.endswith("_PORT") and not name.endswith("_SERVICE_PORT") and "://" not in value
    return _SERVICE_LINK.fullmatch(name) is not None and "__" not in name and not is_guess


def _unknown(name: str, settings_cls: type[BaseSettings]) -> Fault:
    known = [leaf.variable for leaf in schema.leaves(settings_cls)]
    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near else "no key has this name"
    return Fault((name,), f"unknown environment variable; {hint}")


def proxy(url: str, environ: Mapping[str, str]) -> Value | None:
    """Return the proxy for a URL as Go's and the vendor's tools read it; None for none."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host = parts.hostname or ""
    except ValueError:
        return None  # the key that holds the URL refuses it
    names = (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper())
    name = next((name for name in names if plain(environ.get(name, ""))), None)
    if name is None or _is_direct(host, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    found = plain(environ[name])
    return Value(SecretStr(found if "://" in found else f"http://{found}"), name)


def _is_direct(host: str, no_proxy: str) -> bool:
    if host == "localhost" or proxy_bypass_environment(host, {"no": plain(no_proxy)}):
        return True
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return address.is_loopback or any(_holds(each, address) for each in no_proxy.split(","))
    return False


def _holds(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    with suppress(ValueError):
        return address in ipaddress.ip_network(network.strip(), strict=False)
    return False
