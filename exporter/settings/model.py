"""All settings. A new key is a field of a section, and one place that uses it."""

import os
import re
import socket
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BeforeValidator, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.settings.addresses import HostName, ListenAddress, TelemetryPath, parse_address
from exporter.settings.faults import SectionError
from exporter.settings.palette import Palette
from exporter.settings.schema import PREFIX
from exporter.settings.section import Section
from exporter.settings.values import FILE, Count, LabelName, Limit, Ordinal, Pattern, readable_by
from exporter.settings.watched import Discovery, Objective, Refresh, Targets
from exporter.settings.web_file import read_web_file


class Labels(Section):
    """Kubernetes labels of VMs that series carry."""

    owner: LabelName | None = None
    """Label whose value becomes the label owner of every VM and snapshot series, so that alerts
    can be routed by it."""
    vm: tuple[LabelName, ...] = ()
    """Labels that palette_vm_labels shows."""


class Metrics(Section):
    """Which metrics are exported."""

    deny: tuple[Pattern, ...] = ()
    """Regular expressions for whole names of metric families to leave out."""
    max_series: Limit = 0
    """Number of series above which the exporter warns; no series is ever left out. 0 sets no
    limit."""


class Shard(Section):
    """One of several exporters that share the clusters."""

    ordinal: Ordinal = 0
    """Index of this shard, from 0. auto takes it from the pod's name (StatefulSet): from the
    environment variable POD_NAME, or from a host name such as palette-snapshot-exporter-0."""
    total: Count = 1
    """Number of exporters that share the clusters."""

    @property
    def index(self) -> int:
        """Which exporter this is, from 0. Raises SectionError if auto finds no number."""
        return self.ordinal if isinstance(self.ordinal, int) else _own_ordinal()

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.index >= self.total:
            raise SectionError("ordinal", f"should be below shard.total, which is {self.total}")
        return self


_POD = re.compile(r"(?P<name>.+)-(?P<ordinal>[0-9]{1,6})")


def _own_ordinal() -> int:
    if given := os.environ.get("POD_NAME", "").strip():
        if pod := _POD.fullmatch(given):
            return int(pod["ordinal"])
        raise SectionError("ordinal", "auto requires a POD_NAME that ends in - and a number")
    pod = _POD.fullmatch(socket.gethostname().partition(".")[0])
    # In the host's network, the host name is a node's: worker-3 says nothing about the shard.
    if pod is None or not re.search("palette|exporter", pod["name"]):
        raise SectionError(
            "ordinal",
            "auto requires the name of a StatefulSet's pod, which the host name is not. Set the "
            "environment variable POD_NAME from metadata.name, or the number itself",
        )
    return int(pod["ordinal"])


class Probe(Section):
    """Live reads on demand, at /probe."""

    enabled: bool = True
    """Answer /probe."""
    allow_unconfigured: bool = False
    """Let /probe read any cluster that the credential can read, in addition to those that are
    configured or discovered."""


class Web(Section):
    """The exporter's own HTTP server."""

    listen_address: ListenAddress = ":10180"
    """host:port to listen on; without a host, on all addresses."""
    telemetry_path: TelemetryPath = "/metrics"
    """Path of the metrics."""
    config_file: Annotated[Path, readable_by(read_web_file), FILE] | None = None
    """File with TLS and basic auth, in the exporter-toolkit's format."""
    open_health_paths: bool = False
    """Let /-/healthy and /-/ready answer without a user and password."""
    enable_lifecycle: bool = True
    """Allow a reload over HTTP, at /-/reload."""
    allowed_hosts: tuple[HostName, ...] = ()
    """Host names, in addition to addresses, localhost and the host of listen_address, under which
    pages, JSON and reload answer while no users are configured."""
    max_requests: Count = 40
    """Maximum number of scrapes, probes and pages that are answered at the same time, three
    quarters of them probes; more get 503."""

    @property
    def address(self) -> tuple[str | None, int]:
        """Host, None for all addresses, and port, 0 for any that is free."""
        return parse_address(self.listen_address)


class Log(Section):
    """Logs, on standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        BeforeValidator(lambda level: "warning" if level == "warn" else level),
    ] = "info"
    """Lowest severity that is logged."""
    format: Literal["logfmt", "json"] = "logfmt"
    """Format of the lines."""


class Settings(BaseSettings, Section):
    """All settings, checked. ``exporter.settings.load`` makes them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__")

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

    def effective_yaml(self) -> str:
        """Return the text of a file with all values, secrets as ``<secret>``."""
        values = self.model_dump(mode="json")
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)

    def with_demo(self, *, url: str, api_key: str) -> "Settings":
        """Return settings that were loaded for a demo, with its Palette."""
        connection = {"url": url, "api_key": SecretStr(api_key)}
        return self.model_copy(update={"palette": self.palette.model_copy(update=connection)})
