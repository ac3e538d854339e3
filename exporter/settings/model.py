"""All settings. A new key is a field of a section, and one place that uses it."""

from typing import Any

import yaml
from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.settings.palette import Palette
from exporter.settings.schema import PREFIX
from exporter.settings.section import Section
from exporter.settings.serving import Labels, Log, Metrics, Probe, Shard, Web
from exporter.settings.watched import Discovery, Objective, Refresh, Targets


class Settings(BaseSettings, Section):
    """All settings, checked. ``exporter.settings.load`` makes them."""

    model_config = SettingsConfigDict(
        case_sensitive=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    palette: Palette = Palette()
    """Where Palette is, and how the exporter authenticates."""
    refresh: Refresh = Refresh()
    """How often the clusters are read."""
    targets: Targets = ()
    """What to watch; can be empty when discovery is on."""
    discovery: Discovery = Discovery()
    """Discovery of the clusters that run VMs."""
    objectives: tuple[Objective, ...] = ()
    """What is promised of VMs. The first objective that matches a VM applies to it."""
    labels: Labels = Labels()
    """Kubernetes labels of VMs that series carry."""
    metrics: Metrics = Metrics()
    """Which metrics are exported."""
    shard: Shard = Shard()
    """One of several exporters that share the clusters."""
    probe: Probe = Probe()
    """Live reads on demand, at /probe."""
    web: Web = Web()
    """The exporter's own HTTP server."""
    log: Log = Log()
    """Logs, on standard error."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_more: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the values as given: ``load`` merges the sources, to know where each came from."""
        return (init_settings,)

    def effective(self) -> dict[str, Any]:
        """Return all values as they would be in a file, secrets as ``<secret>``."""
        return self.model_dump(mode="json")

    def effective_yaml(self) -> str:
        """Return the text of a file with all values, secrets as ``<secret>``."""
        return yaml.safe_dump(self.effective(), sort_keys=False, allow_unicode=True)

    def with_demo(self, *, url: str, api_key: str) -> "Settings":
        """Return settings that were loaded for a demo, with its Palette."""
        connection = {"url": url, "api_key": SecretStr(api_key)}
        return self.model_copy(update={"palette": self.palette.model_copy(update=connection)})
