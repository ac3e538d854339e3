"""Checks that everything that names the version names the same one; prints what does not.

With a git tag on the commit, the tag counts: v1.2.3 is version 1.2.3.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PLACEHOLDER = "example.com"


def versions(root: Path) -> Iterator[tuple[str, str]]:
    """Yield where a version is written, and the version."""
    found = re.search(r'__version__ = "(.+)"', (root / "exporter" / "__init__.py").read_text())
    yield "exporter/__init__.py", found[1] if found else "missing"
    chart = root / "deploy" / "helm" / "palette-snapshot-exporter" / "Chart.yaml"
    tree = yaml.safe_load(chart.read_text())
    yield "Chart.yaml version", tree["version"]
    yield "Chart.yaml appVersion", str(tree["appVersion"])
    image = re.search(r"^ARG VERSION=(.+)$", (root / "Dockerfile").read_text(), re.MULTILINE)
    yield "Dockerfile", image[1] if image else "missing"
    for path in sorted((root / "deploy" / "kubernetes").rglob("kustomization.yaml")):
        for each in yaml.safe_load(path.read_text()).get("images", ()):
            yield str(path.relative_to(root)), str(each["newTag"])


def tag(root: Path) -> str | None:
    """Return the version that the commit is tagged with; None without a tag."""
    done = subprocess.run(
        ["git", "-C", root, "describe", "--exact-match", "--tags", "--match", "v[0-9]*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip().removeprefix("v") or None


def complaints(root: Path) -> Iterator[str]:
    """Yield a line for each thing that is not ready for a release."""
    found = dict(versions(root))
    tagged = tag(root)
    wanted = tagged or found["exporter/__init__.py"]
    if tagged and f"## [{tagged}]" not in (root / "CHANGELOG.md").read_text():
        yield f"CHANGELOG.md: has no section for {tagged}. Rename the section Unreleased."
    for where, version in found.items():
        if version != wanted:
            yield f"{where}: version is {version}. Set it to {wanted}."
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for name, url in project["urls"].items():
        if PLACEHOLDER in url:
            yield f"pyproject.toml: project URL {name} is a placeholder. Set the real address."


def main() -> int:
    """Print what does not agree; exit code 1 if anything does not."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    found = list(complaints(root))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
