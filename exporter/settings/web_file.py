"""The web configuration file: TLS, users and headers, in the exporter-toolkit's format."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from exporter.settings.faults import SectionError, SettingsError, validated
from exporter.settings.given import given_by, tree_of
from exporter.settings.section import Section
from exporter.settings.values import Duration
from exporter.settings.web_tls import TlsServer
from exporter.settings.yaml_file import mapping

HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""The headers that can be set -> the values they can have; () is any."""

GREATEST_COST = 16  # of a bcrypt hash; to check one then takes some ten seconds

# The last character of the salt and that of the hash have bits to spare, which must be 0.
_BCRYPT = re.compile(r"\$2[abxy]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_A_HASH = "should be a bcrypt hash, as `htpasswd -nBC 10 NAME` prints it after the colon"


def _users(value: object) -> dict[str, SecretStr]:
    if not isinstance(value, Mapping):
        raise ValueError("should be a mapping of user names to bcrypt hashes")  # noqa: TRY004
    # Neither side is quoted: they could be in each other's place.
    for number, (name, hashed) in enumerate(value.items(), 1):
        if problem := _problem(name, hashed):
            raise ValueError(f"entry {number}: {problem}")
    return {name: SecretStr(hashed) for name, hashed in value.items()}


def _problem(name: object, hashed: object) -> str | None:
    if not isinstance(name, str):
        return "the user name should be a string: put it in quotes"
    if ":" in name or not name.isprintable():
        return "the user name should have no colon and no control characters"
    found = _BCRYPT.fullmatch(hashed) if isinstance(hashed, str) else None
    if found is None:
        return f"the password {_A_HASH}"
    if not 4 <= int(found["cost"]) <= GREATEST_COST:
        return f"the bcrypt hash should have a cost from 4 to {GREATEST_COST}"
    return None


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name not in HEADERS:
            raise ValueError(f"only these can be set: {', '.join(HEADERS)}")
        if not value.isascii() or not value.isprintable():
            raise ValueError(f"{name} should be printable ASCII")
        if value and HEADERS[name] and value not in HEADERS[name]:
            raise ValueError(f"{name} should be {' or '.join(HEADERS[name])}")
    return {name: value for name, value in headers.items() if value}


class HttpServer(Section):
    """HTTP of the exporter's own server."""

    http2: bool = True
    """Accepted as part of the format. The server speaks HTTP/1.1."""
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(default={})
    """Headers of every answer."""


class RateLimit(Section):
    """Limit on the requests of all clients together."""

    interval: Duration = 0.0
    """Time for each request; 0 sets no limit."""
    burst: Annotated[int, Field(ge=0)] = 0
    """Burst size: requests allowed at once after an idle period."""

    @model_validator(mode="after")
    def _answers_some(self) -> "RateLimit":
        if self.interval and not self.burst:
            raise SectionError("burst", "should be at least 1, or no request is ever answered")
        return self


class WebFile(Section):
    """The web configuration file."""

    tls_server_config: TlsServer = TlsServer()
    """TLS."""
    http_server_config: HttpServer = HttpServer()
    """HTTP."""
    basic_auth_users: Annotated[dict[str, SecretStr], BeforeValidator(_users)] = Field(default={})
    """User names, and the bcrypt hashes of their passwords."""
    rate_limit: RateLimit = RateLimit()
    """Limit on requests."""

    @property
    def has_secrets(self) -> bool:
        """Whether the file itself holds a secret."""
        return bool(self.basic_auth_users) or self.tls_server_config.key is not None


def read_web_file(path: Path) -> WebFile:
    """Read and check the file and those it names; raises SettingsError, a line for each fault."""
    given, faults = given_by(mapping(path), WebFile, path.parent, names={})
    found, refused = validated(WebFile, tree_of(given))
    if found is None or faults:
        raise SettingsError(dict.fromkeys(map(str, [*faults, *refused])))
    return found


def web_files(path: Path) -> tuple[Path, ...]:
    """Return the file and those that it names, good or not."""
    try:
        given, _ = given_by(mapping(path), WebFile, path.parent, names={})
    except SettingsError:
        given = {}
    return (path, *(each.value for each in given.values() if isinstance(each.value, Path)))
