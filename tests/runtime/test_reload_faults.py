"""A reload refuses settings that it cannot read; a bug ends the exporter."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from exporter.metrics.telemetry import Telemetry
from exporter.runtime.reload import Reloader
from exporter.settings import Settings, load

LARGER_THAN_ANY_MEMORY = 1 << 60
"""Bytes; the system starts no thread with such a stack."""


def reloader(read: Callable[[], Settings]) -> Reloader:
    return Reloader(
        read=read,
        telemetry=Telemetry(version="1", revision="a", now=0.0),
        wall=lambda: 0.0,
        requested=asyncio.Event(),
    )


@contextmanager
def no_more_threads() -> Iterator[None]:
    before = threading.stack_size(LARGER_THAN_ANY_MEMORY)
    try:
        yield
    finally:
        threading.stack_size(before)


async def test_settings_are_refused_while_no_thread_can_be_started() -> None:
    settings = load(demo=True, environ={})
    reloading = reloader(lambda: settings)
    running = asyncio.create_task(reloading.run())
    with no_more_threads():
        assert "can't start new thread" in await reloading.reload()
    assert not running.done()
    running.cancel()


async def test_any_other_runtime_error_is_a_bug_and_ends_the_exporter() -> None:
    def read() -> Settings:
        raise RuntimeError("a bug")

    reloading = reloader(read)
    reloading.requested.set()
    with pytest.raises(RuntimeError, match="a bug"):
        await reloading.run()
