"""One source of settings, looked over: what it gives, where it came from, what is wrong with it."""

import difflib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from exporter.settings import schema
from exporter.settings.faults import Fault, Place

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source gives.

    tree: nested by section; known keys only, none of them null, files as absolute paths,
        secrets wrapped.
    names: what the user set, by its place: ``--log.level``, ``PALETTE_EXPORTER_LOG__LEVEL``;
        empty for the file.
    """

    tree: Tree
    names: Mapping[Place, str]
    faults: tuple[Fault, ...] = ()

    def gives(self, place: Place) -> bool:
        """True if it sets the key at a place, or the list that the place is in."""
        keys = tuple(itertools.takewhile(lambda part: isinstance(part, str), place))
        return self.value(keys) is not None

    def value(self, place: Place) -> Any:
        """Return what it sets a key to, or a section; None where it sets none."""
        found: Any = self.tree
        for part in place:
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def name(self, place: Place) -> str:
        """Return what the user set to give this place its value; "" for the file."""
        prefixes = (place[:length] for length in range(len(place), 0, -1))
        return next((self.names[prefix] for prefix in prefixes if prefix in self.names), "")


def looked_over(
    tree: Mapping[Any, Any],
    model: type[BaseModel],
    *,
    directory: Path,
    names: Mapping[Place, str],
    faults: Iterable[Fault] = (),
) -> Layer:
    """Make a layer of what a source said; relative paths in it start at ``directory``."""
    check = _LookingOver(model, directory, Layer({}, names))
    clean = check.section(tree, model, ())
    return Layer(clean, names, (*faults, *check.faults))


class _LookingOver:
    """One walk along a model; what the model does not know is never walked into."""

    def __init__(self, model: type[BaseModel], directory: Path, origin: Layer) -> None:
        self._model = model
        self._directory = directory
        self._origin = origin
        self.faults: list[Fault] = []

    def section(self, found: object, model: type[BaseModel], place: Place) -> Tree:
        if not isinstance(found, Mapping):
            self._fault(place, "should be a mapping of keys to values")
            return {}
        clean: Tree = {}
        for key, value in found.items():
            if key not in model.model_fields:
                self._unknown(key, value, model, place)
            elif value is not None:  # a section with all its keys commented out is null
                self._put(clean, key, value, model.model_fields[key], place)
        return clean

    def _put(self, clean: Tree, key: str, value: object, field: FieldInfo, place: Place) -> None:
        here = (*place, key)
        if section := schema.section_of(field):
            clean[key] = self.section(value, section, here)
        elif schema.is_list(field):
            if isinstance(value, list | tuple):
                clean[key] = self._items(value, schema.item_of(field), here)
            else:
                as_json = ", written as JSON" if self._origin.name(here) else ""
                self._fault(here, f"should be a list{as_json}")
        elif schema.is_secret(field) and not isinstance(value, str | SecretStr):
            self._fault(here, "should be a string: put it in quotes")
        else:
            clean[key] = self._leaf(value, field)

    def _items(
        self, items: Iterable[object], model: type[BaseModel] | None, place: Place
    ) -> list[object]:
        return [
            self.section(item, model, (*place, index))
            if model is not None and isinstance(item, Mapping)
            else item
            for index, item in enumerate(items)
        ]

    def _leaf(self, value: object, field: FieldInfo) -> object:
        if not isinstance(value, str):
            return value
        if schema.is_secret(field):
            return SecretStr(value)  # from here on, nothing that prints the tree prints it
        if schema.is_file(field) and value:
            return self._directory / value
        return value

    def _unknown(self, key: object, value: object, model: type[BaseModel], place: Place) -> None:
        allowed = list(model.model_fields)
        near = difflib.get_close_matches(key, allowed, n=1) if isinstance(key, str) else []
        homes = [".".join(home) for home in schema.homes(self._model, key)]
        if near:
            hint = f"did you mean '{near[0]}'?"
        elif homes:
            hint = f"its place is {' or '.join(homes)}; is the indentation right?"
        else:
            hint = f"allowed are {', '.join(allowed)}"
        if isinstance(key, str) and _is_like_a_key(key, near or homes, value):
            self._fault((*place, key), f"unknown key; {hint}")
        else:
            self._fault(place, f"an unknown key, not shown as it may be a value; {hint}")

    def _fault(self, place: Place, message: str) -> None:
        self.faults.append(Fault(place, message, self._origin.name(place)))


_KEY = re.compile(r"[A-Za-z][A-Za-z_.-]{0,31}")


def _is_like_a_key(key: str, known: list[str], value: object) -> bool:
    """Tell a misspelt key from a value that slipped into its place: ``{api_key s3cr3t}``."""
    return _KEY.fullmatch(key) is not None and (bool(known) or value is not None)


def merged(layers: Iterable[Layer]) -> Tree:
    """Join layers, the highest first; lists are replaced whole."""
    tree: Tree = {}
    for layer in layers:
        tree = _over(tree, layer.tree)
    return tree


def _over(high: Tree, low: Tree) -> Tree:
    both = {**low, **high}
    for key in high.keys() & low.keys():
        if isinstance(high[key], dict) and isinstance(low[key], dict):
            both[key] = _over(high[key], low[key])
    return both
