"""What scrapers of the same moment share, and what they do not."""

import gc
import gzip
import weakref

import pytest

from exporter.metrics.exposition import RenderedCluster, Renderer, plain
from exporter.metrics.telemetry import Telemetry
from exporter.store import Store
from exporter.web.scrapes import Scrapes


class FailingOnce(Telemetry):
    """Fails at the first text that is asked of it."""

    failed = False

    def text(self, *, openmetrics: bool) -> bytes:
        if not self.failed:
            self.failed = True
            raise ZeroDivisionError
        return super().text(openmetrics=openmetrics)


def test_an_answer_that_fails_is_nobodys_whole_answer() -> None:
    telemetry = FailingOnce(version="1", revision="r", now=0.0)
    store = Store[RenderedCluster](
        render=Renderer(), expire=lambda state, _: state, monotonic=lambda: 0.0
    )
    scrapes = Scrapes(store, telemetry, wall=lambda: 0.0)
    one, same = scrapes.answer(openmetrics=False), scrapes.answer(openmetrics=False)
    assert one is same
    for shared in (one.parts, one.gzipped, same.parts, same.gzipped):
        with pytest.raises(ZeroDivisionError):
            list(shared)
    assert gzip.decompress(b"".join(scrapes.answer(openmetrics=False).gzipped))


def test_no_answer_is_kept_that_nobody_reads_any_more() -> None:
    store = Store[RenderedCluster](
        render=Renderer(), expire=lambda state, _: state, monotonic=lambda: 0.0
    )
    telemetry = Telemetry(version="1", revision="r", now=0.0)
    scrapes = Scrapes(store, telemetry, wall=lambda: 0.0)
    answer = scrapes.answer(openmetrics=True)
    assert gzip.decompress(b"".join(answer.gzipped)) == b"".join(plain(answer.parts))
    kept = weakref.ref(answer)
    gc.disable()
    try:
        del answer
        assert kept() is None
    finally:
        gc.enable()
