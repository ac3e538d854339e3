"""The exporter with a clock that runs fast, which tells its tasks when it gets SIGUSR1.

Arguments: its configuration file, how many times faster the clock runs, and the instant at which
it shows EPOCH, by the machine's monotonic clock.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path

import uvloop

from exporter.clock import Clock
from exporter.runtime.logs import configure
from exporter.runtime.run import run
from exporter.runtime.signals import Signals
from exporter.settings import load

EPOCH = 1_800_000_000.0
"""Seconds since the epoch at which a soak begins."""


def fast(speed: float, origin: float) -> Clock:
    """Return a clock for which so many seconds pass in one."""

    def wall() -> float:
        return EPOCH + (time.monotonic() - origin) * speed

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / speed)

    return Clock(wall=wall, monotonic=lambda: time.monotonic() * speed, sleep=sleep)


def _tell_tasks() -> None:
    sys.stdout.write(f"{len(asyncio.all_tasks())}\n")
    sys.stdout.flush()


async def main(config: Path, speed: float, origin: float) -> None:
    """Run until SIGTERM."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, _tell_tasks)
    await run(load(config_file=config), clock=fast(speed, origin), signals=Signals())


if __name__ == "__main__":
    configure(level="info", log_format="logfmt")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1]), *map(float, sys.argv[2:])))
