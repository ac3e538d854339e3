"""Writes the bill of materials (CycloneDX, JSON) of an environment, reproducibly.

Usage: sbom.py PYTHON OUTPUT
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = {"pip", "setuptools"}
"""The packages of a virtual environment that the image removes."""


def main() -> int:
    """Write the bill; the packages of the lock with version, licence and hashes of their files."""
    python, output = sys.argv[1:]
    command = [
        *(sys.executable, "-m", "cyclonedx_py", "environment", python),
        *("--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"),
        *("--output-reproducible", "--gather-license-texts", "--of", "JSON"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return done.returncode
    bill = json.loads(done.stdout)
    bill["components"] = [each for each in bill["components"] if each["name"] not in TOOLS]
    Path(output).write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n")
    print(f"{output}: {len(bill['components'])} components")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
