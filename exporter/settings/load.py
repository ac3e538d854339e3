"""From flags, environment and file to Settings, or to the list of all that is wrong."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from exporter.settings import rules, schema
from exporter.settings.environment import Environment
from exporter.settings.faults import Fault, Place, SettingsError, of_validation
from exporter.settings.layer import Layer, Tree, looked_over, merged
from exporter.settings.model import CONNECTION, Settings
from exporter.settings.yaml_file import ConfigFileError, YamlFile

_NOTHING: Mapping[str, object] = MappingProxyType({})
_NO_ENVIRONMENT: Mapping[Place, str] = MappingProxyType({})
_DEMO_DROPS: tuple[Place, ...] = (("targets",), *(("palette", key) for key in CONNECTION))
_DEMO_DEFAULTS = {
    "refresh": {"interval": 5.0, "stale_after": 60.0},
    "discovery": {"enabled": True, "interval": 15.0},
    "objectives": [{"namespace": "prod.*", "max_age": "26h"}, {"max_age": "8d"}],
}
_DISCOVERY = {"discovery": {"enabled": True}}


def load(
    *,
    flags: Mapping[str, object] = _NOTHING,
    config_file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    demo: bool = False,
) -> Settings:
    """Read and check all settings; a flag beats the environment, which beats the file.

    flags: nested by section, as ``exporter.flags.parse`` gives them.
    demo: what says where Palette is, how to be let in, and what to watch is not looked at.

    Raises SettingsError with a line for each fault, none of which quotes a secret.
    """
    layers = _given(flags, config_file, environ, demo=demo)
    if demo:
        layers.append(Layer(_DEMO_DEFAULTS, _NO_ENVIRONMENT))
    elif config_file is None and not any(layer.gives(("targets",)) for layer in layers):
        # One variable with the key is a set-up that works.
        layers.append(Layer(_DISCOVERY, _NO_ENVIRONMENT))
    faults = [fault for layer in layers for fault in layer.faults]
    if any(fault.place == ("config", "file") for fault in faults):
        raise SettingsError(map(str, faults))  # the rest would be guesses
    return _checked(layers, faults, demo)


def has_secret(config_file: Path) -> bool:
    """Tell whether a secret itself, and not only the name of its file, stands in the file."""
    return rules.has_secret(_of_file(config_file, ()))


def files(
    *,
    flags: Mapping[str, object] = _NOTHING,
    config_file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    demo: bool = False,
) -> tuple[Path, ...]:
    """Return the files that ``load`` would read, itself and those it names, good or not."""
    layers = _given(flags, config_file, environ, demo=demo)
    keys = [leaf.place for leaf in schema.leaves(Settings) if schema.is_file(leaf.field)]
    named = (layer.value(key) for layer in layers for key in keys)
    found = (config_file, *(path for path in named if isinstance(path, Path)))
    return tuple(path for path in dict.fromkeys(found) if path is not None)


def _given(
    flags: Mapping[str, object],
    config_file: Path | None,
    environ: Mapping[str, str],
    *,
    demo: bool,
) -> list[Layer]:
    """Return what is given by anybody, the highest layer first."""
    drops = _DEMO_DROPS if demo else ()
    layers = [_of_flags(flags, drops), _of_environment(environ, drops)]
    if config_file is not None:
        layers.append(_of_file(config_file, drops))
    return layers


def _checked(layers: list[Layer], faults: list[Fault], demo: bool) -> Settings:
    faults.extend(rules.two_keys(layers))
    layers = rules.without_superseded_keys(layers)
    tree = merged(layers)

    def source(place: Place) -> str:
        return next((layer.name(place) for layer in layers if layer.gives(place)), "")

    if not demo:
        faults.extend(_between_keys(tree, faults, source))
    settings = _validated(tree, faults, source)
    if settings is None or faults:
        raise SettingsError(dict.fromkeys(map(str, faults)))
    return settings


def _between_keys(tree: Tree, faults: list[Fault], source: rules.Source) -> list[Fault]:
    """Ask the rules; what is missing only because it was refused is not called missing too."""
    refused = {fault.place[:2] for fault in faults}
    found: list[Fault] = []
    if not refused & {("palette",), *(("palette", key) for key in rules.WAYS_IN)}:
        found.extend(rules.credentials(tree, source))
    if ("targets",) not in refused:
        found.extend(rules.targets(tree, source))
    return found


def _validated(tree: Tree, faults: list[Fault], source: rules.Source) -> Settings | None:
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        found = of_validation(error)
    faults.extend(Fault(fault.place, fault.message, source(fault.place)) for fault in found)
    return None


def _of_flags(flags: Mapping[str, object], drops: tuple[Place, ...]) -> Layer:
    names: dict[Place, str] = {leaf.place: leaf.flag for leaf in schema.leaves(Settings)}
    tree = _without(flags, drops)
    faults = tuple(_secret_flags(tree))
    return looked_over(
        _without(tree, tuple(fault.place for fault in faults)),
        Settings,
        directory=Path.cwd(),
        names=names,
        faults=faults,
    )


def _secret_flags(tree: Tree) -> Iterator[Fault]:
    given = Layer(tree, _NO_ENVIRONMENT)
    for leaf in schema.leaves(Settings):
        if leaf.is_secret and given.gives(leaf.place):
            yield Fault(leaf.place, "a secret is never a flag", leaf.flag)


def _of_environment(environ: Mapping[str, str], drops: tuple[Place, ...]) -> Layer:
    environment = Environment(Settings, environ, drops)
    tree = _without(environment(), drops)
    return looked_over(
        tree,
        Settings,
        directory=Path.cwd(),
        names=environment.names,
        faults=environment.faults,
    )


def _of_file(path: Path, drops: tuple[Place, ...]) -> Layer:
    try:
        tree = YamlFile(Settings, path)()
    except ConfigFileError as error:
        return Layer({}, _NO_ENVIRONMENT, error.faults)
    return looked_over(
        _without(tree, drops),
        Settings,
        directory=path.absolute().parent,
        names=_NO_ENVIRONMENT,
    )


def _without(tree: Mapping[Any, Any], drops: tuple[Place, ...]) -> Tree:
    """Copy a tree but for some places, each one or two steps from its root."""
    kept = {key: value for key, value in tree.items() if (key,) not in drops}
    for section, value in kept.items():
        if isinstance(value, Mapping):
            kept[section] = {
                key: item for key, item in value.items() if (section, key) not in drops
            }
    return kept
