"""What sources give: a value for each place, and the name of what gave it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from exporter.settings import schema
from exporter.settings.faults import Fault, Place
from exporter.settings.validation import unknown_key
from exporter.settings.values import FILE, SECRET

T = TypeVar("T")


class Value(NamedTuple):
    """A value, and the flag, environment variable or file that gives it; "" for a default."""

    value: Any
    source: str = ""


Given = dict[Place, Value]
"""What is given, by its place; a section is here only if it is no mapping, which is a fault."""


def given_by(
    tree: Mapping[Any, Any], model: type[BaseModel], directory: Path, name: Callable[[Place], str]
) -> tuple[Given, list[Fault]]:
    """Return what a tree of sections gives, and its unknown keys.

    directory: where relative paths start; name: of what gives the value of a place.
    """
    known = set(schema.places(model))
    given: Given = {}
    faults = []
    for place, value in _values(tree, model, directory):
        if place in known:
            given[place] = Value(value, name(place))
        else:
            faults.append(replace(unknown_key(model, place, value), source=name(place)))
    return given, faults


def _values(
    tree: Mapping[Any, Any], model: type[BaseModel], directory: Path
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for key, value in tree.items():
        field = model.model_fields.get(key)
        section = field and schema.section_of(field)
        if section and isinstance(value, Mapping):
            for place, inner in _values(value, section, directory):
                yield (key, *place), inner
        elif field is None:
            yield (key,), value
        elif value is not None:
            # An empty key or section is the default.
            yield (key,), _prepared(value, field, directory)


def _prepared(value: object, field: FieldInfo, directory: Path) -> object:
    if not isinstance(value, str):
        return value
    mark = schema.mark_of(field)
    if mark == SECRET:
        return SecretStr(value)  # from here on, nothing that prints the value prints it
    return directory / value if mark == FILE and value else value


def nearest(found: Mapping[Place, T], place: Place) -> T | None:
    """Return what is found for a place or, if there is nothing, for what it is a part of."""
    above = (place[:length] for length in range(len(place), 0, -1))
    return next((found[each] for each in above if each in found), None)


def tree_of(given: Given) -> dict[str, Any]:
    """Return values nested by section. What should be a section and is not hides its keys."""
    tree: dict[Any, Any] = {}
    for place in sorted(given, key=len, reverse=True):
        *sections, key = place
        inner = tree
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[key] = given[place].value
    return tree
