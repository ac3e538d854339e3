"""What was decoded the last time, so that an item that did not change is not decoded again."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from exporter.palette.values import Fault, Report

T = TypeVar("T")


class Memory(Generic[T]):
    """The values of one list, by the 64-bit hashes of the texts they were decoded from.

    The texts themselves are not kept. What held something unreadable is not remembered, so that
    it is counted each time.
    """

    def __init__(self) -> None:
        self._last: dict[int, T] = {}
        self._current: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._last) + len(self._current)

    def decode(
        self, raw: Any, decode: Callable[[Any, Report], T | None], report: Report
    ) -> T | None:
        """Return what decode makes of a raw item, or made of the same text before."""
        if not isinstance(raw, msgspec.Raw):
            return decode(raw, report)
        key = hash(bytes(raw))
        value = self._last.get(key)
        if value is None:
            faults: list[Fault] = []
            value = decode(raw, faults.append)
            for fault in faults:
                report(fault)
            if faults or value is None:
                return value
        self._current[key] = value
        return value

    def begin(self) -> None:
        """Forget what a list that was not read to its end held; the last whole one stays."""
        self._current = {}

    def turn(self) -> None:
        """Forget what the list that was just read whole did not hold."""
        self._last, self._current = self._current, {}
