"""Each known document of Palette gives exactly the series of its golden file.

After an intended change, UPDATE_GOLDEN=1 writes the files again; check the difference line by
line.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.demo.documents import vm_document
from tests.palette_server.server import PaletteServer
from tests.palette_server.world import World
from tests.payloads import SNAPSHOTS, payload
from tests.process import scrape
from tests.web.running import exporter_of, target

GOLDEN = Path(__file__).parent / "golden"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))

CLUSTER, NAME, PROJECT = "6540a1b2c3d4e5f600000001", "prod-east", "65f0c0ffee00000000000001"
NOW = 1_795_176_000.25
"""2026-11-20T12:00:00.25Z: ten hours after most of the snapshots were requested."""


def golden(name: str) -> list[str]:
    return (GOLDEN / f"{name}.txt").read_text().splitlines()


def world_of(documents: Iterable[Mapping[str, Any]]) -> World:
    """Return a cluster with these snapshots and their VMs; without a VM, Palette answers 500."""
    world = World.empty()
    world.add_cluster(CLUSTER, NAME, PROJECT)
    for document in documents:
        name = document["spec"]["source"]["name"]
        world.put_vm(CLUSTER, vm_document(namespace="vms", name=name))
        world.put_snapshot(CLUSTER, document)
    return world


async def exposed(
    documents: Iterable[Mapping[str, Any]], targets: list[dict[str, str]], call: str
) -> list[str]:
    """Return the text about machines and snapshots; call: the only allowed one."""
    async with PaletteServer(world_of(documents)) as palette:
        async with exporter_of(palette, targets, wall=lambda: NOW) as exporter:
            await exporter.ready()
            text = await scrape(exporter.url)
        assert {request.endpoint for request in palette.requests} == {call}
    return [line for line in text.splitlines() if "palette_vm_" in line]


def named(document: Mapping[str, Any]) -> dict[str, str]:
    return target(document, CLUSTER, cluster_name=NAME, project_uid=PROJECT)


def samples(lines: Iterable[str]) -> list[str]:
    """Return the samples, sorted by text; fails if a family lacks its header."""
    found: list[str] = []
    header: list[str] = []
    for line in lines:
        if line.startswith("#"):
            header = [*header[-1:], line]
            continue
        family = line.partition("{")[0]
        assert header[0].startswith(f"# HELP {family} ")
        assert header[1] == f"# TYPE {family} gauge"
        found.append(line)
    return found


@pytest.mark.parametrize("name", SNAPSHOTS)
async def test_a_single_document_gives_its_golden_series(name: str) -> None:
    document = payload(name)
    text = await exposed([document], [named(document)], "get_snapshot")
    if UPDATE:
        (GOLDEN / f"{name}.txt").write_text("".join(f"{line}\n" for line in samples(text)))
    assert samples(text) == golden(name)


@pytest.mark.parametrize("name", SNAPSHOTS)
async def test_a_document_in_a_list_gives_the_same(name: str) -> None:
    neighbour = "ready-with-old-error" if name != "ready-with-old-error" else "just-requested"
    documents = [payload(name), payload(neighbour)]
    text = await exposed(documents, [named(each) for each in documents], "list_snapshots")
    assert sorted(samples(text)) == sorted([*golden(name), *golden(neighbour)])


async def test_all_documents_of_one_list_give_the_same_together() -> None:
    documents = payload("list-page")["items"]
    files = {each["metadata"]["name"]: name for name, each in SNAPSHOTS.items()}
    expected = [
        line for document in documents for line in golden(files[document["metadata"]["name"]])
    ]
    text = await exposed(documents, [named(each) for each in documents], "list_snapshots")
    assert sorted(samples(text)) == sorted(expected)


async def test_a_missing_snapshot_is_not_up_and_has_no_other_series() -> None:
    """Read by the call for one snapshot, and by a list with only another snapshot."""
    there, gone = payload("just-requested"), payload("succeeded-online")
    machine_only = world_of([gone])
    machine_only.delete_snapshot(CLUSTER, "vms", gone["metadata"]["name"])
    down = (
        f'palette_vm_snapshot_up{{cluster_uid="{CLUSTER}",cluster_name="{NAME}",'
        'namespace="vms",vm="db-01",snapshot="db-01-nightly"} 0'
    )
    async with (
        PaletteServer(machine_only) as palette,
        exporter_of(palette, [named(gone)], wall=lambda: NOW) as exporter,
    ):
        await exporter.ready()
        text = await scrape(exporter.url)
        assert samples(line for line in text.splitlines() if "palette_vm_" in line) == [down]
        assert f'palette_cluster_up{{cluster_uid="{CLUSTER}",cluster_name="{NAME}"}} 1\n' in text
    listed = await exposed([there], [named(there), named(gone)], "list_snapshots")
    assert sorted(samples(listed)) == sorted([*golden("just-requested"), down])


def test_there_is_a_golden_file_for_each_document_and_no_other() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(SNAPSHOTS)
