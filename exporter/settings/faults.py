"""What is wrong with the settings: one line per fault, and never a value that could be secret."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

Place = tuple[str | int, ...]
"""Where a setting is: ``("targets", 2, "namespace")``."""


class SettingsError(Exception):
    """The settings are refused; ``faults`` has a line for each reason."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class FileError(ValueError):
    """A file that a setting names is refused; ``faults`` has a line for each reason."""

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
        self.key = key
        self.message = message
        super().__init__([Fault((key,), message)])

    def __str__(self) -> str:
        return self.message


def spell(place: Place, source: str = "") -> str:
    """Write a place as users do, ``targets[2].namespace (from …)``."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return (text.removeprefix(".") or "top level") + (f" (from {source})" if source else "")


UnknownKey = Callable[[Place, object], Fault]
"""Makes a fault of an unknown key at a place, which has a value."""


def of_validation(error: ValidationError, unknown: UnknownKey | None = None) -> list[Fault]:
    """Say in plain words what pydantic found."""
    details = error.errors(include_url=False)
    return [fault for detail in details for fault in _of_detail(detail, unknown)]


def _of_detail(detail: Mapping[str, Any], unknown: UnknownKey | None) -> Iterator[Fault]:
    # Pydantic marks the key of a mapping like this, where it is the key that is wrong.
    place: Place = tuple(part for part in detail["loc"] if part != "[key]")
    kind, context = detail["type"], detail.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, FaultsError):
        yield from (Fault((*place, *fault.place), fault.message) for fault in cause.faults)
    elif isinstance(cause, FileError):
        yield from (Fault(place, fault) for fault in cause.faults)
    elif cause is not None:
        yield Fault(place, str(cause))
    elif kind in ("extra_forbidden", "invalid_key") and unknown:
        yield unknown(place, detail["input"])
    # A default that depends on a refused key is no fault of its own.
    elif kind != "default_factory_not_called":
        # Pydantic's own words can quote the value, so an unforeseen kind gets none at all.
        words = _WORDS.get(kind, _always("is not valid here"))
        yield Fault(place, words(context, detail["input"]))


def _always(sentence: str) -> Callable[[Mapping[str, Any], object], str]:
    return lambda context, value: sentence.format_map(context)


def _string_expected(context: Mapping[str, Any], value: object) -> str:
    if value is None or isinstance(value, list | dict | tuple):
        return "should be a string"
    return "should be a string: put it in quotes"


A_LIST = "should be a list"
_A_MAPPING = _always("should be a mapping of keys to values")
_AN_INTEGER = _always("should be a whole number")
_A_NUMBER = _always("should be a number")
_A_BOOLEAN = _always("should be true or false")

_WORDS: Mapping[str, Callable[[Mapping[str, Any], object], str]] = {
    "missing": _always("is required"),
    "string_type": _string_expected,
    "string_unicode": _always("should be text in UTF-8"),
    "path_type": _always("should be the path of a file: put it in quotes"),
    "literal_error": _always("should be one of {expected}"),
    "greater_than": _always("should be above {gt:,}"),
    "greater_than_equal": _always("should be at least {ge:,}"),
    "less_than": _always("should be below {lt:,}"),
    "less_than_equal": _always("should be at most {le:,}"),
    "too_short": _always("should have at least {min_length}"),
    "too_long": _always("should have at most {max_length}"),
    "finite_number": _always("should be a finite number"),
    "int_type": _AN_INTEGER,
    "int_parsing": _AN_INTEGER,
    "int_parsing_size": _AN_INTEGER,
    "int_from_float": _AN_INTEGER,
    "float_type": _A_NUMBER,
    "float_parsing": _A_NUMBER,
    "bool_type": _A_BOOLEAN,
    "bool_parsing": _A_BOOLEAN,
    "model_type": _A_MAPPING,
    "dict_type": _A_MAPPING,
    "model_attributes_type": _A_MAPPING,
    "tuple_type": _always(A_LIST),
    "list_type": _always(A_LIST),
}
