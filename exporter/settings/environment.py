"""Settings from environment variables: ours, and the two that the vendor's tools read."""

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from exporter.settings import schema
from exporter.settings.faults import Fault, Place
from exporter.settings.files import plain
from exporter.settings.schema import PREFIX
from exporter.settings.sources import Source, prepared

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
) -> Source:
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
    strangers = [name for name, place in ours.items() if place not in known]
    faults = [_unknown(name, settings_cls) for name in strangers]
    variables = _Variables(settings_cls, case_sensitive=False)
    variables.env_vars = {name.lower(): values[name] for name in names.values()}
    tree = variables()
    palette = tree.setdefault("palette", {})
    if isinstance(palette, dict):
        faults.extend(_vendor(palette, names, values))
    return Source(prepared(tree, settings_cls, directory), names, tuple(faults))


def _vendor(
    palette: dict[str, Any], names: dict[Place, str], values: Mapping[str, str]
) -> Iterator[Fault]:
    """Add the two variables of the vendor, the only ones that give the API key its value."""
    place = ("palette", "api_key")
    if palette.pop("api_key", None) is not None:
        name = names.pop(place, f"{PREFIX}PALETTE")
        yield Fault(place, f"is not read from here. Use {API_KEY}", name)
    if key := values.get(API_KEY):
        palette["api_key"] = SecretStr(key)
        names[place] = API_KEY
    if (host := values.get(HOST)) and "url" not in palette:
        palette["url"] = host if "://" in host else f"https://{host}"
        names["palette", "url"] = HOST


def _is_service_link(name: str, value: str) -> bool:
    # PALETTE_EXPORTER_WEB_PORT=80 is a guess at a key; what Kubernetes sets is a URL.
    is_guess = name.endswith("_PORT") and not name.endswith("_SERVICE_PORT") and "://" not in value
    return _SERVICE_LINK.fullmatch(name) is not None and "__" not in name and not is_guess


def _unknown(name: str, settings_cls: type[BaseSettings]) -> Fault:
    known = [leaf.variable for leaf in schema.leaves(settings_cls)]
    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near else "no key has this name"
    return Fault((name,), f"unknown environment variable; {hint}")
