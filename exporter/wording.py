"""Numbers, lists and durations as people say them."""

from collections.abc import Sequence


def count(number: int, one: str) -> str:
    """Return a number with its noun: ``1 snapshot``, ``2,000 snapshots``."""
    return f"{number:,} {one}" + ("" if number == 1 else "s")


def some(names: Sequence[str], shown: int = 3) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def span(seconds: float) -> str:
    """Return a duration in the unit that people say: ``45 min``, ``26 h``, ``8 d``."""
    if seconds < 3_600:
        return f"{max(0, round(seconds / 60))} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 3 * 86_400 else f"{seconds / 86_400:.0f} d"
