"""Every key there is, with its kind, default and meaning: the one place to add another."""

import re
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.duration import format_duration
from exporter.settings.credential import ApiKey, Credential, Login, read_api_key, read_password
from exporter.settings.faults import SectionError, SettingsError, of_validation
from exporter.settings.schema import PREFIX
from exporter.settings.section import Section
from exporter.settings.tls import Tls
from exporter.settings.values import (
    ApiKeyFile,
    ApiKeyText,
    Count,
    FlagName,
    HeaderText,
    HostName,
    Interval,
    LabelName,
    Limit,
    ListenAddress,
    Name,
    Ordinal,
    PaletteUrl,
    PasswordFile,
    Pattern,
    PositiveDuration,
    ProxyUrl,
    Rate,
    ReadableFile,
    TelemetryPath,
    Text,
    UserName,
    ValuePattern,
    parse_address,
)
from exporter.settings.web_file import read_web_file

NO_CREDENTIAL = (
    "no credential: give palette.api_key_file, or the environment variable SPECTROCLOUD_APIKEY, "
    "or palette.api_key in the file, or palette.username with palette.password_file"
)

CONNECTION = (
    "url",
    "api_key_file",
    "api_key",
    "username",
    "password_file",
    "org",
    "project_uid",
    "tls",
    "proxy_url",
)
"""Keys of ``palette`` that say where it is and how to be let in; a demo brings its own."""


def _read(key: str, reader: Callable[[Path], str], path: Path) -> SecretStr:
    try:
        return SecretStr(reader(path))
    except ValueError as error:
        fault = f"palette.{key}: {error}"
    raise SettingsError([fault])


class Palette(Section):
    """Where Palette is, and how to be let in."""

    url: PaletteUrl = Field(
        default="https://api.spectrocloud.com",
        description="Where Palette is; https:// may be left off. Also SPECTROCLOUD_HOST.",
    )
    api_key_file: ApiKeyFile | None = Field(
        default=None,
        description="File that holds the API key and nothing else. Or SPECTROCLOUD_APIKEY.",
    )
    api_key: ApiKeyText | None = Field(
        default=None,
        description="The API key itself; in the configuration file only. Prefer api_key_file.",
    )
    username: UserName | None = Field(
        default=None, description="Log in as this user (an e-mail address) instead of with a key."
    )
    password_file: PasswordFile | None = Field(
        default=None, description="File that holds the user's password and nothing else."
    )
    org: Text | None = Field(
        default=None, description="Organization to log in to; only with username."
    )
    project_uid: HeaderText | None = Field(
        default=None, description="Project of the targets that name none; without it, the tenant."
    )
    tls: Tls = Field(default=Tls(), description="TLS towards Palette.")
    proxy_url: ProxyUrl | None = Field(
        default=None,
        description="HTTP proxy on the way to Palette, http://[user:password@]host:port.",
    )
    timeout: Interval = Field(
        default=10.0, description="Longest wait for one HTTP request; at least 1s."
    )
    requests_per_second: Rate = Field(
        default=40.0,
        description="Most requests in a second, above 0. Palette allows 50 per source address to "
        "all clients behind it together.",
    )
    burst: Count = Field(
        default=50, description="Most requests at once after a quiet time; at least 1."
    )

    def credential(self) -> Credential:
        """Return what to authenticate with, its file read anew at each call.

        Raises SettingsError when the file has become unreadable, or nothing was given.
        """
        if self.api_key_file is not None:
            return ApiKey(_read("api_key_file", read_api_key, self.api_key_file))
        if self.api_key is not None:
            return ApiKey(self.api_key)
        if self.username is not None and self.password_file is not None:
            password = _read("password_file", read_password, self.password_file)
            return Login(self.username, password, self.org)
        raise SettingsError([f"palette: {NO_CREDENTIAL}"])

    def tls_context(self) -> ssl.SSLContext:
        """Return how to know Palette, the files of ``tls`` read anew.

        Raises SettingsError where one is not what it should be.
        """
        try:
            return self.tls.context()
        except SectionError as error:
            fault = f"palette.tls.{error.key}: {error}"
        raise SettingsError([fault])


def _five_intervals(given: dict[str, float]) -> float:
    return max(300.0, 5 * given["interval"])


class Refresh(Section):
    """How often the clusters are read."""

    interval: Interval = Field(
        default=60.0, description="Time from one reading of a cluster to the next; at least 1s."
    )
    stale_after: Interval = Field(
        default_factory=_five_intervals,
        description="How long the series of a cluster stay while reading it fails; not below "
        "interval. Without it: five intervals, at least 5m.",
    )

    @model_validator(mode="after")
    def _stale_after_an_interval(self) -> Self:
        if self.stale_after < self.interval:
            raise SectionError(
                "stale_after",
                f"{format_duration(self.stale_after)} is below refresh.interval, "
                f"{format_duration(self.interval)}; it should be at least as long",
            )
        return self


