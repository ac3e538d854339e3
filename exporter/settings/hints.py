"""What a key that no section knows was probably meant to be."""

import difflib
import re

from pydantic import BaseModel

from exporter.settings import schema
from exporter.settings.faults import Fault, Place

_KEY = re.compile(r"[A-Za-z][A-Za-z_.-]{0,31}")


def unknown_key(root: type[BaseModel], place: Place, value: object) -> Fault:
    """Return the fault of a key that is in no section of a model; value: what the key has."""
    *above, key = place
    model = schema.section_at(root, above)
    allowed = list(model.model_fields)
    near = difflib.get_close_matches(key, allowed, n=1) if isinstance(key, str) else []
    homes = [".".join(home) for home in schema.homes(root, key)]
    if near:
        hint = f"did you mean '{near[0]}'?"
    elif homes:
        hint = f"its place is {' or '.join(homes)}. Check the indentation"
    else:
        hint = f"allowed are {', '.join(allowed)}"
    if isinstance(key, str) and _is_like_a_key(key, near or homes, value):
        return Fault(place, f"unknown key; {hint}")
    return Fault(tuple(above), f"unknown key (hidden because it could be a value); {hint}")


def _is_like_a_key(key: str, known: list[str], value: object) -> bool:
    """Distinguish a misspelt key from a value in its place: ``{api_key s3cr3t}``."""
    return _KEY.fullmatch(key) is not None and (bool(known) or value is not None)


def unknown_variable(name: str, variables: list[str]) -> Fault:
    """Return the fault of an environment variable that sets no key."""
    near = difflib.get_close_matches(name.upper(), variables, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near else "no key has this name"
    return Fault((name,), f"unknown environment variable; {hint}")
