"""Numbers as Go writes them, which is how prometheus-client prints them."""

from collections.abc import Callable, Sequence

from prometheus_client.utils import floatToGoString


def numbers(values: Sequence[float]) -> tuple[bytes, ...]:
    """Return ``number`` of each of a family's values; all are floats, or none is."""
    if values and values[0].__class__ is not float:
        known = tuple(map(_COUNTS.get, values))
        # The type checker does not see that none is missing.
        return tuple(map(number, values)) if None in known else known  # type: ignore[return-value]
    # In line what nearly all times are, from 2004 to 2033: a snapshot has several.
    return tuple(
        [
            b"1.%de+09" % (seconds - 1_000_000_000)
            if 1.1e9 <= value < 2e9 and (seconds := int(value)) == value and seconds % 10
            else number(value)
            for value in values
        ]
    )


def number(value: float) -> bytes:
    """Return a sample's value as it stands in the text."""
    if value.__class__ is not float:
        return _COUNTS.get(value) or number(float(value))
    # Up to a million Go and Python agree; times are beyond.
    return (repr(value) if -1e6 < value < 1e6 else _large(value)).encode()


def _large(value: float) -> str:
    if 1e9 <= value < 1e10 and value == int(value):
        return scientific(str(int(value)))
    return _in_go(value)


_COUNTS: dict[float, bytes] = {count: f"{count}.0".encode() for count in range(1000)}
_in_go: Callable[[float], str] = floatToGoString


def scientific(digits: str, rest: str = "") -> str:
    """Return a number from a million on as Go writes it; rest: its digits behind the point."""
    figures = f"{digits}{rest}".rstrip("0")
    point = "." if len(figures) > 1 else ""
    return f"{digits[0]}{point}{figures[1:]}e+{len(digits) - 1:02d}"
