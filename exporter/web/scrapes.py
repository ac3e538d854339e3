"""The text of a scrape, from the published states."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog

from exporter.metrics.deflate import Block
from exporter.metrics.exposition import RenderedCluster
from exporter.metrics.options import RenderOptions
from exporter.metrics.own_families import SERIES
from exporter.metrics.scrape import exposition
from exporter.metrics.telemetry import END_OF_FILE, Telemetry
from exporter.store import Store

log = structlog.get_logger()


@dataclass(slots=True)
class Scrapes:
    """Joins the text of all clusters and of the exporter.

    wall: seconds since the epoch.
    """

    store: Store[RenderedCluster]
    telemetry: Telemetry
    wall: Callable[[], float]
    options: Callable[[], RenderOptions] = RenderOptions
    _above_limit: bool = field(default=False, init=False)

    def parts(self, *, openmetrics: bool) -> Iterator[Block | bytes]:
        """Yield the text as it is now, in parts; later changes do not show in it."""
        clusters = tuple(published.text for published in self.store.view())
        yield from exposition(clusters, self.wall(), openmetrics=openmetrics)
        options = self.options()
        own = self.telemetry.text(openmetrics=openmetrics, allows=options.allows)
        yield own
        series = sum(cluster.series for cluster in clusters)
        series += sum(not line.startswith(b"#") for line in own.split(b"\n") if line)
        if options.allows(SERIES.name):
            series += 1
            yield SERIES.text(series).encode()
        if openmetrics:
            yield END_OF_FILE
        self._compare(series, options.max_series)

    def _compare(self, series: int, limit: int) -> None:
        above = 0 < limit < series
        if above and not self._above_limit:
            log.warning("more series than metrics.max_series", series=series, max_series=limit)
        self._above_limit = above
