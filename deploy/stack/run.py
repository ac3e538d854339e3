"""Runs a demo of the exporter, Prometheus and Alertmanager on this machine, until Ctrl-C.

It is deploy/compose.yaml without containers, and its alerts fire after 30 s instead of the shipped
minutes.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTMANAGER = ROOT / "deploy" / "alertmanager"
HOST = "127.0.0.1"
PORTS: Mapping[str, int] = {"exporter": 10180, "prometheus": 9090, "alertmanager": 9093}
"""The default ports, those of the shipped configuration of Prometheus."""

WAIT = "30s"
"""`for` of each alert, so that all fire within two minutes."""

INTERVAL = "10s"
"""Between scrapes, and between evaluations of the rules."""

PACKAGES = (
    ("prometheus", ("prometheus",)),
    ("prometheus-alertmanager", ("prometheus-alertmanager", "alertmanager")),
)
"""Debian's packages, and the names of the program in each."""

PATIENCE = 10.0
"""Seconds that a program has to end after SIGTERM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to run."""

    name: str
    command: Sequence[str | Path]


class CannotStartError(Exception):
    """The sentence says what is missing and what to do."""


def main() -> int:
    """Run everything until Ctrl-C or SIGTERM; return 1 if a program is missing or has ended."""
    ports = _ports()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with tempfile.TemporaryDirectory(prefix="palette-stack-") as folder:
            programs = _programs(Path(folder), ports)
            return _run(programs, Path(folder), _welcome(ports), stop)
    except CannotStartError as problem:
        print(f"make stack: {problem}", file=sys.stderr)
        return 1


def _ports() -> Mapping[str, int]:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, port in PORTS.items():
        parser.add_argument(
            f"--{name}-port", dest=name, type=int, default=port, help=f"Default: {port}."
        )
    return vars(parser.parse_args())


def _programs(folder: Path, ports: Mapping[str, int]) -> list[Program]:
    prometheus, alertmanager = _found()
    _check_free(ports)
    at = {name: f"{HOST}:{port}" for name, port in ports.items()}
    configuration = folder / "prometheus.yml"
    configuration.write_text(_configuration(at, _rules(folder)))
    exporter = [sys.executable, "-m", "exporter", "--demo"]
    return [
        Program(name="exporter", command=[*exporter, f"--web.listen-address={at['exporter']}"]),
        Program(
            name="prometheus",
            command=[
                prometheus,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address={at['prometheus']}",
                f"--web.external-url=http://{at['prometheus']}/",
            ],
        ),
        Program(
            name="alertmanager",
            command=[
                alertmanager,
                f"--config.file={ALERTMANAGER / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address={at['alertmanager']}",
                f"--web.external-url=http://{at['alertmanager']}/",
                # A single Alertmanager needs no port for a cluster.
                "--cluster.listen-address=",
            ],
        ),
    ]


def _rules(folder: Path) -> Path:
    """Generate the shipped rules with short waits and return their directory."""
    rules = folder / "rules"
    generate = [sys.executable, str(PROMETHEUS / "generate_rules.py")]
    options = [f"--output={rules}", f"--for-all={WAIT}"]
    environ = _environment() | {"PYTHONPATH": str(ROOT)}
    subprocess.run([*generate, *options], env=environ, check=True)
    (rules / "prometheusrule.yaml").unlink()  # for Kubernetes
    return rules


def _configuration(at: Mapping[str, str], rules: Path) -> str:
    """Return the shipped configuration of Prometheus with these addresses and rules."""
    shipped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    shipped["global"] |= {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
    shipped["rule_files"] = [f"{rules}/*.yaml"]
    (server,) = shipped["alerting"]["alertmanagers"]
    server["static_configs"] = [{"targets": [at["alertmanager"]]}]
    (job,) = shipped["scrape_configs"]
    job["static_configs"] = [{"targets": [at["exporter"]]}]
    return yaml.safe_dump(shipped)


def _found() -> list[str]:
    """Return the paths of the programs to run."""
    paths = {package: _first(names) for package, names in PACKAGES}
    missing = [package for package, path in paths.items() if path is None]
    if missing:
        raise CannotStartError(
            f"{' and '.join(missing)} cannot be found. On Debian: apt install "
            f"{' '.join(missing)}. With Docker: docker compose -f deploy/compose.yaml up"
        )
    return [path for path in paths.values() if path]


def _first(names: Sequence[str]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def _check_free(ports: Mapping[str, int]) -> None:
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                # Debian starts the services of its packages when they are installed.
                raise CannotStartError(
                    f"port {port} ({name}) is in use. Stop the program that uses it, or: "
                    f"make stack {name.upper()}_PORT={port + 1}"
                ) from error


def _run(programs: Sequence[Program], folder: Path, welcome: str, stop: threading.Event) -> int:
    with ExitStack() as running:
        processes = {each.name: _start(each, folder, running) for each in programs}
        print(welcome, flush=True)
        while not stop.wait(0.2):
            for name, process in processes.items():
                if process.poll() is not None:
                    print(f"{name} has ended:\n{_tail(folder / f'{name}.log')}", file=sys.stderr)
                    return 1
        print("stopping", flush=True)
        return 0


def _start(program: Program, folder: Path, running: ExitStack) -> "subprocess.Popen[bytes]":
    log = running.enter_context((folder / f"{program.name}.log").open("wb"))
    # A new session, so that Ctrl-C reaches only this process, which ends the others in order.
    process = subprocess.Popen(
        [*map(str, program.command)],
        cwd=ROOT,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=_environment(),
    )
    running.callback(_end, process)
    return process


def _environment() -> dict[str, str]:
    """Return this environment without settings of the exporter, which the demo refuses."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PALETTE_EXPORTER_", "SPECTROCLOUD_"))
    }


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


def _welcome(ports: Mapping[str, int]) -> str:
    at = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
    return f"""\
Status page   {at["exporter"]}/
Metrics       {at["exporter"]}/metrics
Prometheus    {at["prometheus"]}/
Alertmanager  {at["alertmanager"]}/
              amtool --alertmanager.url={at["alertmanager"]} alert (Debian's has no web page)
Alerts fire after {WAIT} in this demo; the shipped rules wait for minutes.
Press Ctrl-C to stop everything. Nothing is kept."""


if __name__ == "__main__":
    raise SystemExit(main())
