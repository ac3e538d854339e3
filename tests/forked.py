"""The exporter as a process that is forked from one that has imported everything.

Starting Python and importing the exporter takes most of a second, and tests need some two hundred
processes. This is multiprocessing's fork server; what it does not show, the start itself, is tested
with real commands.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from exporter.cli import main

PRELOADED = ("exporter.check.live", "exporter.check.report", "exporter.runtime.run")

FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload([__name__, *PRELOADED])


class Forked:
    """A process, with the attributes of asyncio's processes that tests use.

    stdout, stderr: files for its output. arrange: is called in it first; of a module.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environ: Mapping[str, str],
        stdout: Path,
        stderr: Path,
        arrange: Callable[[], object] | None = None,
    ) -> None:
        for output in (stdout, stderr):
            output.write_bytes(b"")
        given = (arguments, dict(environ), stdout, stderr, arrange)
        self._process = FORK_SERVER.Process(target=_run, args=given, daemon=True)
        self._process.start()
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    async def wait(self) -> int:
        """Return the exit code at the end."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        return self.wait_for(0.0)

    def wait_for(self, seconds: float) -> int:
        """Return the exit code; fails if it does not end within so many seconds."""
        self._process.join(seconds)
        code = self.returncode
        assert code is not None, f"it did not end in {seconds} s"
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def _run(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    stdout: Path,
    stderr: Path,
    arrange: Callable[[], object] | None,
) -> None:
    """Be the exporter, in the new process."""
    for descriptor, path in ((0, Path(os.devnull)), (1, stdout), (2, stderr)):
        file = os.open(path, os.O_RDWR)
        os.dup2(file, descriptor)
        os.close(file)
    os.chdir(Path(__file__).parents[1])
    os.environ.clear()
    os.environ.update(environ)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if arrange:
        arrange()
    sys.exit(main(arguments))