class Target(Section):
    """What to watch: a cluster, a namespace, a virtual machine, or one snapshot."""

    cluster_uid: Name = Field(description="UID of the cluster.")
    cluster_name: Text | None = Field(
        default=None, description="What to call the cluster in labels; else as Palette does."
    )
    project_uid: HeaderText | None = Field(
        default=None, description="Project of the cluster; without it, palette.project_uid."
    )
    namespace: Name | None = Field(default=None, description="Namespace; without it, all.")
    vm: Name | None = Field(
        default=None, description="Virtual machine; without it, all of the namespace."
    )
    snapshot: Name | None = Field(
        default=None, description="Snapshot; without it, all of the virtual machine."
    )

    @model_validator(mode="after")
    def _a_path_without_gaps(self) -> Self:
        for above, below in (("namespace", "vm"), ("vm", "snapshot")):
            if getattr(self, below) is not None and getattr(self, above) is None:
                raise SectionError(below, f"needs {above} beside it")
        for key in ("namespace", "vm"):
            # Named snapshots are read one by one, if need be; lists take names by commas.
            if self.snapshot is None and "," in (getattr(self, key) or ""):
                raise SectionError(key, "should have no comma where no snapshot is named")
        return self


_ALL = (re.compile(".*"),)


class Discovery(Section):
    """Finding the clusters that run virtual machines, without naming them."""

    enabled: bool = Field(
        default=False,
        description="Whether to look for clusters; also on where neither a file nor targets "
        "are given.",
    )
    interval: Interval = Field(
        default=300.0, description="Time from one look for clusters to the next; at least 1s."
    )
    clusters: tuple[Pattern, ...] = Field(
        default=_ALL,
        description="Regular expressions; one of them matches a cluster's whole name.",
    )
    exclude_clusters: tuple[Pattern, ...] = Field(
        default=(), description="Names of clusters to leave out, likewise."
    )
    namespaces: tuple[Pattern, ...] = Field(
        default=_ALL, description="Names of the namespaces to watch, likewise."
    )
    exclude_namespaces: tuple[Pattern, ...] = Field(
        default=(), description="Names of namespaces to leave out, likewise."
    )


class Objective(Section):
    """What is promised of certain virtual machines."""

    cluster: Pattern | None = Field(
        default=None, description="Regular expression for the whole name of the cluster."
    )
    namespace: Pattern | None = Field(
        default=None, description="Regular expression for the whole name of the namespace."
    )
    vm: Pattern | None = Field(
        default=None, description="Regular expression for the whole name of the virtual machine."
    )
    labels: dict[LabelName, ValuePattern] = Field(
        default={},
        description="Labels of the virtual machine, each with a regular expression for its whole "
        "value.",
    )
    exempt: bool = Field(
        default=False, description="The virtual machines need no snapshots; no other promise."
    )
    max_age: PositiveDuration | None = Field(
        default=None, description="Maximum age of the newest restorable snapshot (the RPO)."
    )
    min_snapshots: Count | None = Field(
        default=None, description="Minimum number of restorable snapshots."
    )
    max_snapshots: Count | None = Field(default=None, description="Maximum number of snapshots.")
    max_snapshot_age: PositiveDuration | None = Field(
        default=None, description="Maximum age of each snapshot."
    )
    quiesced: bool = Field(
        default=False,
        description="The newest restorable snapshot was taken with a quiesced file system, or "
        "while the virtual machine was off.",
    )
    ignore_volumes: tuple[Pattern, ...] = Field(
        default=(),
        description="Regular expressions for whole names of volumes that need no snapshot.",
    )

    @model_validator(mode="after")
    def _one_promise_at_least(self) -> Self:
        given = [key for key in _PROMISES if getattr(self, key)]
        if self.exempt and given:
            raise SectionError(given[0], "conflicts with exempt. Remove one of them")
        if not self.exempt and not given:
            others = ", ".join(key for key in _PROMISES if key != "max_age")
            raise SectionError("max_age", f"is required, or another promise: exempt, {others}")
        least, most = self.min_snapshots, self.max_snapshots
        if least is not None and most is not None and least > most:
            raise SectionError("min_snapshots", f"should be at most max_snapshots, {most}")
        return self


_PROMISES = (
    *("max_age", "min_snapshots", "max_snapshots", "max_snapshot_age"),
    *("quiesced", "ignore_volumes"),
)


class Labels(Section):
    """Kubernetes labels of virtual machines that series carry."""

    owner: LabelName | None = Field(
        default=None,
        description="Label whose value becomes the label owner of every series of virtual "
        "machines and snapshots, so that alerts can be routed by it.",
    )
    vm: tuple[LabelName, ...] = Field(
        default=(), description="Labels that palette_vm_labels shows; a list of names."
    )


class Metrics(Section):
    """Which metrics are exported."""

    deny: tuple[Pattern, ...] = Field(
        default=(),
        description="Regular expressions for whole names of metric families to leave out.",
    )
    max_series: Limit = Field(
        default=0,
        description="Number of series above which the exporter warns; no series is ever left out. "
        "0 sets no limit.",
    )


