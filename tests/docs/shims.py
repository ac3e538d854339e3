"""Stand-ins for programs that cannot run here as documents write them.

    python -m tests.docs.shims PROGRAM ARGUMENT...

Each runs the real program so that it ends and needs no cluster, registry or fixed port. It fails
if a user's command would fail: at unknown flags, targets, files and objects.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

EXPORTER = "palette-snapshot-exporter"
ENDS = {"--config.check", "--config.check.live", "--config.print", "--version", "--help", "-h"}
NO_CLUSTER = "no-cluster-here"


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the stand-in; 0 if the user's command would do what the document describes."""
    os.environ["PATH"] = os.environ["DOCS_PATH"]
    return SHIMS[program](list(arguments))


def _real(*words: str, given: bytes | None = None) -> int:
    return subprocess.run(words, input=given, check=False).returncode


def _exporter(arguments: list[str]) -> int:
    """Run a command to its end; start, query and stop a server."""
    if ENDS & set(arguments):
        code = subprocess.run([EXPORTER, *arguments], env=_users_environ(), check=False).returncode
        # A live check that found problems: the simulated fleet has some.
        return 0 if code == 1 and "--config.check.live" in arguments else code
    return _served([EXPORTER, *arguments])


def _served(words: list[str]) -> int:
    # Here, because each command is a process, and most do not need this.
    from tests.docs.sandbox import answers, serving

    port = "--web.listen-address=127.0.0.1:0"
    log = Path("exporter.log")
    with serving([*words, port], r"listen=(\S+)", Path.cwd(), _users_environ(), log) as address:
        answers(f"http://{address}/-/ready")
        return 0 if "palette_cluster_up" in answers(f"http://{address}/metrics") else 1


def _users_environ() -> dict[str, str]:
    """Return the environment; dots stand for values that only the reader knows."""
    palette = os.environ["DOCS_PALETTE"]
    stands = {"SPECTROCLOUD_HOST": palette, "SPECTROCLOUD_APIKEY": "demo"}
    dotted = {name: stands[name] for name in stands if os.environ.get(name) in (None, "...")}
    return {**os.environ, **dotted}


def _python(arguments: list[str]) -> int:
    if arguments[:2] == ["-m", "exporter.demo"]:
        return _simulated([sys.executable, *arguments, "--port=0"])
    if arguments[:2] == ["-m", "exporter"]:
        return _exporter(arguments[2:])
    if arguments[:2] == ["-m", "pip"]:
        return _pip(arguments[2:])
    if arguments[:2] == ["-m", "venv"]:
        return _venv(Path(arguments[-1]))
    return _real(sys.executable, *arguments)


def _simulated(words: list[str]) -> int:
    from tests.docs.sandbox import serving

    log = Path("palette.log")
    with serving(words, r"(SPECTROCLOUD_HOST)", Path.cwd(), dict(os.environ), log):
        return 0


def _venv(directory: Path) -> int:
    """Create an environment without pip, which takes most of the time, and add the stand-ins."""
    done = _real(sys.executable, "-m", "venv", "--without-pip", str(directory))
    for name in ("pip", EXPORTER):
        (directory / "bin" / name).symlink_to(Path(".bin").absolute() / name)
    return done


def _pip(arguments: list[str]) -> int:
    """Install the checkout into a directory of its own, without an index."""
    if arguments[:1] == ["install"] and arguments[-2:] == ["-r", "requirements.lock"]:
        return 0 if Path("requirements.lock").is_file() else _fail("there is no requirements.lock")
    if arguments[0] != "install" or arguments[-1] != ".":
        return _fail("only the checkout can be installed: nothing is published")
    offline = "--quiet --no-index --no-deps --no-build-isolation --target=installed"
    return _real(sys.executable, "-m", "pip", "install", *offline.split(" "), ".")


RECIPES: Mapping[str, Sequence[str]] = {
    "test": ("-m pytest", "ruff check", "mypy", "docs/generate.py --check"),
    "lint": ("ruff check", "mypy", "docs/generate.py --check"),
    "docs": ("docs/generate.py",),
    "bench": ("-m benchmarks.api", "-m benchmarks.scrape"),
    "stack": ("deploy/stack/run.py",),
    "dashboards": ("deploy/grafana/build.py",),
    "rules": ("deploy/prometheus/generate_rules.py",),
    "manifests": ("deploy/helm/render.py",),
    "sbom": ("deploy/release/sbom.py",),
    "lock": ("requirements.lock", "requirements-dev.lock", "requirements-build.lock"),
}
"""Targets that are only looked up: they run these tests, need a network or minutes, or have their
tests elsewhere; CI runs `make test`, which includes `lint` and the check of `docs`."""


