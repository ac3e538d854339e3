"""The exporter with a fast clock; it answers questions on its standard input.

Arguments: its configuration file, how many times faster the clock runs, and the instant at which
it shows EPOCH, by the machine's monotonic clock. A question is one word (see ``main``), the answer
a number. With SOAK_LEAK it keeps one object for each refresh, which a soak must find.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import uvloop

from exporter.clock import Clock
from exporter.runtime.logs import configure
from exporter.runtime.run import run
from exporter.runtime.signals import Signals
from exporter.settings import load

EPOCH = 1_800_000_000.0
"""The start of a soak, in seconds since the epoch."""

_kept: list[object] = []


def fast(speed: float, origin: float, awake: asyncio.Event) -> Clock:
    """Return a clock that runs this many times as fast, and whose sleeps end only if awake."""

    def wall() -> float:
        return EPOCH + (time.monotonic() - origin) * speed

    async def sleep(seconds: float) -> None:
        if "SOAK_LEAK" in os.environ:
            _kept.append([])  # A cluster sleeps once between two refreshes.
        await asyncio.sleep(seconds / speed)
        await awake.wait()

    return Clock(wall=wall, monotonic=lambda: time.monotonic() * speed, sleep=sleep)


def objects() -> int:
    """Return the number of live objects, frozen ones included, after a collection of garbage."""
    gc.collect()
    return len(gc.get_objects()) + gc.get_freeze_count()


def answer(answers: Mapping[str, Callable[[], int | None]]) -> None:
    """Answer the questions that standard input holds."""
    for question in os.read(sys.stdin.fileno(), 1024).decode().split():
        sys.stdout.write(f"{answers[question]() or 0}\n")
        sys.stdout.flush()


async def main(config: Path, speed: float, origin: float) -> None:
    """Run until SIGTERM."""
    awake = asyncio.Event()
    awake.set()
    answers: dict[str, Callable[[], int | None]] = {
        "tasks": lambda: len(asyncio.all_tasks()),
        "objects": objects,
        "pause": awake.clear,
        "resume": awake.set,
    }
    asyncio.get_running_loop().add_reader(sys.stdin, answer, answers)
    clock = fast(speed, origin, awake)
    await run(load(config_file=config), clock=clock, signals=Signals())


if __name__ == "__main__":
    configure(level="info", log_format="logfmt")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1]), *map(float, sys.argv[2:])))
