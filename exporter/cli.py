"""From the command line to settings to the running exporter, and to the exit code."""

import os
import platform
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from exporter import __version__, revision
from exporter.runtime.signals import GRACE, Signals, end_within, leave

if TYPE_CHECKING:
    from exporter.settings import Settings
    from exporter.settings.flags import Flags
    from exporter.settings.source import Origin

OK, FAILED, BAD_SETTINGS = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 2 where a setting is bad, 1 where it failed."""
    _open_standard_streams()
    arguments = sys.argv[1:] if argv is None else argv
    if "--version" in arguments or "-v" in arguments:
        # Before anything is imported that takes its time.
        print(_version())  # noqa: T201
        return OK
    signals = Signals()
    if not any(argument.startswith("--config.check") for argument in arguments):
        # Early: what is imported from here on takes a while, in which a signal may come.
        signals.install()
    try:
        return _run(arguments, signals)
    except KeyboardInterrupt:
        return FAILED


def _open_standard_streams() -> None:
    """Open /dev/null for each that is closed, so that no socket gets its number."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r", closefd=False))


def _version() -> str:
    python = platform.python_version()
    return (
        f"palette-snapshot-exporter, version {__version__} (revision {revision()}, Python {python})"
    )


def _run(arguments: Sequence[str], signals: Signals) -> int:
    from exporter.settings import SettingsError
    from exporter.settings.flags import parse
    from exporter.settings.source import command_line

    flags = parse(arguments)
    try:
        origin = command_line(
            flags=flags.settings,
            config_file=flags.config_file,
            demo=flags.demo,
            watched=flags.config_auto_reload,
        )
        settings = origin.read()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return BAD_SETTINGS
    if flags.config_check or flags.config_check_live:
        return _check(settings, flags)
    return leave(_serve(settings, origin, signals, demo=flags.demo))


def _check(settings: "Settings", flags: "Flags") -> int:
    from exporter.check.report import report

    try:
        print(report(settings), end="", flush=True)  # noqa: T201
        return _check_live(settings, demo=flags.demo) if flags.config_check_live else OK
    except BrokenPipeError:
        # Whoever read has gone, as head does; Python would complain as it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _check_live(settings: "Settings", *, demo: bool) -> int:
    import asyncio

    import uvloop

    from exporter.check.live import look, look_at_demo
    from exporter.check.outlook import outlook_report
    from exporter.runtime.logs import configure
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
    print(outlook_report(found), end="", flush=True)  # noqa: T201
    return OK if found.good else FAILED


def _serve(settings: "Settings", origin: "Origin", signals: Signals, *, demo: bool) -> int:
    import asyncio

    import structlog
    import uvloop

    from exporter.runtime.logs import configure
    from exporter.runtime.run import run
    from exporter.settings import SettingsError
    from exporter.web.guard.listener import ListenError

    configure(level=settings.log.level, log_format=settings.log.format)
    log = structlog.get_logger()
    code = OK
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(run(settings, origin=origin, demo=demo, signals=signals))
        except ListenError as error:
            log.error("cannot listen", reason=str(error))  # noqa: TRY400
            code = FAILED
        except SettingsError as error:
            # A file was good a moment ago.
            print(error, file=sys.stderr)  # noqa: T201
            code = BAD_SETTINGS
        except Exception:
            log.exception("stopped by a fault of the exporter's own")
            code = FAILED
        end_within(GRACE, code)
    return code
