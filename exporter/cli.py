"""From the command line to settings to the running exporter, and to the exit code."""

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from exporter import __version__, revision
from exporter.runtime.signals import GRACE, Signals, end_within, leave

if TYPE_CHECKING:
    from exporter.settings import Settings
    from exporter.settings.flags import Flags
    from exporter.settings.source import SettingsSource

OK, FAILED, BAD_SETTINGS = 0, 1, 2
LISTEN_HINT = "Stop the program that uses the address, or set another web.listen_address."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 2 where a setting is bad, 1 where it failed."""
    _open_standard_streams()
    arguments = sys.argv[1:] if argv is None else argv
    if "--version" in arguments or "-v" in arguments:
        # Before anything is imported that takes its time.
        print(_version())  # noqa: T201
        return OK
    signals = Signals()
    printing = ("--config.check", "--config.print", "--health", "--report")
    if not any(argument.startswith(printing) for argument in arguments):
        # Early: what is imported from here on takes a while, in which a signal can come.
        signals.install()
    try:
        return _run(arguments, signals)
    except KeyboardInterrupt:
        return FAILED
    except BrokenPipeError:
        # The reader closed the pipe, as head does; Python would report that when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
    if flags.health:
        from exporter.runtime.health import unhealthy

        if reason := unhealthy(arguments):
            print(reason, file=sys.stderr)  # noqa: T201
        return FAILED if reason else OK
    try:
        source = command_line(
            flags=flags.settings,
            config_file=flags.config_file,
            demo=flags.demo,
            watched=flags.config_auto_reload,
        )
        settings = source.read()
        if flags.prints:
            return _check(settings, flags)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return BAD_SETTINGS
    return leave(_serve(settings, source, signals, demo=flags.demo))


def _check(settings: "Settings", flags: "Flags") -> int:
    """Print what was requested, and return the exit code. Raises SettingsError."""
    from exporter.check.live import live_lines
    from exporter.check.meaning import Meaning
    from exporter.check.report import FORMATS, report
    from exporter.refresh.targets import by_cluster
    from exporter.runtime.once import run_once
    from exporter.runtime.parts import render_options, targets

    if flags.report:
        said = report(run_once(settings, demo=flags.demo), settings.labels.owner)
        _print(FORMATS[flags.report](said))
        return OK if said.good else FAILED
    if flags.config_print:
        _print(settings.effective_yaml().splitlines())
        return OK
    meaning = Meaning(
        settings=settings,
        configured=by_cluster(targets(settings)),
        options=render_options(settings),
        demo=flags.demo,
    )
    _print(meaning.lines())
    if not flags.config_check_live:
        return OK
    found = run_once(settings, demo=flags.demo)
    _print(live_lines(found))
    return OK if found.complete else FAILED


def _print(lines: Iterable[str]) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201


def _serve(settings: "Settings", source: "SettingsSource", signals: Signals, *, demo: bool) -> int:
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
            runner.run(run(settings, source=source, demo=demo, signals=signals))
        except ListenError as error:
            log.error("cannot listen", reason=str(error), hint=LISTEN_HINT)  # noqa: TRY400
            code = FAILED
        except SettingsError as error:
            # A file was good a moment ago.
            print(error, file=sys.stderr)  # noqa: T201
            code = BAD_SETTINGS
        except Exception:
            log.exception("internal error, exiting")
            code = FAILED
        end_within(GRACE, code)
    return code