def _make(arguments: list[str]) -> int:
    target = next((word for word in arguments if "=" not in word), "help")
    if target == "help":
        return _real("make", *arguments)
    dry = subprocess.run(
        ["make", "--dry-run", *arguments], capture_output=True, text=True, check=False
    )
    if dry.returncode:
        return _fail(dry.stderr)
    if target in {"demo", "run"}:
        (line,) = [each for each in dry.stdout.splitlines() if "-m exporter" in each]
        # The environment's own name differs from one run to the next.
        return _served([sys.executable, *line.split()[1:]])
    if target not in RECIPES:
        return _fail(f"nobody says how to run make {target}: see RECIPES")
    if target == "test" and "make test" not in Path(".ci/run").read_text():
        return _fail("CI does not run make test")
    missing = [part for part in RECIPES[target] if part not in dry.stdout]
    return _fail(f"make {target} does not do {missing}") if missing else 0


def _kubectl(arguments: list[str]) -> int:
    """Build what would be applied; send everything else to a server that does not exist.

    kubectl checks its arguments first: with valid ones its error is about the connection.
    """
    verb = next(word for word in _without_namespace(arguments) if not word.startswith("-"))
    if verb == "kustomize":
        return _real("kubectl", *arguments)
    if verb == "apply" and "-k" in arguments:
        return _real("kubectl", "kustomize", arguments[arguments.index("-k") + 1])
    if verb == "create" and "-f" not in arguments:
        for word in arguments:
            if found := re.fullmatch(r"--from-file=(?:[\w.-]+=)?(\S+)", word):
                Path(found[1]).touch()
        return _real("kubectl", *arguments, "--dry-run=client", "--output=yaml")
    return _refused(arguments)


def _without_namespace(arguments: Sequence[str]) -> list[str]:
    return [
        word for before, word in zip(["", *arguments], arguments, strict=False) if before != "-n"
    ]


def _refused(arguments: list[str]) -> int:
    words = ["kubectl", "--server=http://127.0.0.1:9", *arguments]
    given = None if "-f" not in arguments else sys.stdin.read()
    done = subprocess.run(
        words, input=given or "", capture_output=True, text=True, check=False, timeout=30
    )
    if "refused" not in done.stderr:
        return _fail(f"kubectl: {done.stderr}")
    sys.stdout.write(f"{NO_CLUSTER}\n")
    return 0


def _docker(arguments: list[str]) -> int:
    """There is no daemon: compare it with the Dockerfile, compose.yaml and the flags."""
    match arguments[0]:
        case "build":
            named = arguments[arguments.index("-t") + 1] == EXPORTER
            return 0 if named and (Path(arguments[-1]) / "Dockerfile").is_file() else 1
        case "compose":
            return 0 if Path(arguments[arguments.index("-f") + 1]).is_file() else 1
        case "run":
            return _docker_run(arguments)
    return _fail(f"nobody says how to check docker {arguments[0]}")


def _docker_run(arguments: list[str]) -> int:
    image = arguments.index(EXPORTER)
    options = arguments[:image]
    exposed = re.search(r"^EXPOSE (\d+)$", Path("Dockerfile").read_text(), re.MULTILINE)
    ports = [options[at + 1] for at, word in enumerate(options) if word in {"-p", "--publish"}]
    if exposed is None or any(port.rsplit(":", 1)[1] != exposed[1] for port in ports):
        return _fail("a port that the image does not expose")
    from exporter.settings.flags import parse

    parse(arguments[image + 1 :])
    return 0


def _git(arguments: list[str]) -> int:
    """Do nothing: the sandbox has the same files as a clone."""
    if arguments[0] != "clone":
        return _fail("only git clone")
    Path(EXPORTER).symlink_to(".", target_is_directory=True)
    return 0


def _curl(arguments: list[str]) -> int:
    """Query the running exporter, at its own port."""
    address = os.environ["DOCS_EXPORTER"].removeprefix("http://")
    known = re.compile(r"\b(?:localhost|127\.0\.0\.1):10180\b")
    return _real("curl", *(known.sub(address, word) for word in arguments))


def _amtool(arguments: list[str]) -> int:
    """Run it with an Alertmanager that has the shipped configuration."""
    from tests.docs.sandbox import serving

    words = ["prometheus-alertmanager", "--config.file=deploy/alertmanager/alertmanager.yml"]
    words += ["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]
    words += ["--storage.path=alertmanager"]
    pattern, log = r'msg="Listening on" address=(\S+)', Path("alertmanager.log")
    with serving(words, pattern, Path.cwd(), dict(os.environ), log) as address:
        return _real("amtool", *(each.replace("localhost:9093", address) for each in arguments))


def _grep(arguments: list[str]) -> int:
    """Search the input; the commands of a cluster that does not exist give none."""
    given = sys.stdin.buffer.read() if not sys.stdin.isatty() else b""
    return _real("grep", *arguments, given=given) if NO_CLUSTER.encode() not in given else 0


def _journalctl(arguments: list[str]) -> int:
    return 0 if arguments[:2] == ["-u", EXPORTER] else _fail("another unit than the exporter's")


def _fail(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


SHIMS: Mapping[str, Callable[[list[str]], int]] = {
    "amtool": _amtool,
    "curl": _curl,
    "docker": _docker,
    "git": _git,
    "grep": _grep,
    "journalctl": _journalctl,
    "kubectl": _kubectl,
    "make": _make,
    EXPORTER: _exporter,
    "pip": _pip,
    "python": _python,
    "python3": _python,
}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))
