"""Fixtures: the tools of Prometheus and Alertmanager, and a demo that is scraped."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.watched import prometheus
from tests.process import binary

__all__ = ["prometheus"]

Program = Callable[..., str]
"""Runs the program with arguments, in a directory, and returns its output; fails if it fails."""


def runner(*names: str) -> Program:
    path = binary(*names)

    def run(*arguments: str | Path, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [path, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def promtool() -> Program:
    return runner("promtool")


@pytest.fixture(scope="session")
def amtool() -> Program:
    return runner("amtool")
