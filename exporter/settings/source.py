"""From flags, environment and file to Settings, or to the list of all that is wrong."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from exporter.settings import schema
from exporter.settings.faults import A_LIST, Fault, Place, SettingsError, spell, validated
from exporter.settings.files import Watch, shown
from exporter.settings.given import Given, Value, environment, given_by, nearest, proxy, tree_of
from exporter.settings.model import Settings
from exporter.settings.palette import CONNECTION, NO_CREDENTIAL
from exporter.settings.schema import PREFIX
from exporter.settings.yaml_file import mapping

_CONFIG_FILE: Place = ("config", "file")
_API_KEY: tuple[Place, Place] = (("palette", "api_key"), ("palette", "api_key_file"))
_LOGIN: tuple[Place, Place] = (("palette", "username"), ("palette", "password_file"))

DEMO_DEFAULTS: dict[str, Any] = {
    "refresh": {"interval": "5s", "stale_after": "1m"},
    "discovery": {"enabled": True, "interval": "15s"},
    "labels": {"owner": "example.com/owner", "vm": ["tier", "app.kubernetes.io/part-of"]},
    "objectives": [
        {"namespace": "scratch", "exempt": True},
        {
            "namespace": "shop",
            "labels": {"tier": "gold"},
            "max_age": "26h",
            "min_snapshots": 3,
            "max_snapshots": 14,
            "max_snapshot_age": "30d",
            "quiesced": True,
            "ignore_volumes": ["scratch"],
        },
        {"namespace": "shop|erp|data", "max_age": "26h", "ignore_volumes": ["scratch"]},
        {"namespace": "platform", "max_age": "8d"},
        # The desktops have no objective.
    ],
}
"""What ``--demo`` takes if neither flags nor the environment nor a file gives it: objectives of
each kind for the namespaces of its fleet."""


def load(
    *,
    flags: Mapping[str, object] | None = None,
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
    given, faults = _given(flags or {}, config_file, environ, directory, demo=demo)
    if any(fault.place == _CONFIG_FILE for fault in faults):
        raise SettingsError(map(str, faults))  # the rest would be guesses
    if demo:
        given = {**given_by(DEMO_DEFAULTS, Settings, Path(), names={})[0], **given}
    else:
        if config_file is None and not given.get(("targets",), Value(())).value:
            # One variable with the key is enough to get started.
            given.setdefault(("discovery", "enabled"), Value(True))
        url = given.get(("palette", "url"), Value(Settings().palette.url)).value
        if found := proxy(str(url), environ):
            given.setdefault(("palette", "proxy_url"), found)
    settings, refused_values = validated(Settings, tree_of(given))
    faults += refused_values
    if not demo:
        refused = {fault.place[:2] for fault in faults}
        faults += [*_credential(given, refused), *_target(given, refused)]
    if settings is None or faults:
        raise SettingsError(dict.fromkeys(str(_sourced(fault, given)) for fault in faults))
    return settings


def _files(
    *, flags: Mapping[str, object], config_file: Path | None, demo: bool, directory: Path
) -> tuple[Path, ...]:
    """Return the files that ``load`` would read, valid or not: the config file and those named."""
    given, _ = _given(flags, config_file, os.environ, directory, demo=demo)
    found = (config_file, *(each.value for each in given.values()))
    return tuple(path for path in found if isinstance(path, Path))


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsSource:
    """Reads settings, at the start and at each reload.

    read: reads and checks all settings; raises SettingsError.
    watch: notices changes to the files; None without --config.auto-reload.
    """

    read: Callable[[], Settings]
    watch: Watch | None = None
    config_file: Path | None = None

    def transformed(self, change: Callable[[Settings], Settings]) -> "SettingsSource":
        """Return a copy whose settings are changed by a function."""
        return replace(self, read=lambda: change(self.read()))


def command_line(
    *, flags: Mapping[str, object], config_file: Path | None, demo: bool, watched: bool
) -> SettingsSource:
    """Return the settings of the command line and the environment; arguments as for ``load``.

    watched: notice changes to the files from now on.
    Raises SettingsError if the working directory has been removed.
    """
    try:
        # Once: a directory that is removed later must not keep settings from being read again.
        directory = Path.cwd()
    except OSError as error:
        raise SettingsError([f"working directory: cannot be read: {error.strerror}"]) from None
    config_file = config_file and directory / config_file
    given: dict[str, Any] = {"flags": flags, "config_file": config_file, "demo": demo}
    given["directory"] = directory
    watch = None
    if watched:
        watch = Watch(files=partial(_files, **given))
        # Before they are read: what changes in between is then noticed.
        watch.seen = watch.look()
    return SettingsSource(read=partial(load, **given), watch=watch, config_file=config_file)


def _given(
    flags: Mapping[str, object],
    config_file: Path | None,
    environ: Mapping[str, str],
    directory: Path | None,
    *,
    demo: bool,
) -> tuple[Given, list[Fault]]:
    """Return what counts of all that the user gives. Lists are replaced."""
    directory = directory or Path.cwd()
    names: dict[Place, str] = {leaf.place: leaf.flag for leaf in schema.leaves(Settings)}
    sources = [
        environment(Settings, environ, directory),
        given_by(flags, Settings, directory, names),
    ]
    if config_file is not None:
        sources.insert(0, _of_file(directory / config_file))
    given: Given = {}
    for source, _ in sources:
        if any(key in source for key in _API_KEY):
            # It replaces the key, or the file of one, of any lower source.
            given = {place: given[place] for place in given if place not in _API_KEY}
        given.update(source)
    faults = [fault for _, faults in reversed(sources) for fault in faults]
    if demo:
        given = {place: given[place] for place in given if not _is_of_connection(place)}
        faults = [fault for fault in faults if not _is_of_connection(fault.place)]
    return given, faults


def _of_file(path: Path) -> tuple[Given, list[Fault]]:
    name = shown(path)
    try:
        tree = mapping(path, name)
    except SettingsError as error:
        return {}, [Fault(_CONFIG_FILE, fault) for fault in error.faults]
    return given_by(tree, Settings, path.parent, names={(): name})


def _is_of_connection(place: Place) -> bool:
    """Return whether a place is one that a demo fills itself."""
    return place[:1] == ("targets",) or place[:2] in {("palette", key) for key in CONNECTION}


def _sourced(fault: Fault, given: Given) -> Fault:
    """Add where the user set what is wrong; a list in a variable is JSON."""
    found = nearest(given, fault.place)
    name = fault.source or (found.source if found else "")
    is_variable = name.upper().startswith(PREFIX)
    as_json = ", written as JSON" if is_variable and fault.message == A_LIST else ""
    return Fault(fault.place, fault.message + as_json, name)


def _credential(given: Given, refused: set[Place]) -> Iterator[Fault]:
    """Require one way to authenticate and no more: an API key, or a user name and a password.

    A key that is missing only because it was refused is not called missing too.
    """
    keys = [place for place in _API_KEY if place in given]
    login = [place for place in _LOGIN if place in given]
    if len(keys) > 1:
        key, file = keys
        yield Fault(file, f"conflicts with {spell(key, given[key].source)}. Set only one")
    if refused & {("palette",), *_API_KEY, *_LOGIN}:
        return
    if keys and login:
        yield Fault(login[0], f"conflicts with {spell(keys[0])}. Set only one")
    elif len(login) == 1:
        missing = next(place for place in _LOGIN if place not in given)
        yield Fault(login[0], f"requires {spell(missing)}")
    elif not keys and not login:
        yield Fault(("palette",), NO_CREDENTIAL)


def _target(given: Given, refused: set[Place]) -> Iterator[Fault]:
    """Require something to watch. A switch with a value that is refused anyway counts as on."""
    enabled = given.get(("discovery", "enabled"), Value("no")).value
    off = str(enabled).lower() in ("false", "f", "no", "n", "off", "0")
    targets = given.get(("targets",), Value(())).value
    if off and not targets and not refused & {("targets",), ("discovery",)}:
        yield Fault(("targets",), "no target. Name what to watch, or set discovery.enabled")
