"""A real Prometheus that scrapes a demo and evaluates the shipped rules; a module shares it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import yaml

from tests.deploy.rules import PROMETHEUS, ROOT
from tests.process import binary, free_port
from tests.yaml_text import loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 30.0

Sample = dict[str, Any]
Answer = TypeVar("Answer")


class Prometheus:
    """A client of Prometheus's API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: str) -> Any:
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=10) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            with error:
                if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
                    raise ConnectionError("still starting") from None
                raise AssertionError(error.read().decode()) from None

    def query(self, expr: str) -> list[Sample]:
        return list(self.get("query", query=expr)["result"])

    def labels(self, expr: str, name: str) -> set[str]:
        return {each["metric"].get(name, "") for each in self.query(expr)}


def eventually(ask: Callable[[], Answer], *, within: float = SECONDS) -> Answer:
    """Repeat until the result is true or the time is over, and return the last result."""
    end = time.monotonic() + within
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(0.1)
    return answer


@contextmanager
def running(log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the end of the block; its output goes to a file."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def configuration(exporter: int, itself: int) -> str:
    """Return the shipped scrape configuration with short times, and each exporter twice.

    Two other jobs run next to it: Prometheus itself, and one that is down.
    """
    shipped = loaded((PROMETHEUS / "prometheus.yml").read_text())
    (job,) = shipped["scrape_configs"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{exporter}", f"localhost:{exporter}"]}]
    others = [
        {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        for name, port in (("prometheus", itself), ("down", 1))
    ]
    hurried = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "3s"}
    rules = [str(PROMETHEUS / "rules" / "*.yaml")]
    scraped = [job, *others]
    return yaml.safe_dump({"global": hurried, "rule_files": rules, "scrape_configs": scraped})


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    path = binary("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    exporter, port = free_port(), free_port()
    config = folder / "prometheus.yml"
    config.write_text(configuration(exporter, port))
    with ExitStack() as stack:
        demo = running(
            folder / "exporter.log",
            *(sys.executable, "-m", "exporter", "--demo", "--refresh.interval=1s"),
            f"--web.listen-address=127.0.0.1:{exporter}",
        )
        server = running(
            folder / "prometheus.log",
            *(path, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"),
            f"--web.listen-address=127.0.0.1:{port}",
        )
        processes = [stack.enter_context(demo), stack.enter_context(server)]
        client = Prometheus(f"http://127.0.0.1:{port}")

        def ready() -> bool:
            assert all(process.poll() is None for process in processes), logs(folder)
            try:
                # Long enough for rates, and for rules that use other rules.
                scrapes = "min(count_over_time(palette_exporter_build_info[1m])) >= 8"
                return bool(
                    client.query(scrapes) and client.query("fleet:palette_vm_protection:ratio")
                )
            except OSError:
                return False

        assert eventually(ready), logs(folder)
        yield client


def logs(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace") for path in folder.glob("*.log"))
