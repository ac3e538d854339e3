"""The kinds of values that settings take, each with its check.

Checks raise ValueError with what is allowed, never with the value itself.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr

from exporter.duration import MAX_SECONDS, format_duration, parse_prometheus_duration
from exporter.settings.credential import check_api_key, read_api_key, read_password
from exporter.settings.files import readable


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value is, in one word, for the help of flags and for documents."""

    word: str


@dataclass(frozen=True, slots=True)
class FlagName:
    """The flag of a key that goes by another name than its own path's."""

    flag: str


DURATION, SECRET, FILE = Kind("duration"), Kind("secret"), Kind("file")
URL, ADDRESS, URL_PATH = Kind("url"), Kind("host:port"), Kind("path")

_SECONDS = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?")
_A_DURATION = "should be a duration such as 30s, 1m30s or 26h, or a number of seconds"


def _seconds(value: object) -> float:
    try:
        seconds = _number_of_seconds(value)
    except (ValueError, OverflowError):
        raise ValueError(_A_DURATION) from None
    if not 0 <= seconds <= MAX_SECONDS:  # not a number fails too
        raise ValueError(f"{_A_DURATION}, from 0 to 292 years")
    return seconds


def _number_of_seconds(value: object) -> float:
    if isinstance(value, str):
        return float(value) if _SECONDS.fullmatch(value) else parse_prometheus_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError


def _a_second_or_more(seconds: float) -> float:
    if seconds < 1:
        raise ValueError("should be at least 1s")
    return seconds


Duration = Annotated[
    float, BeforeValidator(_seconds), PlainSerializer(format_duration, return_type=str), DURATION
]
"""Seconds; written as Prometheus does or as a number."""

Interval = Annotated[Duration, AfterValidator(_a_second_or_more)]
"""Seconds, at least one."""


def _above_zero(seconds: float) -> float:
    if seconds == 0:
        raise ValueError("should be above 0")
    return seconds


PositiveDuration = Annotated[Duration, AfterValidator(_above_zero)]
"""Seconds, above 0."""


def _compiled(value: object) -> re.Pattern[str]:
    if isinstance(value, re.Pattern):
        return value
    if not isinstance(value, str):
        raise ValueError("should be a string: put it in quotes")  # noqa: TRY004
    try:
        return re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"should be a regular expression: {error}") from None


def _not_blank(pattern: re.Pattern[str]) -> re.Pattern[str]:
    # Names are never empty, so this would match nothing.
    if not pattern.pattern:
        raise ValueError("should not be empty")
    return pattern


def _source(pattern: re.Pattern[str]) -> str:
    return pattern.pattern


ValuePattern = Annotated[
    re.Pattern[str],
    BeforeValidator(_compiled),
    PlainSerializer(_source, return_type=str),
    Kind("regex"),
]
"""A regular expression in Python's language for the whole value of a label, which can be empty."""

Pattern = Annotated[ValuePattern, AfterValidator(_not_blank)]
"""A regular expression in Python's language for a whole name."""


