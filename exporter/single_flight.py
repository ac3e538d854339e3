"""One call for all who need the same result at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Call(Generic[T]):
    task: asyncio.Task[T]
    callers: int = 0


@dataclass(slots=True, eq=False)
class SingleFlight(Generic[Key, T]):
    """Shares a call between its concurrent callers; no result is kept for later ones.

    The callers own the task: it is cancelled when the last of them leaves.
    """

    _calls: dict[Key, _Call[T]] = field(default_factory=dict)

    async def do(self, key: Key, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of ``call``, or of the running call of the same key.

        A caller that is cancelled does not disturb the others. Raises what ``call`` raises.
        """
        running = self._calls.get(key)
        if running is None:
            running = self._calls[key] = _Call(asyncio.create_task(call()))
            running.task.add_done_callback(lambda task: self._forget(key, task))
        running.callers += 1
        try:
            await asyncio.wait([running.task])
        finally:
            running.callers -= 1
            if not running.callers:
                self._forget(key, running.task)
                running.task.cancel()
        return running.task.result()

    def _forget(self, key: Key, task: asyncio.Task[T]) -> None:
        if key in self._calls and self._calls[key].task is task:
            del self._calls[key]
        if task.done() and not task.cancelled():
            task.exception()  # Without callers, nobody else retrieves it.
