"""A source of settings that can be read again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from exporter.settings import Settings, SettingsError, files, load
from exporter.settings.watch import Watch


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
        watch = Watch(files=partial(files, **given))
        # Before they are read: what changes in between is then noticed.
        watch.seen = watch.look()
    return SettingsSource(read=partial(load, **given), watch=watch, config_file=config_file)
