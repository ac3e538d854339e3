"""Servers that documents describe: started, queried and stopped."""

import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS = 30.0
"""Timeout of each step, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A copy of the checkout with its environment, which commands can change.

    palette, exporter: base URLs of the simulated Palette, and of an exporter that reads it.
    """

    root: Path
    palette: str
    exporter: str


@contextmanager
def serving(
    words: Sequence[str], ready: str, cwd: Path, environ: Mapping[str, str], log: Path
) -> Iterator[str]:
    """Run a server until the end of the block; yields the group of ``ready`` found in its log.

    It must stop by SIGTERM with exit code 0.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, cwd=cwd, env=dict(environ), stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield _said(process, ready, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _said(process: "subprocess.Popen[bytes]", pattern: str, log: Path) -> str:
    deadline = time.monotonic() + SECONDS
    while not (found := re.search(pattern, log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return found[1]


def answers(url: str) -> str:
    """Wait until a URL answers with 200 and return the text."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                text: str = response.read().decode()
                return text
        except OSError:
            assert time.monotonic() < deadline, url
            time.sleep(0.05)
