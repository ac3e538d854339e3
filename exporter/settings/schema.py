"""The keys of the model as a list: for flags, variables, hints and documents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from exporter.duration import format_duration
from exporter.settings.values import SECRET, Kind

PREFIX = "PALETTE_EXPORTER_"  # of the environment variables that are settings

_FLAGS: dict[tuple[str, ...], str] = {("web", "config_file"): "--web.config.file"}
"""Flags that are not the path of their key: this one is the exporter-toolkit's."""
_WORDS = {bool: "bool", int: "integer", float: "number", Path: "file", str: "text"}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One key that takes a value, not a section."""

    place: tuple[str, ...]
    field: FieldInfo

    @property
    def flag(self) -> str:
        """Its flag, ``--palette.requests-per-second``, if it has one."""
        return _FLAGS.get(self.place, "--" + ".".join(self.place).replace("_", "-"))

    @property
    def variable(self) -> str:
        """Its environment variable, ``PALETTE_EXPORTER_REFRESH__INTERVAL``."""
        return PREFIX + "__".join(self.place).upper()

    @property
    def description(self) -> str:
        """What it means, in a sentence or two, on one line."""
        return " ".join((self.field.description or "").split())

    @property
    def kind(self) -> str:
        """One word for what it takes, or its choices as ``logfmt|json``."""
        mark = mark_of(self.field)
        return mark.word if mark else _word(self.field.annotation)

    @property
    def default(self) -> str:
        """The default as it is written in a file; "" if there is none."""
        default = self.field.default
        if default in (None, (), PydanticUndefined):
            return ""
        if isinstance(default, bool):
            return str(default).lower()
        if self.kind == "duration":
            return format_duration(default)
        return f"{default:g}" if self.kind == "number" else str(default)

    @property
    def is_list(self) -> bool:
        """True if it takes more than one value."""
        return get_origin(self.field.annotation) is tuple

    @property
    def is_secret(self) -> bool:
        """True if its value is a secret or can hold one, or names a file with one."""
        return mark_of(self.field) == SECRET or self.place[-1].startswith("password")


def leaves(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield all keys of a model in order, including those of its sections."""
    for name, field in model.model_fields.items():
        if section := section_of(field):
            yield from leaves(section, (*above, name))
        else:
            yield Leaf((*above, name), field)


def places(model: type[BaseModel]) -> list[tuple[str, ...]]:
    """Return the places of all sections and keys of a model."""
    paths = [leaf.place for leaf in leaves(model)]
    return list(dict.fromkeys(path[: end + 1] for path in paths for end in range(len(path))))


def section_at(root: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel]:
    """Return the model of a section, or of the items of a list, at an existing place."""
    model = root
    for key in place:
        if isinstance(key, str):
            field = model.model_fields[key]
            model = section_of(field) or item_of(field) or model
    return model


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a field that is a section."""
    return _model(field.annotation)


def item_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of the items of a field that is a list of mappings."""
    is_list = get_origin(field.annotation) is tuple
    return _model(get_args(field.annotation)[0]) if is_list else None


def mark_of(field: FieldInfo) -> Kind | None:
    """Return the kind of value that a field takes, if its type is marked with one."""
    return next(_marks(field.metadata, field.annotation), None)


def _model(annotation: Any) -> type[BaseModel] | None:
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_model else None


def _marks(metadata: Any, annotation: Any) -> Iterator[Kind]:
    yield from (mark for mark in metadata if isinstance(mark, Kind))
    for part in get_args(annotation):
        yield from _marks(getattr(part, "__metadata__", ()), getattr(part, "__origin__", part))


def _word(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    if get_origin(annotation) in (Union, UnionType, tuple):
        annotation = get_args(annotation)[0]
    annotation = getattr(annotation, "__origin__", annotation)  # of Annotated
    return _WORDS.get(annotation, "list")
