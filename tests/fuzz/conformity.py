"""Compares a value with its annotation, at all depths."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def misfit(value: Any, wanted: Any, path: str = "") -> str:
    """Return the place at which the value has another type, "" if there is none."""
    origin, arguments = _shape(wanted)
    if origin in (Union, UnionType):
        return "" if any(not misfit(value, each) for each in arguments) else _told(path, value)
    if origin is tuple and isinstance(value, tuple):
        return _entries(value, arguments, path)
    if origin is frozenset and isinstance(value, frozenset):
        return _first(misfit(each, arguments[0], f"{path}[]") for each in value)
    kind: Any = NoneType if wanted is None else wanted
    # bool is an int and a NamedTuple is a tuple, but annotations distinguish them.
    if type(value) is not kind:
        return _told(path, value)
    if is_dataclass(kind) or hasattr(kind, "_fields"):
        return _first(
            misfit(getattr(value, n), t, f"{path}.{n}") for n, t in _hints(value.__class__)
        )
    return _scalar(value, path)


@cache
def _shape(wanted: Any) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(wanted), get_args(wanted)


def _scalar(value: Any, path: str) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return _told(path, value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return _told(path, value)
    return ""


@cache
def _hints(kind: Any) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(kind)
    names = [each.name for each in fields(kind)] if is_dataclass(kind) else kind._fields
    return tuple((name, hints[name]) for name in names)


def _entries(value: tuple[Any, ...], arguments: tuple[Any, ...], path: str) -> str:
    if arguments[1:] == (...,):
        return _first(misfit(each, arguments[0], f"{path}[]") for each in value)
    if len(value) != len(arguments):
        return _told(path, value)
    return _first(misfit(*pair, f"{path}[]") for pair in zip(value, arguments, strict=True))


def _first(found: Any) -> str:
    return next((each for each in found if each), "")


def _told(path: str, value: Any) -> str:
    return f"{path or 'the value'} is {value!r}"
