"""Where the time comes from, and a sleep that can be cut short."""

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
class Rest:
    """The sleep of one loop between two turns of its work."""

    clock: Clock
    _alarm: asyncio.Timeout | None = field(default=None, init=False)

    async def until(self, due: Callable[[], float]) -> None:
        """Sleep until an instant on the monotonic clock; it is asked for anew when disturbed.

        Others have their turn even where the instant has passed.
        """
        while not await self._sleep(due() - self.clock.monotonic()):
            pass

    def disturb(self) -> None:
        """Have a sleeper ask when to wake; one that works is left alone."""
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.reschedule(asyncio.get_running_loop().time())

    async def _sleep(self, seconds: float) -> bool:
        """Return whether it was slept through."""
        try:
            async with asyncio.timeout(None) as self._alarm:
                await self.clock.sleep(max(0.0, seconds))
        except TimeoutError:
            return False
        finally:
            self._alarm = None
        return True
