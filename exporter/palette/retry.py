"""When a failed call is sent again."""

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from exporter.palette.budget import LONGEST_PAUSE
from exporter.palette.errors import PaletteError

_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)


class Patience:
    """The time in which a call can be sent again: ``seconds``, without waits for the budget."""

    def __init__(
        self, seconds: float, clock: Callable[[], float], throttled: Callable[[float], None]
    ) -> None:
        self._clock = clock
        self._deadline = clock() + seconds
        self._throttled = throttled

    @property
    def left(self) -> float:
        """Seconds."""
        return self._deadline - self._clock()

    def waited(self, seconds: float) -> None:
        """Record a wait for the budget, which does not count."""
        self._deadline += seconds
        self._throttled(seconds)

    def retry(self, error: Exception) -> bool | float:
        """Return whether to send the call again, or the seconds to wait before that."""
        if not isinstance(error, PaletteError) or not error.retryable or self.left <= 0:
            return False
        if not error.retry_after:
            return True
        return error.retry_after if error.retry_after <= self.left else False


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Palette asks to wait; None if it names none."""
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_PAUSE)
    try:
        due = _epoch(value)
        # By the server's clock if it sends one: the local clock might be wrong.
        now = _epoch(headers["Date"]) if "Date" in headers else time.time()
    except (ValueError, OverflowError):  # OverflowError: a year that no clock has
        return None
    return min(max(due - now, 0.0), LONGEST_PAUSE)


def _epoch(http_date: str) -> float:
    """Return seconds since the epoch. Raises ValueError or OverflowError."""
    return parsedate_to_datetime(http_date).replace(tzinfo=UTC).timestamp()
