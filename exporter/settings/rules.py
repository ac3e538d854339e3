"""What must hold between keys, whatever source each came from.

Asked of the joined layers before anything is parsed, so that one bad value does not keep these
faults back until the next try.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import SecretStr

from exporter.settings.faults import Fault, Place, spell
from exporter.settings.layer import Layer, Tree
from exporter.settings.model import NO_CREDENTIAL

Source = Callable[[Place], str]
"""The flag or variable that gave a place its value; "" for the file."""

_KEYS = ("api_key", "api_key_file")
_LOGIN = ("username", "password_file")
WAYS_IN = (*_KEYS, *_LOGIN)
"""The keys of ``palette`` that give a credential."""

_PATH = ("namespace", "vm", "snapshot")

NO_TARGET = "no target: name what to watch, or set discovery.enabled"


def without_superseded_keys(layers: Sequence[Layer]) -> list[Layer]:
    """Take the API key from the highest layer that has one, in whichever way it gives it."""
    kept, found = [], False
    for layer in layers:
        palette = layer.tree.get("palette", {})
        if found:
            rest = {key: value for key, value in palette.items() if key not in _KEYS}
            layer = Layer({**layer.tree, "palette": rest}, layer.names, layer.faults)
        found = found or any(key in palette for key in _KEYS)
        kept.append(layer)
    return kept


def two_keys(layers: Sequence[Layer]) -> Iterator[Fault]:
    """Refuse an API key and a file of one from the same source."""
    for layer in layers:
        if all(layer.gives(("palette", key)) for key in _KEYS):
            key, file = (("palette", key) for key in _KEYS)
            other = spell(key, layer.name(key))
            yield Fault(file, f"given beside {other}; keep one of them", layer.name(file))


def has_secret(layer: Layer) -> bool:
    """Tell whether a secret itself, and not only the name of its file, stands in a source."""
    palette = layer.tree.get("palette", {})
    proxy = palette.get("proxy_url")
    return "api_key" in palette or (
        isinstance(proxy, SecretStr) and "@" in proxy.get_secret_value()
    )


def credentials(tree: Tree, source: Source) -> Iterator[Fault]:
    """Ask for one way in and no more: an API key, or a user name with its password."""
    palette = tree.get("palette", {})
    keys = [("palette", key) for key in _KEYS if key in palette]
    login = [("palette", key) for key in _LOGIN if key in palette]
    if keys and login:
        other = spell(keys[0], source(keys[0]))
        yield Fault(login[0], f"given beside {other}; keep one of them", source(login[0]))
    elif len(login) == 1:
        missing = next(key for key in _LOGIN if key not in palette)
        yield Fault(login[0], f"needs palette.{missing} beside it", source(login[0]))
    elif not keys and not login:
        yield Fault(("palette",), NO_CREDENTIAL)


def targets(tree: Tree, source: Source) -> Iterator[Fault]:
    """Ask for something to watch, no target twice, and one name and project to a cluster."""
    items = tree.get("targets", [])
    if not items and not _is_on(tree.get("discovery", {}).get("enabled")):
        yield Fault(("targets",), NO_TARGET, source(("targets",)))
    yield from _repeated(items, source)
    for key in ("cluster_name", "project_uid"):
        yield from _contradicting(items, key, source)


def _repeated(items: Sequence[Any], source: Source) -> Iterator[Fault]:
    first: dict[tuple[str, ...], int] = {}
    for index, item in enumerate(items):
        identity = _identity(item)
        if identity is None:
            continue
        before = first.setdefault(identity, index)
        if before != index:
            place = ("targets", index)
            yield Fault(place, f"the same as targets[{before}]", source(place))


def _identity(item: Any) -> tuple[str, ...] | None:
    """Return the path that a target stands for, or None where that can't be told."""
    texts = _texts(item, ("cluster_uid",))
    if texts is None:
        return None
    path = tuple(item.get(key) or "" for key in _PATH)
    return (*texts, *path) if all(isinstance(part, str) for part in path) else None


def _is_on(value: object) -> bool:
    """Tell whether a switch is on, or is set to something that will be refused anyway."""
    return str(value).lower() not in ("none", "false", "f", "no", "n", "off", "0")


def _contradicting(items: Sequence[Any], key: str, source: Source) -> Iterator[Fault]:
    first: dict[str, tuple[int, str]] = {}
    for index, item in enumerate(items):
        texts = _texts(item, ("cluster_uid", key))
        if texts is None:
            continue
        cluster, given = texts
        before, other = first.setdefault(cluster, (index, given))
        if given != other:
            place = ("targets", index, key)
            clash = f"differs from that of the same cluster in targets[{before}]"
            yield Fault(place, clash, source(place))


def _texts(item: Any, keys: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what an item says under these keys, or None unless all are there and are text."""
    values = [item.get(key) for key in keys] if isinstance(item, dict) else []
    texts = tuple(value for value in values if isinstance(value, str) and value)
    return texts if len(texts) == len(keys) else None
