"""Shell commands in documents: a real shell runs each block, in a copy of the checkout.

Its path has only what ``REAL`` and ``SHIMS`` name, so an unforeseen command is
"command not found" and fails: add it to one of the two. Shims (tests/docs/shims.py) replace what
cannot run as it is written: they start servers on a free port, query them, and stop them; they run
kubectl without a cluster; they compare docker's arguments with the files that it would use.

The API key and the host that documents leave open are those of a simulated Palette;
``config.yaml`` is the last configuration in the document; variables are those of earlier blocks.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from exporter.demo.api import API_KEY
from tests.docs.blocks import blocks
from tests.docs.configurations import is_for_the_exporter
from tests.docs.sandbox import SECONDS, Sandbox
from tests.process import ROOT, SCRIPT, environment
from tests.yaml_text import documents

REAL = (
    *(
        "awk",
        "bash",
        "cat",
        "chmod",
        "cp",
        "cut",
        "date",
        "env",
        "head",
        "ls",
        "mkdir",
        "printf",
        "sed",
        "sort",
    ),
    *("tail", "tee", "tr", "wc", "openssl", "promtool", "uname", "dirname"),
)
"""Programs that run as they are, if they are installed."""

SHIMS = (
    *("amtool", "curl", "docker", "git", "grep", "journalctl", "kubectl", "make", "pip"),
    *("palette-snapshot-exporter", "python", "python3"),
)
"""Programs that tests/docs/shims.py replaces."""

_ASSIGNMENT = re.compile(
    r"^[A-Z_]+=\$\([^)]*\)$|^(?:export )?[A-Z_]+=[^\s$]+(?: [A-Z_]+=[^\s$]+)*(?= *(?:#|$))",
    re.MULTILINE,
)


def run(script: str, sandbox: Sandbox) -> str:
    """Run a block and return its output; fails if one of its commands fails."""
    binaries = sandbox.root / ".bin"
    if not binaries.exists():
        _fill(binaries)
    done = subprocess.run(
        ["bash", "-eu", "-c", script],
        cwd=sandbox.root,
        env=_environ(sandbox, binaries),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def _fill(binaries: Path) -> None:
    binaries.mkdir()
    for name in REAL:
        if found := shutil.which(name):
            (binaries / name).symlink_to(found)
    for name in SHIMS:
        shim = binaries / name
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.docs.shims {name} "$@"\n')
        shim.chmod(0o755)


def _environ(sandbox: Sandbox, binaries: Path) -> dict[str, str]:
    ours = {
        "PATH": str(binaries),
        "PYTHONPATH": str(ROOT),
        "SPECTROCLOUD_HOST": sandbox.palette,
        "SPECTROCLOUD_APIKEY": API_KEY,
        "DOCS_PALETTE": sandbox.palette,
        "DOCS_EXPORTER": sandbox.exporter,
        "DOCS_PATH": os.pathsep.join((str(Path(SCRIPT[0]).parent), os.environ["PATH"])),
    }
    return {**environment({}), **ours}


def variables_before(path: Path, line: int) -> str:
    """Return the assignments of a document's earlier blocks, as a script."""
    earlier = (each for each in blocks(path) if each.line < line and each.language == "sh")
    return "\n".join(found for each in earlier for found in _ASSIGNMENT.findall(each.text)) + "\n"


def config_before(path: Path, line: int) -> str:
    """Return the last configuration of the exporter that a document shows before a line."""
    shown = [
        block.text
        for block in blocks(path)
        if block.line < line
        and block.language == "yaml"
        and is_for_the_exporter(next(documents(block.text)))
    ]
    return shown[-1] if shown else (ROOT / "config.example.yaml").read_text()
