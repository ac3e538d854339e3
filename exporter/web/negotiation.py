"""The format and encoding that a client prefers (RFC 9110, section 12.5)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

OPENMETRICS = "application/openmetrics-text"
TEXT = "text/plain"
VERSIONS = {OPENMETRICS: "1.0.0", TEXT: "0.0.4"}
"""Media type -> the version that the exporter writes."""

MOST_MEMBERS = 100  # members of a header that are read; thousands of them would hold the event loop


class Preference(NamedTuple):
    """One member of an Accept header: ``token;name=value;q=0.5``, in lower case."""

    token: str
    parameters: dict[str, str]
    quality: float


def preferences(header: str) -> Iterator[Preference]:
    """Yield the first members of a header, in their order; an invalid quality counts as 0."""
    for member in header.lower().split(",", MOST_MEMBERS)[:MOST_MEMBERS]:
        token, *rest = (part.strip() for part in member.split(";"))
        if token:
            parameters = dict(_parameter(part) for part in rest)
            yield Preference(token, parameters, _quality(parameters.pop("q", "1")))


def wants_openmetrics(accept: str) -> bool:
    """Return whether the client prefers OpenMetrics 1.0 to the text format, the default."""
    wanted = [each for each in preferences(accept) if _is_ours(each)]
    openmetrics, text = _welcome(wanted, OPENMETRICS), _welcome(wanted, TEXT)
    named = next((each.token for each in wanted if each.token in VERSIONS), TEXT)
    return openmetrics > text or (openmetrics == text > 0 and named == OPENMETRICS)


def wants_gzip(accept_encoding: str) -> bool:
    """Return whether gzip is acceptable, and the client does not prefer no encoding."""
    qualities = {wanted.token: wanted.quality for wanted in preferences(accept_encoding)}
    anything = qualities.get("*", 0.0)
    gzip = qualities.get("gzip", qualities.get("x-gzip", anything))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _is_ours(wanted: Preference) -> bool:
    """Return whether a member allows the exporter's version of its format."""
    version = VERSIONS.get(wanted.token)
    return version is None or wanted.parameters.get("version", version) == version


def _welcome(wanted: Sequence[Preference], media_type: str) -> float:
    """Return the quality of a type: the type itself overrides a range that includes it."""
    for media_range in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        qualities = [each.quality for each in wanted if each.token == media_range]
        if qualities:
            return max(qualities)
    return 0.0


def _parameter(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip(), value.strip().strip('"')


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
