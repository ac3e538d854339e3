"""What a probe is answered with: whether it succeeded, how long it took, and what it read."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from exporter.metrics.exposition import Part, RenderedCluster, header, pieces, without_cluster
from exporter.metrics.family import Family
from exporter.metrics.numbers import number
from exporter.metrics.telemetry import END_OF_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How a probe went.

    success: whether what was asked for is there, and was read in time.
    duration: in seconds.
    """

    success: bool
    duration: float


PROBE_FAMILIES: tuple[Family[Probe], ...] = (
    Family(
        name="palette_probe_success",
        help="Whether what the probe asked for is there and was read in time (1) or not (0).",
        value=attrgetter("success"),
    ),
    Family(
        name="palette_probe_duration_seconds",
        help="How long the probe took, waiting for the rate limit included.",
        value=attrgetter("duration"),
    ),
)


def probe_pieces(
    probe: Probe, read: RenderedCluster, now: float, *, openmetrics: bool
) -> Iterator[Part]:
    """Yield the text of a probe and of what it read, but for what is about the cluster.

    now: seconds since the epoch, what ages are told for.
    """
    yield b"".join(_lines(probe, openmetrics=openmetrics))
    yield from pieces([without_cluster(read)], now, openmetrics=openmetrics)
    if openmetrics:
        yield END_OF_FILE


def _lines(probe: Probe, *, openmetrics: bool) -> Iterator[bytes]:
    for family in PROBE_FAMILIES:
        value = family.value(probe)
        if value is not None:
            head = f"{header(family, openmetrics=openmetrics)}{family.name} "
            yield b"%b%b\n" % (head.encode(), number(value))