class Shard(Section):
    """One of several exporters that share the clusters."""

    ordinal: Ordinal = Field(
        default="0",
        description="Which of the exporters this is, from 0; auto reads it off the end of the "
        "host's name, as a StatefulSet's pods have it.",
    )
    total: Count = Field(default=1, description="How many exporters share the clusters.")

    @property
    def index(self) -> int:
        """Which exporter this is, from 0. Raises SectionError where auto finds no number."""
        if self.ordinal != "auto":
            return int(self.ordinal)
        number = re.search(r"-([0-9]{1,6})$", socket.gethostname())
        if number is None:
            raise SectionError("ordinal", "auto needs a host name that ends in - and a number")
        return int(number[1])

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.index >= self.total:
            raise SectionError("ordinal", f"should be below shard.total, which is {self.total}")
        return self


class Probe(Section):
    """One live reading on demand, at /probe."""

    enabled: bool = Field(default=True, description="Whether /probe answers.")
    allow_unconfigured: bool = Field(
        default=False,
        description="Whether /probe may ask for any cluster that the credential can read, and not "
        "only for those that are configured or discovered.",
    )


def _good_web_file(path: Path) -> Path:
    read_web_file(path)
    return path


WebConfigFile = Annotated[ReadableFile, AfterValidator(_good_web_file)]


class Web(Section):
    """What Prometheus talks to."""

    listen_address: ListenAddress = Field(
        default=":10180", description="host:port to listen on; without a host, on all addresses."
    )
    telemetry_path: TelemetryPath = Field(default="/metrics", description="Path of the metrics.")
    config_file: Annotated[WebConfigFile | None, FlagName("--web.config.file")] = Field(
        default=None,
        description="File with TLS and basic auth, in the exporter-toolkit's format.",
    )
    open_health_paths: bool = Field(
        default=False,
        description="Whether /-/healthy and /-/ready answer without a user and password.",
    )
    enable_lifecycle: bool = Field(
        default=True, description="Allow a reload over HTTP, at /-/reload."
    )
    allowed_hosts: tuple[HostName, ...] = Field(
        default=(),
        description="Host names, in addition to addresses, localhost and the host of "
        "listen_address, under which pages, JSON and reload answer while no users are configured.",
    )
    max_requests: Count = Field(
        default=40,
        description="Most scrapes, probes and pages that are answered at the same time, probes "
        "three quarters of that at most; more are 503.",
    )

    @property
    def address(self) -> tuple[str | None, int]:
        """Host, None for all addresses, and port, 0 for any that is free."""
        return parse_address(self.listen_address)


def _warn_is_warning(value: object) -> object:
    return "warning" if value == "warn" else value


class Log(Section):
    """What is logged, on standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(_warn_is_warning)
    ] = Field(default="info", description="Least severity that is logged.")
    format: Literal["logfmt", "json"] = Field(default="logfmt", description="Form of the lines.")


class Settings(BaseSettings):
    """All settings, checked. ``exporter.settings.load`` makes them."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        case_sensitive=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
    )

    palette: Palette = Field(
        default=Palette(), description="Where Palette is, and how to be let in."
    )
    refresh: Refresh = Field(default=Refresh(), description="How often the clusters are read.")
    targets: tuple[Target, ...] = Field(
        default=(), description="What to watch; may be empty where discovery is on."
    )
    discovery: Discovery = Field(
        default=Discovery(), description="Finding the clusters that run virtual machines."
    )
    objectives: tuple[Objective, ...] = Field(
        default=(),
        description="What is promised of virtual machines; the first objective that matches one "
        "applies to it.",
    )
    labels: Labels = Field(
        default=Labels(), description="Kubernetes labels of virtual machines that series carry."
    )
    metrics: Metrics = Field(default=Metrics(), description="Which metrics are exported.")
    shard: Shard = Field(
        default=Shard(), description="One of several exporters that share the clusters."
    )
    probe: Probe = Field(default=Probe(), description="One live reading on demand, at /probe.")
    web: Web = Field(default=Web(), description="What Prometheus talks to.")
    log: Log = Field(default=Log(), description="What is logged, on standard error.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the values as given: ``load`` joins the sources, as credentials need more care."""
        return (init_settings,)

    def effective(self) -> dict[str, Any]:
        """Return all values as they would stand in a file, secrets as ``<secret>``."""
        return self.model_dump(mode="json")

    def effective_yaml(self) -> str:
        """Return the same as the text of such a file."""
        return yaml.safe_dump(self.effective(), sort_keys=False, allow_unicode=True)

    def with_demo(
        self, *, url: str, api_key: str, targets: Iterable[Target | Mapping[str, str]] = ()
    ) -> "Settings":
        """Point these settings at a demo's Palette; raises SettingsError if that won't do."""
        kept = {key: value for key, value in self.palette if key not in CONNECTION}
        palette = {**kept, "url": url, "api_key": SecretStr(api_key)}
        try:
            return Settings.model_validate(
                {**dict(self), "palette": palette, "targets": tuple(targets)}
            )
        except ValidationError as error:
            faults = of_validation(error)
        raise SettingsError(map(str, faults))
