"""What one source gives, and how sources are merged."""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from exporter.settings import schema
from exporter.settings.faults import Fault, Place

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

    def without(self, places: Collection[Place]) -> "Source":
        """Return the source without some keys or sections, and without their faults."""
        tree = {key: value for key, value in self.tree.items() if (key,) not in places}
        for section, keys in tree.items():
            if isinstance(keys, dict):
                kept = {key: keys[key] for key in keys if (section, key) not in places}
                tree = {**tree, section: kept}
        faults = (fault for fault in self.faults if fault.place[:2] not in places)
        return Source(tree, self.names, tuple(faults))


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
    if schema.is_secret(field):
        return SecretStr(value)  # from here on, nothing that prints the tree prints it
    return directory / value if schema.is_file(field) and value else value


def merged(sources: Sequence[Source]) -> Tree:
    """Merge sources, the highest first. Lists are replaced; an API key replaces every other."""
    tree: Tree = {}
    for source in sources:
        low, palette = source.tree, source.tree.get("palette")
        if isinstance(palette, dict) and any(key in tree.get("palette", {}) for key in API_KEYS):
            kept = {key: value for key, value in palette.items() if key not in API_KEYS}
            low = {**low, "palette": kept}
        tree = _over(tree, low)
    return tree


def _over(high: Tree, low: Tree) -> Tree:
    both = {**low, **high}
    for key in high.keys() & low.keys():
        if isinstance(high[key], dict) and isinstance(low[key], dict):
            both[key] = _over(high[key], low[key])
        elif isinstance(high[key], dict):
            both[key] = low[key]  # not the section that it should be, which is a fault
    return both
