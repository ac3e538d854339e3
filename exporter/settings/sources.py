"""What one source gives, and how sources are merged."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from exporter.settings import schema
from exporter.settings.faults import Fault, Place
from exporter.settings.values import FILE, SECRET

Tree = dict[str, Any]

API_KEYS = ("api_key", "api_key_file")
"""Keys of ``palette`` that give an API key."""


@dataclass(frozen=True, slots=True)
class Source:
    """What one source gives.

    tree: nested by section; no key is null, and files are absolute paths.
    names: what the user set, by its place: ``--log.level``, ``PALETTE_EXPORTER_LOG__LEVEL``, and by
        no place the path of the file.
    """

    tree: Tree
    names: Mapping[Place, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def value(self, place: Place) -> Any:
        """Return the value that the source gives a key, or the list that the place is in."""
        found: Any = self.tree
        for part in itertools.takewhile(lambda part: isinstance(part, str), place):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def name(self, place: Place) -> str:
        """Return the flag, variable or file that gives this place its value; "" for a default."""
        prefixes = (place[:length] for length in range(len(place), -1, -1))
        return next((self.names[prefix] for prefix in prefixes if prefix in self.names), "")


def name_of(place: Place, sources: Iterable[Source]) -> str:
    """Return the flag, variable or file that gave a place its value; "" for a default."""
    return next((each.name(place) for each in sources if each.value(place) is not None), "")


def prepared(tree: Mapping[Any, Any], model: type[BaseModel], directory: Path) -> Tree:
    """Copy a tree without keys that are null, as empty sections are; make paths absolute."""
    clean: Tree = {}
    for key, value in tree.items():
        field = model.model_fields.get(key)
        section = field and schema.section_of(field)
        if field is None:
            clean[key] = value
        elif section and isinstance(value, Mapping):
            clean[key] = prepared(value, section, directory)
        elif value is not None:
            clean[key] = _value(value, field, directory)
    return clean


def _value(value: object, field: FieldInfo, directory: Path) -> object:
    if not isinstance(value, str):
        return value
    mark = schema.mark_of(field)
    if mark == SECRET:
        return SecretStr(value)  # from here on, nothing that prints the tree prints it
    return directory / value if mark == FILE and value else value


def merged(sources: Iterable[Source]) -> Tree:
    """Merge sources, the highest first. Lists are replaced; an API key replaces every other."""
    tree: Tree = {}
    for source in sources:
        tree = _over(tree, source.tree)
    return tree


def _over(high: Tree, low: Tree) -> Tree:
    if any(key in high for key in API_KEYS):
        low = {key: value for key, value in low.items() if key not in API_KEYS}
    both = {**low, **high}
    for key in high.keys() & low.keys():
        if isinstance(high[key], dict):
            # What is not the section that it should be is a fault.
            both[key] = _over(high[key], low[key]) if isinstance(low[key], dict) else low[key]
    return both
