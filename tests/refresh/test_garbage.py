"""Full passes of the garbage collector hold the event loop, so they are made seldom."""

import gc
import mmap
import weakref
from collections.abc import Iterator

import pytest

from exporter.refresh.garbage import AGAIN, EVERY, GROWTH, GarbageCollection, resident_bytes
from tests.harness import Clock


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.fixture
def passes() -> Iterator[list[int]]:
    """Record the generations of each collection."""
    made: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            made.append(info["generation"])

    gc.callbacks.append(note)
    yield made
    gc.callbacks.remove(note)


def test_a_full_pass_is_made_once_an_hour_and_not_when_python_likes(passes: list[int]) -> None:
    clock = Clock()
    full = GarbageCollection(clock.monotonic)
    passes.clear()
    kept = [[number] for number in range(200_000)]
    full.freeze()
    assert gc.get_freeze_count() > len(kept)
    kept += [[number] for number in range(200_000)]
    full.collect_if_due()
    assert 1 in passes
    assert 2 not in passes
    clock.advance(EVERY)
    full.collect_if_due()
    full.collect_if_due()
    assert passes.count(2) == 1


@pytest.mark.parametrize(("begin", "growth"), [(20 * 2**20, GROWTH), (936 * 2**20, 250 * 2**20)])
def test_a_full_pass_is_made_when_the_process_has_grown(
    passes: list[int], begin: int, growth: int
) -> None:
    size = begin
    collection = GarbageCollection(Clock().monotonic, lambda: size)
    size += 2 * GROWTH
    collection.collect_if_due()
    assert 2 not in passes  # the first round is not complete
    collection.freeze()
    size += growth
    collection.collect_if_due()
    assert 2 not in passes
    size += 1
    collection.collect_if_due()
    collection.collect_if_due()
    assert passes.count(2) == 1


def test_objects_in_use_when_the_process_grew_are_collected_soon(passes: list[int]) -> None:
    size = 20 * 2**20
    clock = Clock()
    collection = GarbageCollection(clock.monotonic, lambda: size)
    collection.freeze()
    size += GROWTH + 1
    collection.collect_if_due()
    collection.collect_if_due()
    assert passes.count(2) == 1
    for waited, made in (2 * AGAIN, 2), (2 * AGAIN, 2), (2 * AGAIN, 3), (EVERY, 4), (EVERY - 1, 4):
        clock.advance(waited)
        collection.collect_if_due()
        collection.collect_if_due()
        assert passes.count(2) == made


class Ring:
    """Refers to itself, like a failed request through its exception."""

    def __init__(self) -> None:
        self.itself = self


def test_objects_in_use_during_an_hourly_pass_are_collected_later() -> None:
    clock = Clock()
    collection = GarbageCollection(clock.monotonic)
    collection.freeze()
    ring = Ring()
    left = weakref.ref(ring)
    clock.advance(EVERY)
    collection.collect_if_due()
    del ring
    clock.advance(EVERY)
    collection.collect_if_due()
    assert left() is None


def test_the_size_of_the_process_is_known() -> None:
    before = resident_bytes()
    # New pages, which an allocator with free space would not request.
    with mmap.mmap(-1, 64 * 2**20) as kept:
        for start in range(0, len(kept), mmap.PAGESIZE):
            kept[start] = 1
        assert 32 * 2**20 < resident_bytes() - before < 128 * 2**20
