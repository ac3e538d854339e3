"""Where settings come from, to have them again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from exporter.settings import Settings, SettingsError, files, load
from exporter.settings.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Reads settings as often as one likes.

    read: reads and checks them; raises SettingsError.
    watch: of the files they are read from; None where a reload has to be asked for.
    """

    read: Callable[[], Settings]
    watch: Watch | None = None
    config_file: Path | None = None

    def pointed(self, point: Callable[[Settings], Settings]) -> "Origin":
        """Return the same, of settings that are changed in some way."""
        return replace(self, read=lambda: point(self.read()))


def command_line(
    *, flags: Mapping[str, object], config_file: Path | None, demo: bool, watched: bool
) -> Origin:
    """Return what the command line and the environment say; the arguments are those of ``load``.

    watched: whether to notice that files change, from now on.
    Raises SettingsError if the working directory has been removed.
    """
    try:
        # Once: a directory that is removed later must not keep settings from being read again.
        directory = Path.cwd()
    except OSError as error:
        raise SettingsError([f"working directory: cannot be read: {error.strerror}"]) from None
    config_file = config_file and directory / config_file
    given: dict[str, Any] = {
        "flags": flags,
        "config_file": config_file,
        "demo": demo,
        "directory": directory,
    }
    watch = None
    if watched:
        watch = Watch(files=partial(files, **given))
        # Before they are read: what changes in between is then noticed.
        watch.seen = watch.look()
    read = partial(load, **given)
    return Origin(read=read, watch=watch, config_file=config_file)
