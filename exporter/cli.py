"""From the command line to settings to the running exporter, and to the exit code."""

import platform
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from exporter import __version__, revision

if TYPE_CHECKING:
    from exporter.flags import Flags
    from exporter.settings import Settings

OK, FAILED, BAD_SETTINGS = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 2 where a setting is bad, 1 where it failed."""
    arguments = sys.argv[1:] if argv is None else argv
    if "--version" in arguments:
        # Before anything is imported that takes its time.
        print(_version())  # noqa: T201
        return OK
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return OK


def _version() -> str:
    python = platform.python_version()
    return (
        f"palette-snapshot-exporter, version {__version__} (revision {revision()}, Python {python})"
    )


def _run(arguments: Sequence[str]) -> int:
    from exporter.flags import parse
    from exporter.settings import SettingsError, load

    flags = parse(arguments)
    try:
        settings = load(flags=flags.settings, config_file=flags.config_file, demo=flags.demo)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return BAD_SETTINGS
    if flags.config_check or flags.config_check_live:
        return _check(settings, flags)
    return _serve(settings, flags)


def _check(settings: "Settings", flags: "Flags") -> int:
    from exporter.check.report import report

    print(report(settings), end="", flush=True)  # noqa: T201
    return _check_live(settings, demo=flags.demo) if flags.config_check_live else OK


def _check_live(settings: "Settings", *, demo: bool) -> int:
    import asyncio

    import uvloop

    from exporter.check.live import look, look_at_demo
    from exporter.check.outlook import outlook_report
    from exporter.logs import configure
    from exporter.settings import SettingsError

    configure(level=settings.log.level, log_format=settings.log.format)
    tried = look_at_demo(settings) if demo else look(settings)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            found = runner.run(tried)
    except KeyboardInterrupt:
        return FAILED
    except (SettingsError, ValueError) as error:
        # A file was good a moment ago.
        print(error, file=sys.stderr)  # noqa: T201
        return BAD_SETTINGS
    print(outlook_report(found), end="")  # noqa: T201
    return OK if found.good else FAILED


def _serve(settings: "Settings", flags: "Flags") -> int:
    import asyncio

    import structlog
    import uvloop

    from exporter.exposure import Exposures
    from exporter.logs import configure
    from exporter.runtime import run
    from exporter.web.entrance import ListenError

    configure(level=settings.log.level, log_format=settings.log.format)
    log = structlog.get_logger()
    Exposures().warn(settings, flags.config_file)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings, demo=flags.demo))
    except ListenError as error:
        log.error("cannot listen", reason=str(error))  # noqa: TRY400
        return FAILED
    except Exception:
        log.exception("stopped by a fault of the exporter's own")
        return FAILED
    return OK
