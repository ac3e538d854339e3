"""What scrapes are answered with; scrapers of the same moment share the work."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from exporter.metrics.exposition import Part, RenderedCluster, gzipped, pieces, size
from exporter.metrics.telemetry import END_OF_FILE, Telemetry
from exporter.store import Store

T = TypeVar("T")

MOMENT = 0.05
"""Seconds in which scrapes are of the same moment, as long as nothing new is published."""


@dataclass(slots=True)
class _Shared(Generic[T]):
    """What several readers go over, worked out as the first of them gets to it."""

    source: Iterator[T]
    ready: list[T] = field(default_factory=list)
    failure: Exception | None = field(default=None, repr=False)

    def __iter__(self) -> Iterator[T]:
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


class Answer:
    """A text in one of the formats, for any number of readers.

    parts: what it is put together from; sizes: the bytes of text of each; gzipped: the pieces of
    it as a gzip file. The text itself is too large to be kept, and each reader's own.
    """

    def __init__(self, parts: Iterator[Part]) -> None:
        self._shared = (
            together := _Shared(parts),
            sizes := _Shared(map(size, together)),
            packed := _Shared(gzipped(together)),
        )
        self.parts: Iterable[Part] = together
        self.sizes: Iterable[int] = sizes
        self.gzipped: Iterable[bytes] = packed

    @property
    def failed(self) -> bool:
        """Whether it could not be worked out to its end."""
        return any(each.failure is not None for each in self._shared)


class _Current(Answer):
    """An answer that all may have who ask at the same moment; now: in seconds."""

    def __init__(
        self, parts: Iterator[Part], clusters: tuple[RenderedCluster, ...], now: float
    ) -> None:
        super().__init__(parts)
        self._clusters = clusters
        self._now = now

    def is_good_for(self, clusters: tuple[RenderedCluster, ...], now: float) -> bool:
        """Tell whether a scrape of these clusters may have it."""
        same = self._clusters == clusters and 0 <= now - self._now < MOMENT
        return same and not self.failed


class Scrapes:
    """Puts answers together from the published states. wall: seconds since the epoch."""

    def __init__(
        self, store: Store[RenderedCluster], telemetry: Telemetry, wall: Callable[[], float]
    ) -> None:
        self._store = store
        self._telemetry = telemetry
        self._wall = wall
        # Only as long as somebody reads it: it holds on to states that may be replaced by now.
        self._current = WeakValueDictionary[bool, _Current]()

    def answer(self, *, openmetrics: bool) -> Answer:
        """Return the text as it is now; it stays of this moment to the end."""
        now = self._wall()
        clusters = tuple(published.text for published in self._store.view())
        current = self._current.get(openmetrics)
        if current is None or not current.is_good_for(clusters, now):
            parts = self._source(clusters, now, openmetrics=openmetrics)
            current = self._current[openmetrics] = _Current(parts, clusters, now)
        return current

    def _source(
        self, clusters: tuple[RenderedCluster, ...], now: float, *, openmetrics: bool
    ) -> Iterator[Part]:
        yield from pieces(clusters, now, openmetrics=openmetrics)
        yield self._telemetry.text(openmetrics=openmetrics)
        if openmetrics:
            yield END_OF_FILE