def _ordinal(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and (value == "auto" or re.fullmatch(r"[0-9]{1,6}", value)):
        return value
    raise ValueError("should be a number from 0, or auto")


def _plain_ordinal(text: str) -> int | str:
    return text if text == "auto" else int(text)


Ordinal = Annotated[
    str, BeforeValidator(_ordinal), PlainSerializer(_plain_ordinal), Kind("number|auto")
]
"""A number from 0, as text, or ``auto``."""


def _not_boolean(value: object) -> object:
    # Python counts True as 1, and pydantic follows.
    if isinstance(value, bool):
        raise ValueError("should be a number")  # noqa: TRY004 — pydantic takes ValueError only
    return value


Rate = Annotated[float, BeforeValidator(_not_boolean), Field(gt=0, allow_inf_nan=False)]
"""Per second, above 0."""

Count = Annotated[int, BeforeValidator(_not_boolean), Field(ge=1, le=1_000_000)]
"""From 1 to a million."""

Limit = Annotated[int, BeforeValidator(_not_boolean), Field(ge=0, le=1_000_000_000)]
"""From 0, which sets no limit, to a thousand million."""


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("should not be empty")
    return text


def _path_segment(text: str) -> str:
    # In the path of a request these would mean another resource, however they are encoded.
    if text in (".", ".."):
        raise ValueError("should be a name, not '.' or '..'")
    if set(text) & set("/\\%"):
        raise ValueError("should have no '/', '\\' or '%'")
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("should have no control characters or other invisible characters")
    return text


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        raise ValueError(
            "begins and ends with a quote. Remove the quotes: docker's --env-file keeps them"
        )
    return text


def _label_name(text: str) -> str:
    prefix, slash, name = text.rpartition("/")
    good = _LABEL_NAME.fullmatch(name) and (not slash or _LABEL_PREFIX.fullmatch(prefix))
    if not good:
        raise ValueError("should be the name of a Kubernetes label, such as example.com/owner")
    return text


_LABEL_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


def _header(text: str) -> str:
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("should be printable ASCII without spaces around it")
    return text


Text = Annotated[str, AfterValidator(_not_empty), AfterValidator(_printable)]
UserName = Annotated[Text, AfterValidator(_unquoted)]
Name = Annotated[Text, AfterValidator(_path_segment)]
"""A segment of the path of a request; it is percent-encoded there."""
LabelName = Annotated[str, AfterValidator(_label_name)]
"""The name of a Kubernetes label, with or without a prefix."""
HeaderText = Annotated[str, AfterValidator(_not_empty), AfterValidator(_header)]
"""What is sent as an HTTP header."""


def _host_is_well_formed(host: str) -> bool:
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
    if not host or not _host_is_well_formed(host) or port == 0 or parts.netloc.endswith(":"):
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
    parts = _split_url(_with_scheme(_not_empty(text)))
    if "@" in parts.netloc:
        raise ValueError("should hold no user name or password; see palette.username")
    return parts._replace(netloc=parts.netloc.lower(), path=parts.path.rstrip("/")).geturl()


def _proxy_url(secret: SecretStr) -> SecretStr:
    parts = _split_url(_not_empty(secret.get_secret_value()))
    if parts.path not in ("", "/"):
        raise ValueError("should have no path")
    return secret


PaletteUrl = Annotated[str, AfterValidator(_palette_url), URL]
"""Normal form: with a scheme, without a trailing slash."""


def _hidden(secret: SecretStr) -> str:
    return "<secret>"


Secret = Annotated[SecretStr, PlainSerializer(_hidden, return_type=str), SECRET]
ProxyUrl = Annotated[Secret, AfterValidator(_proxy_url)]
ApiKeyText = Annotated[
    Secret, AfterValidator(lambda secret: SecretStr(check_api_key(secret.get_secret_value())))
]


def _after(check: Callable[[Path], object]) -> AfterValidator:
    def checked(path: Path) -> Path:
        if path == Path():  # what an empty string makes; a dot is absolute by now
            raise ValueError("should not be empty")
        check(path)
        return path

    return AfterValidator(checked)


ReadableFile = Annotated[Path, _after(readable), FILE]
ApiKeyFile = Annotated[Path, _after(read_api_key), FILE]
PasswordFile = Annotated[Path, _after(read_password), FILE]

_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})")


def parse_address(text: str) -> tuple[str | None, int]:
    """Split ``host:port``; no host means all interfaces, port 0 any that is free.

    Raises ValueError unless it is of that form, an IPv6 address in brackets.
    """
    found = _ADDRESS.fullmatch(text)
    if (
        found is None
        or int(found["port"]) > 65535
        or (found["ipv6"] and not _is_ipv6(found["ipv6"]))
    ):
        raise ValueError("should be host:port, such as :10180, 127.0.0.1:10180 or [::1]:10180")
    return found["ipv6"] or found["host"] or None, int(found["port"])


def _host_name(text: str) -> str:
    if not _host_is_well_formed(text.removeprefix("[").removesuffix("]")):
        raise ValueError("should be a host name without a port, such as metrics.example.com")
    return text.lower()


def _address(text: str) -> str:
    parse_address(text)
    return text


_OWN_PATHS = ("/-", "/api", "/config", "/docs", "/probe", "/status.css", "/vms")
_BELOW = ("/-/", "/api/", "/docs/", "/vms/")


def _telemetry_path(text: str) -> str:
    if re.fullmatch(r"(?:/[A-Za-z0-9._~-]+)+/?", text) is None:
        raise ValueError("should be a path such as /metrics, of letters, digits and ._~-/")
    if {".", ".."} & set(text.split("/")):
        raise ValueError("should have no '.' and '..' in it")
    if text.rstrip("/") in _OWN_PATHS or text.startswith(_BELOW):
        raise ValueError(
            "should not be /config, /probe or /status.css, nor below /-/, /api/, /docs/ or /vms/, "
            "which are taken"
        )
    return text


ListenAddress = Annotated[str, AfterValidator(_address), ADDRESS]
TelemetryPath = Annotated[str, AfterValidator(_telemetry_path), URL_PATH]
HostName = Annotated[str, AfterValidator(_host_name)]
"""A host name in lower case, or an address; no port."""
