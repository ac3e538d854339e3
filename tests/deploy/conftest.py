"""Programs of Prometheus and Alertmanager that check what is deployed."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[..., str]
"""Runs the program with arguments, in a directory, and returns its output; fails where it does."""


def find(*names: str) -> str:
    """Return the first program that is installed; without one, skip, but not in CI."""
    for name in names:
        if path := shutil.which(name):
            return path
    reason = f"{names[0]} is not installed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(*names: str) -> Program:
    path = find(*names)

    def run(*arguments: str | Path, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [path, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def promtool() -> Program:
    return program("promtool")


@pytest.fixture(scope="session")
def amtool() -> Program:
    return program("amtool")


@pytest.fixture(scope="session")
def alertmanager() -> str:
    return find("alertmanager", "prometheus-alertmanager")
