"""What is wrong with the settings: one line per fault, and never a value that could be secret."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Place = tuple[str | int, ...]
"""Where a setting is: ``("targets", 2, "namespace")``."""


class SettingsError(ValueError):
    """Settings, or a file that they name, are refused; ``faults`` has a line for each reason."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    message: what is wrong and what is allowed, without the value.
    source: the flag, environment variable or file it came from; "" if a key is missing everywhere.
    """

    place: Place
    message: str
    source: str = ""

    def __str__(self) -> str:
        return f"{spell(self.place, self.source)}: {self.message}"


class FaultsError(ValueError):
    """Raised by the check of a value that has parts; the places of faults begin at that value."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


class SectionError(FaultsError):
    """Raised by the check of a whole section to blame one key in it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__([Fault((key,), message)])


@contextmanager
def blaming(key: str) -> Iterator[None]:
    """Make a ValueError inside the block a fault of one key of a section."""
    try:
        yield
    except ValueError as error:
        raise SectionError(key, str(error)) from None


def spell(place: Place, source: str = "") -> str:
    """Write a place as users do, ``targets[2].namespace (from …)``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return (text.removeprefix(".") or "top level") + (f" (from {source})" if source else "")
