"""The package, the locks and the image, as far as they can be checked without a network."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from exporter.settings import load
from tests.process import ROOT, SCRIPT, finished

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def name_of(requirement: str) -> str:
    """Return the name of a requirement, as package indexes compare names."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def pins(lock: Path) -> dict[str, str]:
    """Return the name of each package -> its lines in the lock, joined."""
    text = re.sub(r"\s*\\\n\s*", " ", lock.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name_of(line): line for line in lines}


def test_there_is_a_lock_to_run_to_build_and_to_develop() -> None:
    names = ["requirements-build.lock", "requirements-dev.lock", "requirements.lock"]
    assert [lock.name for lock in LOCKS] == names


def test_the_locks_have_hashes_for_both_architectures() -> None:
    """Compiled code has a wheel for each architecture and Python, so it has more hashes."""
    for name in ("aiohttp", "pydantic-core", "uvloop", "isal", "bcrypt", "msgspec"):
        assert pins(ROOT / "requirements.lock")[name].count("--hash=") > 20, name


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_each_package_by_hash_and_names_no_index(lock: Path) -> None:
    found = pins(lock)
    assert found
    for line in found.values():
        pinned = r"[\w.-]+(\[[\w,-]+\])?==[\w.!+]+( ; [^@]+?)?( --hash=sha256:[0-9a-f]{64})+"
        assert re.fullmatch(pinned, line), line
    assert not re.search(
        r"https?://|index-url|find-links|trusted-host|(^|\s)-[rice]\s", lock.read_text()
    )


def test_the_lock_holds_what_the_package_needs() -> None:
    needed = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    locked, for_development = pins(ROOT / "requirements.lock"), pins(ROOT / "requirements-dev.lock")
    assert needed <= locked.keys()
    versions = {name: line.split(" ")[0] for name, line in locked.items()}
    again = {name: for_development[name].split(" ")[0] for name in locked}
    assert again == versions


def test_the_console_script_is_the_command() -> None:
    assert PROJECT["scripts"] == {"palette-snapshot-exporter": "exporter.cli:main"}
    assert Path(SCRIPT[0]).is_file()
    assert finished("--version", command=SCRIPT).stdout == finished("--version").stdout


def test_the_wheel_holds_the_package_its_types_and_no_tests(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-build-isolation", "--disable-pip-version-check", "-w", str(tmp_path), "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
        if (ROOT / ".git").exists():
            revision = archive.read("exporter/REVISION").decode()
            assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?\n", revision)
    assert "exporter/py.typed" in names
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "exporter").rglob("*.py")}
    pages = (ROOT / "exporter" / "web" / "status" / "templates").iterdir()
    assert ours | {str(path.relative_to(ROOT)) for path in pages} <= set(names)
    documents = {f"exporter/docs/{path.stem}.html" for path in (ROOT / "docs").glob("*.md")}
    assert documents <= set(names)
    assert not [name for name in names if "test" in name or "__pycache__" in name]
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"exporter"}
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: <3.15,>=3.11" in metadata


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile."""
    text = re.sub(r"\s*\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = (line.partition(" ") for line in lines)
    return [(word.upper(), rest.strip()) for word, _, rest in pairs]


def test_the_image_is_built_in_stages_and_runs_as_nobody_without_a_shell() -> None:
    said = instructions()
    stages = [index for index, (word, _) in enumerate(said) if word == "FROM"]
    assert len(stages) >= 2
    last = said[stages[-1] :]
    of = dict(last)
    user = re.fullmatch(r"(\d+)(:\d+)?", of["USER"])
    assert user
    assert int(user[1]) > 0
    assert re.fullmatch(r'\["palette-snapshot-exporter"\]', of["ENTRYPOINT"])
    assert of["HEALTHCHECK"].endswith('CMD ["palette-snapshot-exporter", "--health"]')
    assert [rest for word, rest in last if word == "COPY" and "--from=environment" in rest]
    assert "RUN" not in of
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", of["LABEL"]))
    assert {"title", "description", "licenses", "source", "version", "revision"} <= labels
    assert not [rest for word, rest in said if word == "FROM" and ":latest" in rest]
    installs = [rest for word, rest in said if word == "RUN" and "requirements" in rest]
    assert installs
    assert all(rest.count("install") == rest.count("--require-hashes") for rest in installs)


def test_the_image_is_built_only_from_needed_files() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied <= let_in


def test_the_version_on_the_image_is_the_packages() -> None:
    version = finished("--version").stdout.split()[2]
    assert ("ARG", f"VERSION={version}") in instructions()


def test_the_example_can_be_used(tmp_path: Path) -> None:
    example = ROOT / "config.example.yaml"
    assert load(config_file=example, environ={"SPECTROCLOUD_APIKEY": "key"}).targets
    copy = tmp_path / "config.yaml"
    copy.write_text(example.read_text())
    done = finished(
        f"--config.file={copy}", "--config.check", environ={"SPECTROCLOUD_APIKEY": "key"}
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_generated_documents_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_build_stage_installs_only_the_tools_that_build_the_wheel() -> None:
    build_system = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert groups["build"] == build_system
    locks = {word for _, rest in instructions() for word in rest.split() if word.endswith(".lock")}
    assert locks == {"requirements.lock", "requirements-build.lock"}
    assert not {"mypy", "playwright", "pytest"} & pins(ROOT / "requirements-build.lock").keys()


def test_a_release_agrees_about_its_version(tmp_path: Path) -> None:
    check = ROOT / "deploy" / "release" / "check.py"
    done = subprocess.run(
        [sys.executable, check], capture_output=True, text=True, timeout=60, check=False
    )
    problems = [line for line in done.stderr.splitlines() if "project URL" not in line]
    assert problems == []


def test_the_metadata_has_the_addresses_of_the_project() -> None:
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= PROJECT["urls"].keys()
