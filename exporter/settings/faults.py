"""What is wrong with the settings, in plain words: one line for each fault, and never a value that
could be secret."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.settings import schema

M = TypeVar("M", bound=BaseModel)

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


_KEY = re.compile(r"[A-Za-z][A-Za-z_.-]{0,31}")


def validated(model: type[M], tree: Mapping[str, Any]) -> tuple[M | None, list[Fault]]:
    """Return a model of values nested by section, or None if one is refused, and the faults."""
    try:
        return model.model_validate(tree), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, [fault for detail in details for fault in _of_detail(detail, model)]


def _of_detail(detail: Mapping[str, Any], root: type[BaseModel]) -> Iterator[Fault]:
    # Pydantic marks the key of a mapping like this, where it is the key that is wrong.
    place: Place = tuple(part for part in detail["loc"] if part != "[key]")
    kind, context = detail["type"], detail.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, FaultsError):
        yield from (Fault((*place, *fault.place), fault.message) for fault in cause.faults)
    elif isinstance(cause, SettingsError):
        yield from (Fault(place, fault) for fault in cause.faults)
    elif cause is not None:
        yield Fault(place, str(cause))
    elif kind in ("extra_forbidden", "invalid_key"):
        yield unknown_key(root, place, detail["input"])
    # A default that depends on a refused key is no fault of its own.
    elif kind != "default_factory_not_called":
        yield Fault(place, _sentence(kind, context, detail["input"]))


def _sentence(kind: str, context: Mapping[str, Any], value: object) -> str:
    if kind == "string_type" and (value is None or isinstance(value, list | dict | tuple)):
        return "should be a string"
    # Pydantic's own words can quote the value, so an unforeseen kind gets none at all.
    known = _SENTENCES.get(kind) or _TYPES.get(kind.partition("_")[0]) or "is not valid here"
    return known.format_map(context)


_SENTENCES = {
    "missing": "is required",
    "string_type": "should be a string: put it in quotes",
    "string_unicode": "should be text in UTF-8",
    "path_type": "should be the path of a file: put it in quotes",
    "literal_error": "should be one of {expected}",
    "greater_than": "should be above {gt:,}",
    "greater_than_equal": "should be at least {ge:,}",
    "less_than": "should be below {lt:,}",
    "less_than_equal": "should be at most {le:,}",
    "too_short": "should have at least {min_length}",
    "too_long": "should have at most {max_length}",
    "finite_number": "should be a finite number",
}
"""Pydantic's kinds of faults -> what is wrong."""

A_LIST, _A_MAPPING = "should be a list", "should be a mapping of keys to values"
_TYPES = {
    "int": "should be a whole number",
    "float": "should be a number",
    "bool": "should be true or false",
    "model": _A_MAPPING,
    "dict": _A_MAPPING,
    "tuple": A_LIST,
    "list": A_LIST,
}
"""The types that pydantic's other kinds begin with -> what is wrong."""


def unknown_key(root: type[BaseModel], place: Place, value: object) -> Fault:
    """Return the fault of a key that is in no section of a model; value: what the key has."""
    *above, key = place
    allowed = list(schema.section_at(root, above).model_fields)
    near = difflib.get_close_matches(key, allowed, n=1) if isinstance(key, str) else []
    homes = [".".join(home) for home in schema.places(root) if home[-1] == key]
    if near:
        hint = f"did you mean '{near[0]}'?"
    elif homes:
        hint = f"its place is {' or '.join(homes)}. Check the indentation"
    else:
        hint = f"allowed are {', '.join(allowed)}"
    # `{api_key s3cr3t}` makes a key of what was meant as a value.
    is_known, is_set = bool(near or homes), value is not None
    if isinstance(key, str) and _KEY.fullmatch(key) and (is_known or is_set):
        return Fault(place, f"unknown key; {hint}")
    return Fault(tuple(above), f"unknown key (hidden because it could be a value); {hint}")
