"""Fuzzing that searches for new paths through the decoder, if atheris is installed.

atheris is not a dependency, because it does not support every Python of the exporter.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

from tests.fuzz.corpus import spoiled

SEEDS = 50
"""Valid and damaged payloads at the start of each run."""


def installed() -> bool:
    """Return whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


def fuzzed(kind: str, payloads: int) -> int:
    """Fuzz one kind of answer in a process of its own; return how many payloads were tried.

    Raises CalledProcessError; the process prints the failure and the payload.
    """
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(SEEDS):
            (Path(folder) / str(seed)).write_bytes(spoiled(kind, Random(seed), seed % 4))
        limits = (f"-runs={payloads}", "-max_len=65536", f"-artifact_prefix={folder}/found-")
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.guided", kind, folder, *limits],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.stderr.write(done.stderr)
        done.check_returncode()
    return max(map(int, re.findall(r"^#(\d+)\s+DONE", done.stderr, re.MULTILINE)), default=0)


def main(kind: str, *arguments: str) -> None:
    """Fuzz one kind of answer in this process, and end it."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["exporter"]):
        from tests.fuzz.decoder import DECODERS
    atheris.Setup([sys.argv[0], *arguments], DECODERS[kind])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
