"""Signal handlers, from the first moment to the last.

Imported before everything else, so it imports little itself.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import asyncio

ENDING = (signal.SIGTERM, signal.SIGINT)

GRACE = 4.5  # seconds from the first signal to the end, whatever still hangs by then


class Signals:
    """SIGTERM and SIGINT end the process, a second one at once; SIGHUP has settings read again."""

    def __init__(self) -> None:
        self._hung_up = False

    def install(self) -> None:
        """Take the signals before there is anything to stop."""
        for number in ENDING:
            # Nothing has begun, so nothing needs an end.
            signal.signal(number, lambda number, frame: os._exit(0))
        signal.signal(signal.SIGHUP, self._hang_up)

    def _hang_up(self, number: int, frame: object) -> None:
        self._hung_up = True

    def attach(
        self,
        loop: "asyncio.AbstractEventLoop",
        *,
        stop: Callable[[], object],
        reload: Callable[[], object],
    ) -> None:
        """Take the signals as callbacks of the loop."""

        def first() -> None:
            for number in ENDING:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)
            loop.remove_signal_handler(signal.SIGHUP)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            stop()
            end_within(GRACE, 0)

        for number in ENDING:
            loop.add_signal_handler(number, first)
        loop.add_signal_handler(signal.SIGHUP, reload)
        if self._hung_up:
            reload()


def end_within(seconds: float, code: int) -> None:
    """End the process after so many seconds, unless it ends earlier."""
    import threading

    # What can hang is a thread that asks a dead name server, or reads from a dead file system:
    # the interpreter would wait for it.
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    with suppress(RuntimeError):  # the system allows no more threads
        timer.start()


def leave(code: int) -> NoReturn:
    """End the process now, and wait for no thread that hangs."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
