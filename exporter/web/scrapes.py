"""The text of a scrape, from the published states."""

from collections.abc import Callable, Iterator

from exporter.metrics.deflate import Block
from exporter.metrics.exposition import RenderedCluster
from exporter.metrics.scrape import exposition
from exporter.metrics.telemetry import END_OF_FILE, Telemetry
from exporter.store import Store


class Scrapes:
    """Joins the text of all clusters and of the exporter. wall: seconds since the epoch."""

    def __init__(
        self, store: Store[RenderedCluster], telemetry: Telemetry, wall: Callable[[], float]
    ) -> None:
        self._store = store
        self._telemetry = telemetry
        self._wall = wall

    def parts(self, *, openmetrics: bool) -> Iterator[Block | bytes]:
        """Return the text as it is now, in parts; later changes do not show in it."""
        clusters = tuple(published.text for published in self._store.view())
        return self._parts(clusters, self._wall(), openmetrics=openmetrics)

    def _parts(
        self, clusters: tuple[RenderedCluster, ...], now: float, *, openmetrics: bool
    ) -> Iterator[Block | bytes]:
        yield from exposition(clusters, now, openmetrics=openmetrics)
        yield self._telemetry.text(openmetrics=openmetrics)
        if openmetrics:
            yield END_OF_FILE
