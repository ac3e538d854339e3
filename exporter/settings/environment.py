"""Settings from environment variables: ours, and the two that the vendor's tools read."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from exporter.settings import schema
from exporter.settings.faults import Fault, Place
from exporter.settings.files import plain
from exporter.settings.hints import unknown_variable
from exporter.settings.schema import PREFIX

HOST, API_KEY = "SPECTROCLOUD_HOST", "SPECTROCLOUD_APIKEY"

# What Kubernetes sets for Services called palette-exporter or palette-exporter-something.
_SERVICE_LINK = re.compile(
    PREFIX + r"(?:[A-Z0-9_]+_)??(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_[0-9]+_\w+)?)"
)


class Environment(EnvSettingsSource):
    """Environment variables as a source of settings; an empty one counts as not given.

    names: the variable for each place that was set.
    faults: variables that set no key.
    """

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str]) -> None:
        super().__init__(settings_cls, case_sensitive=False)
        self.names: dict[Place, str] = {}
        self.faults: list[Fault] = []
        self._environ = {name: plain(value) for name, value in environ.items()}
        self.env_vars = {name.lower(): self._environ[name] for name in self._known()}

    def __call__(self) -> dict[str, Any]:
        """Return the values of the variables, nested by section."""
        tree = super().__call__()
        palette = tree.setdefault("palette", {})
        if isinstance(palette, dict):
            self._vendor(palette)
        return tree

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read JSON; other text stays text, which its key then refuses."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value

    def _known(self) -> list[str]:
        names = [
            name
            for name, value in self._environ.items()
            if value and name.upper().startswith(PREFIX) and not _is_service_link(name, value)
        ]
        return [name for name in names if self._place(name)]

    def _place(self, name: str) -> bool:
        """Record which key a variable sets; False if there is none."""
        place = tuple(name[len(PREFIX) :].lower().split("__"))
        if _is_known(place, self.settings_cls):
            self.names[place] = name
            return True
        variables = [leaf.variable for leaf in schema.leaves(self.settings_cls)]
        self.faults.append(unknown_variable(name, variables))
        return False

    def _vendor(self, palette: dict[str, Any]) -> None:
        place = ("palette", "api_key")
        if palette.pop("api_key", None) is not None:
            name = self.names.pop(place, f"{PREFIX}PALETTE")
            self.faults.append(Fault(place, f"is not read from here. Use {API_KEY}", name))
        if key := self._environ.get(API_KEY):
            palette["api_key"] = SecretStr(key)
            self.names[place] = API_KEY
        if (host := self._environ.get(HOST)) and "url" not in palette:
            palette["url"] = host if "://" in host else f"https://{host}"
            self.names["palette", "url"] = HOST


def _is_service_link(name: str, value: str) -> bool:
    # PALETTE_EXPORTER_WEB_PORT=80 is a guess at a key; what Kubernetes sets is a URL.
    is_guess = name.endswith("_PORT") and not name.endswith("_SERVICE_PORT") and "://" not in value
    return _SERVICE_LINK.fullmatch(name) is not None and "__" not in name and not is_guess


def _is_known(place: tuple[str, ...], model: type[BaseModel]) -> bool:
    field = model.model_fields.get(place[0])
    if field is None or len(place) == 1:
        return field is not None
    section = schema.section_of(field)
    return section is not None and _is_known(place[1:], section)
