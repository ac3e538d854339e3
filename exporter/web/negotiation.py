"""Which of our formats and encodings a client would rather have (RFC 9110, section 12.5)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

OPENMETRICS = "application/openmetrics-text"
TEXT = "text/plain"
VERSIONS = {OPENMETRICS: "1.0.0", TEXT: "0.0.4"}
"""Media type -> the version of it that we speak."""


class Preference(NamedTuple):
    """One member of an Accept header: ``token;name=value;q=0.5``, in lower case."""

    token: str
    parameters: dict[str, str]
    quality: float


def preferences(header: str) -> Iterator[Preference]:
    """Yield what a header lists, in its order; a quality that makes no sense counts as 0."""
    for member in header.lower().split(","):
        token, *rest = (part.strip() for part in member.split(";"))
        if token:
            parameters = dict(_parameter(part) for part in rest)
            yield Preference(token, parameters, _quality(parameters.pop("q", "1")))


def wants_openmetrics(accept: str) -> bool:
    """Tell whether OpenMetrics 1.0 is preferred to the text format, which is the default."""
    wanted = [each for each in preferences(accept) if _is_ours(each)]
    openmetrics, text = _welcome(wanted, OPENMETRICS), _welcome(wanted, TEXT)
    named = next((each.token for each in wanted if each.token in VERSIONS), TEXT)
    return openmetrics > text or (openmetrics == text > 0 and named == OPENMETRICS)


def wants_gzip(accept_encoding: str) -> bool:
    """Tell whether gzip is acceptable and at least as welcome as no encoding at all."""
    qualities = {wanted.token: wanted.quality for wanted in preferences(accept_encoding)}
    anything = qualities.get("*", 0.0)
    gzip = qualities.get("gzip", qualities.get("x-gzip", anything))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _is_ours(wanted: Preference) -> bool:
    """Tell whether a member means what we speak, as far as it names a version."""
    version = VERSIONS.get(wanted.token)
    return version is None or wanted.parameters.get("version", version) == version


def _welcome(wanted: Sequence[Preference], media_type: str) -> float:
    """Return how welcome a type is: what names it goes before what names it among others."""
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
