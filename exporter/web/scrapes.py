"""What scrapes are answered with; scrapers of the same moment share the work."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from exporter.metrics.deflate import Block
from exporter.metrics.exposition import RenderedCluster, pieces
from exporter.metrics.telemetry import END_OF_FILE, Telemetry
from exporter.store import Store

MOMENT = 0.05
"""Seconds in which scrapes are of the same moment, as long as nothing new is published."""


@dataclass(slots=True)
class _Shared:
    """The parts of an answer, worked out as the first of its readers gets to them."""

    clusters: tuple[RenderedCluster, ...]
    now: float
    source: Iterator[Block | bytes]
    ready: list[Block | bytes] = field(default_factory=list)
    failure: Exception | None = field(default=None, repr=False)

    def is_good_for(self, clusters: tuple[RenderedCluster, ...], now: float) -> bool:
        """Tell whether a scrape of these clusters may have this answer; now: in seconds."""
        return self.failure is None and self.clusters == clusters and 0 <= now - self.now < MOMENT

    def __iter__(self) -> Iterator[Block | bytes]:
        index = 0
        while True:
            if index == len(self.ready):
                # A generator that failed says the next time that it has ended, and what is there
                # of the text would pass for the whole.
                if self.failure:
                    raise self.failure
                try:
                    self.ready.append(next(self.source))
                except StopIteration:
                    return
                except Exception as error:
                    self.failure = error
                    raise
            yield self.ready[index]
            index += 1


class Scrapes:
    """Puts answers together from the published states. wall: seconds since the epoch."""

    def __init__(
        self, store: Store[RenderedCluster], telemetry: Telemetry, wall: Callable[[], float]
    ) -> None:
        self._store = store
        self._telemetry = telemetry
        self._wall = wall
        self._last: dict[bool, _Shared] = {}

    def parts(self, *, openmetrics: bool) -> Iterable[Block | bytes]:
        """Return the parts of the text as it is now; they stay of this moment to the end."""
        now = self._wall()
        clusters = tuple(published.text for published in self._store.view())
        last = self._last.get(openmetrics)
        if last is None or not last.is_good_for(clusters, now):
            last = _Shared(clusters, now, self._source(clusters, now, openmetrics=openmetrics))
            self._last[openmetrics] = last
        return last

    def _source(
        self, clusters: tuple[RenderedCluster, ...], now: float, *, openmetrics: bool
    ) -> Iterator[Block | bytes]:
        yield from pieces(clusters, now, openmetrics=openmetrics)
        yield self._telemetry.text(openmetrics=openmetrics)
        if openmetrics:
            yield END_OF_FILE
