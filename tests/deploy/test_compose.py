"""The compose file, the stack without containers, and the image."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.conftest import runner
from tests.deploy.rules import ROOT
from tests.process import binary
from tests.yaml_text import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = loaded((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RUN = DEPLOY / "stack" / "run.py"
PROGRAMS = ("exporter", "prometheus", "alertmanager")
SECONDS = 30.0


# The containers.


def test_everything_is_there() -> None:
    assert SERVICES.keys() == {"exporter", "prometheus", "alertmanager", "grafana"}


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_a_version(service: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", SERVICES[service]["image"])


@pytest.mark.parametrize("service", SERVICES)
def test_mounted_files_exist(service: str) -> None:
    for volume in SERVICES[service].get("volumes", []):
        source, _, mode = volume.split(":") if volume.count(":") == 2 else (*volume.split(":"), "")
        if source.startswith("."):
            assert (DEPLOY / source).is_dir()
            assert mode == "ro"
        else:
            assert source in COMPOSE["volumes"]


def test_the_image_is_built_from_the_dockerfile() -> None:
    context = DEPLOY / SERVICES["exporter"]["build"]["context"]
    assert (context / "Dockerfile").samefile(ROOT / "Dockerfile")
    assert SERVICES["exporter"]["command"] == ["--demo"]


def test_only_this_machine_gets_in() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert {port.split(":")[0] for port in ports} == {"127.0.0.1"}
    assert {port.split(":")[2] for port in ports} == {"10180", "9090", "9093", "3000"}


def test_localhost_means_the_same_to_all() -> None:
    for name, service in SERVICES.items():
        assert name == "exporter" or service["network_mode"] == "service:exporter"


@pytest.mark.parametrize("service", ["prometheus", "alertmanager"])
def test_the_configuration_is_where_it_is_looked_for(service: str) -> None:
    (path,) = [
        argument.removeprefix("--config.file=")
        for argument in SERVICES[service]["command"]
        if argument.startswith("--config.file=")
    ]
    assert mounted(service, path).is_file()


def test_grafana_finds_the_provisioned_files() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert mounted("grafana", environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()
    (provider,) = loaded(
        mounted("grafana", "/etc/grafana/provisioning/dashboards/palette.yaml").read_text()
    )["providers"]
    assert [*mounted("grafana", provider["options"]["path"]).glob("*.json")]
    (source,) = loaded(
        mounted("grafana", "/etc/grafana/provisioning/datasources/prometheus.yaml").read_text()
    )["datasources"]
    assert source["url"].strip("${}") in environment


def mounted(service: str, path: str) -> Path:
    """Return the file in the repository that a container has at a path."""
    for volume in SERVICES[service]["volumes"]:
        source, target = volume.split(":")[:2]
        if source.startswith(".") and path.startswith(target):
            return DEPLOY / str(source) / path.removeprefix(target).lstrip("/")
    raise AssertionError(f"{path} is not mounted")


def test_the_dockerfile_is_clean() -> None:
    # The virtual environment has it, and might not be on the path.
    hadolint = runner(str(Path(sys.executable).with_name("hadolint")))
    hadolint("--failure-threshold=style", ROOT / "Dockerfile")


# The stack without containers.


@contextmanager
def stack(**environment: str) -> Iterator[subprocess.Popen[str]]:
    ports = [f"--{name}-port={port}" for name, port in zip(PROGRAMS, free_ports(), strict=True)]
    process = subprocess.Popen(
        [sys.executable, RUN, *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def free_ports() -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in PROGRAMS]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def answer(url: str) -> Any:
    """Return the JSON at a URL, or None if nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return json.load(response)
    except OSError:
        return None


def test_the_stack_runs_until_it_is_interrupted(tmp_path: Path) -> None:
    binary("prometheus")
    binary("prometheus-alertmanager", "alertmanager")
    with stack(TMPDIR=str(tmp_path)) as process:
        assert process.stdout
        urls = [re.search(r"http://\S+", process.stdout.readline()) for _ in ("page", *PROGRAMS)]
        page, exporter, prometheus, alertmanager = (found[0] for found in urls if found)
        assert exporter == f"{page}metrics"
        eventually_answers(f"{alertmanager}api/v2/status")
        found = eventually_answers(f"{prometheus}api/v1/alertmanagers", "activeAlertmanagers")
        assert found["activeAlertmanagers"][0]["url"].startswith(alertmanager)
        (target,) = eventually_answers(f"{prometheus}api/v1/targets", "activeTargets")[
            "activeTargets"
        ]
        assert target["scrapeUrl"] == exporter
        rules = eventually_answers(f"{prometheus}api/v1/rules", "groups")["groups"]
        assert {rule["health"] for group in rules for rule in group["rules"]} <= {"ok", "unknown"}
        assert {rule["type"] for group in rules for rule in group["rules"]} == {
            "alerting",
            "recording",
        }
        waits = {rule.get("duration", 0) for group in rules for rule in group["rules"]}
        assert max(waits) == 30, "alerts of the demo fire within two minutes"
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
        assert process.stderr
        assert not process.stderr.read()
    assert answer(exporter) is answer(prometheus) is None
    assert not [*tmp_path.iterdir()]


def eventually_answers(url: str, key: str = "") -> Any:
    """Return the JSON at a URL, once its data has something under the key."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = answer(url)
        if found is not None and not key:
            return found
        if found is not None and found["data"][key]:
            return found["data"]
        time.sleep(0.1)
    raise AssertionError(f"nothing at {url}")


def test_the_stack_reports_a_missing_program(tmp_path: Path) -> None:
    with stack(PATH=str(tmp_path)) as process:
        _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "apt install prometheus prometheus-alertmanager" in said
    assert "Traceback" not in said


def test_the_stack_says_which_port_is_taken(tmp_path: Path) -> None:
    binary("prometheus")
    binary("prometheus-alertmanager", "alertmanager")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, RUN, f"--exporter-port={port}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    assert done.returncode == 1
    assert f"port {port} (exporter) is in use" in done.stderr
    assert f"make stack EXPORTER_PORT={port + 1}" in done.stderr
    assert "Traceback" not in done.stderr
