"""Ages, the only values that are worked out at the scrape; so this is done with care.

An age grows by what the clock does, so of its number only the seconds must be written for each
line. The milliseconds are the same for all moments that are whole seconds, as Palette's are. And
from a million seconds on (``1.234567123e+06``), what stands before the last six digits of the
seconds stays the same for eleven days. Lines are therefore kept as a form with one slot each.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from exporter.metrics.numbers import scientific

_FRACTIONS = tuple(f"{ms:03d}".rstrip("0") or "0" for ms in range(1000))
_IN_BYTES = tuple(digits.encode() for digits in _FRACTIONS)

_LONG = 1_000_000_000
"""Milliseconds, a million seconds: Go writes what is longer with an exponent."""

MARK = b"\xff"
"""Where something is filled in later; no text in UTF-8 has such a byte."""


def in_form(text: bytes) -> bytes:
    """Return a text as it stands between the slots of a form."""
    return text.replace(b"%", b"%%")


def _age(milliseconds: int) -> str:
    """Return ``number`` of an age in seconds."""
    seconds, rest = divmod(milliseconds, 1000)
    if milliseconds < _LONG:
        return f"{seconds}.{_FRACTIONS[rest]}"
    return scientific(str(seconds), f"{rest:03d}")


class _Form(NamedTuple):
    """Lines with a slot for seconds each, and a mark for the milliseconds.

    since: what the seconds of each slot are counted from, in seconds since the epoch.
    first, last: of the milliseconds since the epoch at which the form is right.
    """

    lines: bytes
    since: tuple[int, ...]
    first: int
    last: int

    def filled(self, seconds: int, rest: int) -> bytes:
        """Return the lines as they are so many seconds and milliseconds after the epoch."""
        ages = self.lines % tuple([seconds - since for since in self.since])
        return ages.replace(MARK, _IN_BYTES[rest])


class Ages:
    """Lines of which only the value is missing: seconds since a moment, told at the scrape.

    lines: what stands before each value, and the moment in seconds since the epoch. Ages are
    told to the millisecond.
    """

    __slots__ = ("_form", "_since", "_starts")

    def __init__(self, lines: Iterable[tuple[bytes, float]]) -> None:
        lines = tuple(lines)
        self._starts = MARK.join([start for start, _ in lines])
        self._since = tuple([round(since * 1000) for _, since in lines])
        self._form: _Form | None = None

    def __bool__(self) -> bool:
        return bool(self._since)

    def text(self, now: float) -> bytes:
        """Return the lines as they are at the moment now; no age is below 0."""
        moment = round(now * 1000)
        seconds, rest = divmod(moment, 1000)
        form = self._form
        if form is None or not form.first <= moment <= form.last:
            form = self._form = self._form_at(moment)
        # In a whole second, Go leaves out what follows the last digit that counts.
        if form and rest:
            return form.filled(seconds, rest)
        return b"".join(
            [
                b"%b%b\n" % (start, _age(max(moment - since, 0)).encode())
                for start, since in self._lines()
            ]
        )

    def _lines(self) -> Iterator[tuple[bytes, int]]:
        # Not strict: nothing splits into one part that is empty.
        return zip(self._starts.split(MARK), self._since, strict=False)

    def _form_at(self, moment: int) -> _Form | None:
        """Return the form in which lines stand at a moment; None if they can't be told so."""
        if any(since > moment or since % 1000 for since in self._since):
            return None
        lines, counted, first, last = [], [], 0, moment + _LONG
        for start, since in self._lines():
            millions = (moment - since) // _LONG
            begins = since + millions * _LONG
            lines.append(b"%b%b\n" % (in_form(start), _slot(millions)))
            counted.append(begins // 1000)
            first, last = max(first, begins), min(last, begins + _LONG - 1)
        return _Form(b"".join(lines), tuple(counted), first, last)


def _slot(millions: int) -> bytes:
    """Return how an age is written that has so many whole millions of seconds."""
    if not millions:
        return b"%d." + MARK
    digits = str(millions)
    return f"{digits[0]}.{digits[1:]}%06d".encode() + MARK + f"e+{len(digits) + 5:02d}".encode()
