"""A real Prometheus scrapes the real exporter and is queried over its HTTP API."""

from pathlib import Path
from typing import Any

import yaml

from exporter.demo.documents import requested, vm_document
from exporter.demo.stages import snapshot_document
from tests.monitoring import prometheus, query
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import binary, eventually, ready, running
from tests.web.running import target

CLUSTER, NAME, PROJECT = "6540a1b2c3d4e5f600000001", "prod-east", "65f0c0ffee00000000000001"
ODD = 'quo"te\\slash\nline-ü'


def scraping(url: str) -> dict[str, Any]:
    """Return a configuration that scrapes an address every second."""
    job = {
        "job_name": "palette",
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "static_configs": [{"targets": [url.removeprefix("http://")]}],
    }
    return {"scrape_configs": [job]}


def identity(labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in {"job", "instance"}}


async def test_prometheus_knows_which_snapshots_are_ready(tmp_path: Path) -> None:
    # First, because a test that is skipped must start nothing.
    binary("prometheus")
    world = World.empty()
    world.add_cluster(CLUSTER, NAME, PROJECT)
    documents = [
        snapshot_document(name="nightly", vm="db-01"),
        requested(name="adhoc", vm="db-01"),
        snapshot_document(name=f"of {ODD}", vm=ODD),
    ]
    for document in documents:
        world.put_vm(CLUSTER, vm_document(name=document["spec"]["source"]["name"]))
        world.put_snapshot(CLUSTER, document)
    async with PaletteServer(world, limits=None) as palette:
        whole = {"cluster_uid": CLUSTER, "cluster_name": NAME}
        tree = {
            "palette": {"url": palette.url, "api_key": API_KEY},
            "refresh": {"interval": "1s"},
            # Targets refuse such a name, so its cluster is the target.
            "targets": [whole, target(documents[1], CLUSTER)],
        }
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump(tree))
        flags = (f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
        async with running(*flags, directory=tmp_path) as exporter:
            url = await exporter.url()
            await eventually(lambda: ready(url))
            async with prometheus(tmp_path, scraping(url)) as server:
                found = await eventually(
                    lambda: query(server, "palette_vm_snapshot_ready"), within=30
                )
                cluster = {"cluster_uid": CLUSTER, "cluster_name": NAME, "namespace": "vms"}
                assert {(each["metric"]["snapshot"], each["value"][1]) for each in found} == {
                    ("nightly", "1"),
                    ("adhoc", "0"),
                    (f"of {ODD}", "1"),
                }
                for each in found:
                    labels = identity(each["metric"])
                    vm = ODD if labels["snapshot"] == f"of {ODD}" else "db-01"
                    assert labels == {
                        "__name__": "palette_vm_snapshot_ready",
                        **cluster,
                        "vm": vm,
                        "snapshot": labels["snapshot"],
                    }
                await it_sees_changes_and_what_is_gone(server, world)
                (up,) = await query(server, 'up{job="palette"}')
                assert up["value"][1] == "1"


async def it_sees_changes_and_what_is_gone(server: str, world: World) -> None:
    adhoc = 'palette_vm_snapshot_ready{snapshot="adhoc"}'
    world.put_snapshot(CLUSTER, snapshot_document(name="adhoc", vm="db-01"))
    await eventually(lambda: query(server, f"{adhoc} == 1"))
    world.delete_snapshot(CLUSTER, "vms", "adhoc")
    await eventually(lambda: query(server, 'palette_vm_snapshot_up{snapshot="adhoc"} == 0'))
    assert not await query(server, adhoc)
