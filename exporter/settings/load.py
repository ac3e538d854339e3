"""From flags, environment and file to Settings, or to the list of all that is wrong."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from exporter.settings import schema
from exporter.settings.demo import DEMO_DEFAULTS
from exporter.settings.environment import environment
from exporter.settings.faults import Fault, Place, SettingsError, spell
from exporter.settings.files import shown
from exporter.settings.model import Settings
from exporter.settings.palette import CONNECTION, NO_CREDENTIAL
from exporter.settings.proxy import proxy
from exporter.settings.schema import PREFIX
from exporter.settings.sources import API_KEYS, Source, Tree, merged, name_of, prepared
from exporter.settings.validation import A_LIST, of_validation, unknown_key
from exporter.settings.values import FILE
from exporter.settings.yaml_file import content, mapping

_NOTHING: Mapping[Any, Any] = MappingProxyType({})
_LOGIN = ("username", "password_file")
_CONFIG_FILE: Place = ("config", "file")


def load(
    *,
    flags: Mapping[str, object] = _NOTHING,
    config_file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    demo: bool = False,
    directory: Path | None = None,
) -> Settings:
    """Read and check all settings. Flags override the environment, which overrides the file.

    flags: nested by section, as ``exporter.settings.flags.parse`` returns them.
    demo: ignore targets and the keys that say where Palette is and how to authenticate.
    directory: where relative paths in flags and variables start; the working directory by default.

    Raises SettingsError with a line for each fault, none of which quotes a secret.
    """
    sources = _sources(flags, config_file, environ, directory)
    faults = [fault for source in sources for fault in source.faults]
    if any(fault.place == _CONFIG_FILE for fault in faults):
        raise SettingsError(map(str, faults))  # the rest would be guesses
    if demo:
        sources.append(Source(DEMO_DEFAULTS))
        tree = _without_connection(merged(sources))
        faults = [fault for fault in faults if fault.place[:1] != ("palette",)]
    else:
        if config_file is None and not any(source.value(("targets",)) for source in sources):
            # One variable with the key is enough to get started.
            sources.append(Source({"discovery": {"enabled": True}}))
        url = Source(merged(sources)).value(("palette", "url")) or Settings().palette.url
        sources.append(proxy(str(url), environ))
        tree = merged(sources)
    settings = None
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        faults += of_validation(error, Settings)
    if not demo:
        refused = {fault.place[:2] for fault in faults}
        faults += [*_credential(tree, refused, sources), *_target(tree, refused)]
    if settings is None or faults:
        raise SettingsError(dict.fromkeys(str(_sourced(fault, sources)) for fault in faults))
    return settings


def files(
    *,
    flags: Mapping[str, object] = _NOTHING,
    config_file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    demo: bool = False,
    directory: Path | None = None,
) -> tuple[Path, ...]:
    """Return the files that ``load`` would read, valid or not: the config file and those named."""
    sources = _sources(flags, config_file, environ, directory)
    keys = [leaf.place for leaf in schema.leaves(Settings) if schema.mark_of(leaf.field) == FILE]
    read = [key for key in keys if not demo or key[0] != "palette"]
    found = (config_file, *(source.value(key) for source in sources for key in read))
    return tuple(path for path in dict.fromkeys(found) if isinstance(path, Path))


def _sources(
    flags: Mapping[str, object],
    config_file: Path | None,
    environ: Mapping[str, str],
    directory: Path | None,
) -> list[Source]:
    """Return what the user gives, the source with the highest precedence first."""
    directory = directory or Path.cwd()
    names: dict[Place, str] = {leaf.place: leaf.flag for leaf in schema.leaves(Settings)}
    found = [
        Source(prepared(flags, Settings, directory), names),
        environment(Settings, environ, directory),
    ]
    if config_file is not None:
        found.append(_of_file(directory / config_file))
    return found


def _of_file(path: Path) -> Source:
    name = shown(path)
    try:
        tree = mapping(content(path), name)
    except SettingsError as error:
        return Source({}, faults=tuple(Fault(_CONFIG_FILE, fault) for fault in error.faults))
    # Pydantic takes text only as the names of settings.
    strange = [key for key in tree if not isinstance(key, str)]
    unknown = (unknown_key(Settings, (key,), tree.pop(key)) for key in strange)
    faults = tuple(replace(fault, source=name) for fault in unknown)
    return Source(prepared(tree, Settings, path.parent), {(): name}, faults)


def _without_connection(tree: Tree) -> Tree:
    """Return a tree without what a demo brings itself."""
    kept = {key: value for key, value in tree.items() if key != "targets"}
    if isinstance(palette := tree.get("palette"), dict):
        kept["palette"] = {key: palette[key] for key in palette if key not in CONNECTION}
    return kept


def _sourced(fault: Fault, sources: Sequence[Source]) -> Fault:
    """Add where the user set what is wrong; a list in a variable is JSON."""
    name = fault.source or name_of(fault.place, sources)
    is_variable = name.upper().startswith(PREFIX)
    as_json = ", written as JSON" if is_variable and fault.message == A_LIST else ""
    return Fault(fault.place, fault.message + as_json, name)


def _credential(tree: Tree, refused: set[Place], sources: Sequence[Source]) -> Iterator[Fault]:
    """Require one way to authenticate and no more: an API key, or a user name and a password.

    A key that is missing only because it was refused is not called missing too.
    """
    palette = tree.get("palette", {})
    if not isinstance(palette, dict):
        return
    keys = [key for key in API_KEYS if key in palette]
    login = [key for key in _LOGIN if key in palette]
    if len(keys) > 1:
        place = ("palette", keys[0])
        other = spell(place, name_of(place, sources))
        yield Fault(("palette", keys[1]), f"conflicts with {other}. Set only one")
    if refused & {("palette",), *(("palette", key) for key in (*API_KEYS, *_LOGIN))}:
        return
    if keys and login:
        yield Fault(("palette", login[0]), f"conflicts with palette.{keys[0]}. Set only one")
    elif len(login) == 1:
        missing = next(key for key in _LOGIN if key not in palette)
        yield Fault(("palette", login[0]), f"requires palette.{missing}")
    elif not keys and not login:
        yield Fault(("palette",), NO_CREDENTIAL)


def _target(tree: Tree, refused: set[Place]) -> Iterator[Fault]:
    """Require something to watch. A switch with a value that is refused anyway counts as on."""
    discovery = tree.get("discovery", {})
    enabled = discovery.get("enabled") if isinstance(discovery, dict) else True
    off = str(enabled).lower() in ("none", "false", "f", "no", "n", "off", "0")
    if off and not tree.get("targets") and not refused & {("targets",), ("discovery",)}:
        yield Fault(("targets",), "no target. Name what to watch, or set discovery.enabled")
