"""A copy of the checkout, a simulated Palette and an exporter, for the commands in the docs."""

import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from exporter.demo.api import API_KEY
from tests.docs.sandbox import Sandbox, answers, serving
from tests.process import ROOT, environment

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist"
)

EXPORTED = {
    "discovery": {"enabled": True},
    "objectives": [{"max_age": "26h"}],
    "labels": {"owner": "example.com/owner"},
    "targets": [
        {
            "cluster_uid": "6540a1b2c3d4e5f600000001",
            "namespace": "vms",
            "vm": "db-01",
            "snapshot": "db-01-nightly",
        }
    ],
}
"""The configuration of the exporter for the docs: all clusters, owners, and a missing snapshot."""


def left_out(folder: str, names: list[str]) -> set[str]:
    """Return the names in a folder that no copy needs: caches, builds and virtual environments.

    Users choose the name of a virtual environment; its configuration file identifies it.
    """
    environments = {name for name in names if Path(folder, name, "pyvenv.cfg").exists()}
    return environments | _LEFT_OUT(folder, names)


@pytest.fixture(scope="session")
def palette(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("palette") / "log"
    words = [sys.executable, "-m", "exporter.demo", "--port=0"]
    with serving(words, r"SPECTROCLOUD_HOST=(\S+)", ROOT, environment({}), log) as url:
        yield url


@pytest.fixture(scope="session")
def exporter(palette: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("exporter")
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(EXPORTED))
    words = [sys.executable, "-m", "exporter", f"--config.file={path}"]
    words.append("--web.listen-address=127.0.0.1:0")
    variables = environment({"SPECTROCLOUD_HOST": palette, "SPECTROCLOUD_APIKEY": API_KEY})
    with serving(words, r"listen=(\S+)", ROOT, variables, directory / "log") as host:
        answers(f"http://{host}/-/ready")
        yield f"http://{host}"


@pytest.fixture(scope="session")
def sandbox_of(
    palette: str, exporter: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path], Sandbox]:
    """Return the sandbox of a document, which all of its blocks share."""

    @cache
    def made(document: Path) -> Sandbox:
        root = tmp_path_factory.mktemp(document.stem) / "checkout"
        shutil.copytree(ROOT, root, ignore=left_out)
        (root / ".venv").symlink_to(Path(sys.executable).parent.parent)
        return Sandbox(root=root, palette=palette, exporter=exporter)

    return made
