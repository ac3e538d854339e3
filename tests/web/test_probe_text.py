"""The text of a probe: formats, encodings, and its validity for promtool and Prometheus."""

import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.monitoring import prometheus, query
from tests.palette_server.server import PaletteServer
from tests.palette_server.world import World
from tests.probes import DURATION, SUCCESS, Answered, probe
from tests.process import ROOT, binary, eventually
from tests.web.running import Exporter, exporter_of
from tests.web.test_app import OPENMETRICS_TYPE, TEXT_TYPE
from tests.web.test_negotiation import PROMETHEUS_3

CLUSTER, PROJECT = "654000000000000000000001", "65f0c0ffee00000000000001"
VM = {"cluster_uid": CLUSTER, "namespace": "vms", "vm": "db-02"}
SNAPSHOT = {**VM, "vm": "db-01", "snapshot": "before-upgrade"}
FORMATS = [("", TEXT_TYPE, parse_text), (PROMETHEUS_3, OPENMETRICS_TYPE, parse_openmetrics)]


@pytest.fixture
def world() -> World:
    world = World.empty()
    world.add_cluster(CLUSTER, 'the "best"\\cluster\nof ünï', PROJECT)
    for vm, snapshot in (("db-01", "before-upgrade"), ("db-02", "nightly")):
        world.put_vm(CLUSTER, vm_document(name=vm))
        world.put_snapshot(CLUSTER, snapshot_document(name=snapshot, vm=vm))
    return world


@pytest.fixture
async def exporter(world: World) -> AsyncIterator[Exporter]:
    async with (
        PaletteServer(world, limits=None) as palette,
        exporter_of(palette, [{"cluster_uid": CLUSTER}]) as exporter,
    ):
        await exporter.ready()
        yield exporter


def lasting(answer: Answered) -> list[str]:
    passing = (DURATION + " ", "palette_vm_snapshot_age_seconds{")
    return [line for line in answer.text.splitlines() if not line.startswith(passing)]


@pytest.mark.parametrize(("accept", "content_type", "parse"), FORMATS)
@pytest.mark.parametrize("asked", [VM, SNAPSHOT, {**VM, "vm": "no-such"}])
async def test_format_and_encoding_are_negotiated_as_for_metrics(
    exporter: Exporter,
    asked: dict[str, str],
    accept: str,
    content_type: str,
    parse: Callable[[str], Any],
) -> None:
    plain = await probe(exporter.url, asked, Accept=accept, **{"Accept-Encoding": "identity"})
    packed = await probe(exporter.url, asked, Accept=accept, **{"Accept-Encoding": "gzip"})
    for answer in (plain, packed):
        assert answer.headers["Content-Type"] == content_type
        assert answer.headers["Vary"] == "Accept, Accept-Encoding"
        families = list(parse(answer.text))
        assert [each.name for each in families][:2] == [SUCCESS, DURATION]
        assert all(each.documentation and each.type == "gauge" for each in families)
        assert len({each.name for each in families}) == len(families)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert lasting(packed) == lasting(plain)


@pytest.mark.parametrize("asked", [VM, SNAPSHOT, {**VM, "vm": "no-such"}])
async def test_promtool_finds_nothing_to_complain_of(
    exporter: Exporter, asked: dict[str, str]
) -> None:
    promtool = binary("promtool")
    answer = await probe(exporter.url, asked)
    assert answer.status == 200
    checked = subprocess.run(  # noqa: ASYNC221 - it takes no time
        [promtool, "check", "metrics"],
        input=answer.text,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def job_of_the_documents() -> dict[str, Any]:
    """Return the scrape job for probes of docs/probe.md."""
    blocks = (ROOT / "docs" / "probe.md").read_text().split("```yaml\n")[1:]
    texts = [block.partition("```")[0] for block in blocks]
    (text,) = [text for text in texts if "metrics_path: /probe" in text]
    (job,) = yaml.safe_load(text)["scrape_configs"]
    return dict(job)


async def test_prometheus_probes_with_the_job_of_the_documents(
    exporter: Exporter, tmp_path: Path
) -> None:
    binary("prometheus")
    job = job_of_the_documents()
    # Its clusters differ from those here.
    targets = [f"{CLUSTER}/vms/db-01/before-upgrade", f"{CLUSTER}/vms/db-02"]
    (group,) = job["static_configs"]
    assert [each.count("/") for each in group["targets"]] == [3, 2]
    assert job["relabel_configs"][-1]["replacement"] == "localhost:10180"
    job["relabel_configs"][-1]["replacement"] = exporter.url.removeprefix("http://")
    ours = {**job, "static_configs": [{"targets": targets}]}
    quick = {**ours, "scrape_interval": "1s", "scrape_timeout": "1s"}
    async with prometheus(tmp_path, {"scrape_configs": [quick]}) as server:
        good = await eventually(lambda: both(server), within=30)
        assert {each["metric"]["instance"] for each in good} == set(targets)
        ready = await query(server, "palette_vm_snapshot_ready == 1")
        assert {
            tuple(each["metric"][name] for name in ("instance", "namespace", "vm", "snapshot"))
            for each in ready
        } == {
            (f"{CLUSTER}/vms/db-01/before-upgrade", "vms", "db-01", "before-upgrade"),
            (f"{CLUSTER}/vms/db-02", "vms", "db-02", "nightly"),
        }


async def both(server: str) -> list[dict[str, Any]]:
    found = await query(server, f"{SUCCESS} == 1")
    return found if len(found) == 2 else []
