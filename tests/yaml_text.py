"""YAML, parsed in C: PyYAML's own parser takes ten times as long, and manifests are long."""

from collections.abc import Iterator
from typing import Any

import yaml


def loaded(text: str) -> Any:
    """Return the one document of a text."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def documents(text: str) -> Iterator[Any]:
    """Yield the documents of a text; None for an empty one."""
    yield from yaml.load_all(text, Loader=yaml.CSafeLoader)
