"""Numbers as Go writes them, which is how prometheus-client prints them."""

from collections.abc import Callable

from prometheus_client.utils import floatToGoString


def number(value: float) -> bytes:
    """Return a sample's value as it stands in the text."""
    if value.__class__ is not float:
        return _COUNTS.get(value) or number(float(value))
    # Up to a million Go and Python agree; times are beyond.
    return (repr(value) if -1e6 < value < 1e6 else _large(value)).encode()


def _large(value: float) -> str:
    if not (1e9 <= value < 1e10 and value == (seconds := int(value))):
        return _in_go(value)
    # What times are, of which a snapshot has several: Go's way takes five times as long.
    digits = str(seconds)
    return f"{digits[0]}.{digits[1:]}e+09" if seconds % 10 else scientific(digits)


_COUNTS: dict[float, bytes] = {count: f"{count}.0".encode() for count in range(1000)}
_in_go: Callable[[float], str] = floatToGoString


def scientific(digits: str, rest: str = "") -> str:
    """Return a number from a million on as Go writes it; rest: its digits behind the point."""
    figures = f"{digits}{rest}".rstrip("0")
    point = "." if len(figures) > 1 else ""
    return f"{digits[0]}{point}{figures[1:]}e+{len(digits) - 1:02d}"
