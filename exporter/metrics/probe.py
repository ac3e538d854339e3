"""The text of a probe: whether it succeeded, its duration, and what it read."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from exporter.metrics.deflate import Block
from exporter.metrics.exposition import FAMILIES, RenderedCluster
from exporter.metrics.families import CLUSTER_FAMILIES
from exporter.metrics.family import Family
from exporter.metrics.scrape import exposition, header
from exporter.metrics.telemetry import END_OF_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The result of a probe.

    success: whether the requested snapshot or virtual machine exists and was read in time.
    duration: in seconds.
    """

    success: bool
    duration: float


PROBE_FAMILIES: tuple[Family[Probe], ...] = (
    Family(
        name="palette_probe_success",
        help="1 if what the probe requests exists and was read in time, 0 otherwise.",
        value=attrgetter("success"),
    ),
    Family(
        name="palette_probe_duration_seconds",
        help="Duration of the probe, including waits for the rate limit.",
        value=attrgetter("duration"),
    ),
)


def probe_exposition(
    probe: Probe, read: RenderedCluster, now: float, *, openmetrics: bool
) -> Iterator[Block | bytes]:
    """Yield the text of a probe and of what it read, without the cluster families.

    now: seconds since the epoch, for ages.
    """
    for family in PROBE_FAMILIES:
        if not read.options.allows(family.name):
            continue
        text = header(family, openmetrics=openmetrics) + family.text("", probe).replace("{}", "")
        yield text.encode()
    families = FAMILIES[: -len(CLUSTER_FAMILIES)]
    yield from exposition([read], now, openmetrics=openmetrics, families=families)
    if openmetrics:
        yield END_OF_FILE
