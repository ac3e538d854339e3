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
    first, last: of the milliseconds since the epoch at which the form is right, and its slots
        are filled with as many digits; size: the bytes of the lines but for the milliseconds.
    """

    lines: bytes
    since: tuple[int, ...]
    first: int
    last: int
    size: int

    def filled(self, moment: int) -> bytes:
        """Return the lines as they are at a moment."""
        seconds, rest = divmod(moment, 1000)
        ages = self.lines % tuple([seconds - since for since in self.since])
        return ages.replace(MARK, _IN_BYTES[rest])

    def size_at(self, moment: int) -> int:
        """Return how many bytes the lines have at a moment."""
        return self.size + len(self.since) * len(_IN_BYTES[moment % 1000])


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
        form = self._form_at(moment)
        return form.filled(moment) if form else self._one_by_one(moment)

    def size(self, now: float) -> int:
        """Return how many bytes these lines have."""
        moment = round(now * 1000)
        form = self._form_at(moment)
        return form.size_at(moment) if form else len(self._one_by_one(moment))

    def _one_by_one(self, moment: int) -> bytes:
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
        """Return the form that is right at a moment; None where there is none."""
        # In a whole second, Go leaves out what follows the last digit that counts.
        if moment % 1000 == 0:
            return None
        if self._form is None or not self._form.first <= moment <= self._form.last:
            self._form = self._made_for(moment)
        return self._form

    def _made_for(self, moment: int) -> _Form | None:
        if any(since > moment or since % 1000 for since in self._since):
            return None
        slots = [_slot_of(since, moment) for since in self._since]
        lines = b"".join(
            [
                b"%b%b\n" % (in_form(start), slot.text)
                for slot, (start, _) in zip(slots, self._lines(), strict=True)
            ]
        )
        form = _Form(
            lines=lines,
            since=tuple([slot.since for slot in slots]),
            first=max((slot.first for slot in slots), default=moment),
            last=min((slot.last for slot in slots), default=moment),
            size=0,
        )
        return form._replace(size=len(form.filled(moment)) - form.size_at(moment))


class _Slot(NamedTuple):
    """Where an age is filled in; since, first and last as in a form."""

    text: bytes
    since: int
    first: int
    last: int


def _slot_of(since: int, moment: int) -> _Slot:
    """Return the slot for the seconds from one moment to the other, in milliseconds."""
    millions, rest = divmod(moment - since, _LONG)
    if not millions:
        digits = len(str(rest // 1000))
        shortest, longest = (10**digits * 100 if digits > 1 else 0), 10**digits * 1000
        return _Slot(b"%d." + MARK, since // 1000, since + shortest, since + longest - 1)
    begins, figures = since + millions * _LONG, str(millions)
    mantissa = f"{figures[0]}.{figures[1:]}%06d".encode()
    exponent = f"e+{len(figures) + 5:02d}".encode()
    return _Slot(mantissa + MARK + exponent, begins // 1000, begins, begins + _LONG - 1)


class AgesNow(NamedTuple):
    """Ages as they are at a moment; now: in seconds since the epoch.

    Their text is worked out each time it is needed: it takes less time than memory.
    """

    ages: Ages
    now: float

    def text(self) -> bytes:
        """Return the lines."""
        return self.ages.text(self.now)

    @property
    def size(self) -> int:
        """How many bytes of text they have."""
        return self.ages.size(self.now)
