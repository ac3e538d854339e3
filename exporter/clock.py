"""The source of the time, and a sleep that can be interrupted."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Seconds since the epoch, seconds that never go back, sleep."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(slots=True)
class Alarm:
    """The sleep of one loop between two runs of its work."""

    clock: Clock
    _timeout: asyncio.Timeout | None = field(default=None, init=False)

    async def sleep_until(self, due: Callable[[], float]) -> None:
        """Sleep until an instant on the monotonic clock; ``wake`` has ``due`` called again.

        Other tasks run at least once, even where the instant has passed.
        """
        while not await self._sleep(due() - self.clock.monotonic()):
            pass

    def wake(self) -> None:
        """Interrupt the sleep, so that its end is computed again; no effect on a running loop."""
        timeout, self._timeout = self._timeout, None
        if timeout is not None:
            timeout.reschedule(asyncio.get_running_loop().time())

    async def _sleep(self, seconds: float) -> bool:
        """Return True where the sleep was not interrupted."""
        try:
            async with asyncio.timeout(None) as self._timeout:
                await self.clock.sleep(max(0.0, seconds))
        except TimeoutError:
            return False
        finally:
            self._timeout = None
        return True
