"""Owners, labels and denied families, from the settings to every answer that has series."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.harness import EAST, WEST, Running, exporting, put, target, tenant
from tests.palette_server.world import World

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
TARGETS = [target(EAST, cluster_name="prod-east"), target(f"{WEST}/vms/db-01/a")]
LABELS = {"owner": "example.com/owner", "vm": ["tier", "example.com/owner"]}


@pytest.fixture
def world() -> World:
    world = tenant()
    put(world, "db-01", "a", labels={"example.com/owner": "team-a", "tier": "gold"})
    put(world, "web-01", "b")
    put(world, "db-01", "a", cluster=WEST, labels={"example.com/owner": "team-a"})
    return world


async def answers(exporter: Running) -> Mapping[str, list[str]]:
    """Return the lines of samples in both formats, and of a probe."""
    probe = f"/probe?cluster_uid={EAST}&namespace=vms&vm=db-01"
    found = {}
    for name, path, headers in (
        ("text", "/metrics", {}),
        ("OpenMetrics", "/metrics", OPENMETRICS),
        ("probe", probe, {}),
        ("probe in OpenMetrics", probe, OPENMETRICS),
    ):
        async with exporter.session.get(exporter.url + path, headers=headers) as response:
            assert response.status == 200
            found[name] = (await response.text()).split("\n")
    return found


def of_vm(lines: list[str], vm: str) -> list[str]:
    return [line for line in lines if line.startswith("palette_vm_") and f'vm="{vm}"' in line]


async def test_the_owner_of_a_vm_is_on_its_series_and_its_snapshots(world: World) -> None:
    async with exporting(world, targets=TARGETS, labels=LABELS) as exporter, exporter.loops():
        for name, lines in (await answers(exporter)).items():
            east = [line for line in of_vm(lines, "db-01") if f'"{EAST}"' in line]
            assert len(east) > 20, name
            assert all('owner="team-a"' in line for line in east), name
            # The VM of a snapshot that a target names is not read.
            west = [line for line in of_vm(lines, "db-01") if f'"{WEST}"' in line]
            others = of_vm(lines, "web-01") + west
            assert not any("owner=" in line.partition("}")[0] for line in others), name
        scrape = await exporter.reload(labels={})
        assert scrape.series("palette_vm_info")
        for lines in (await answers(exporter)).values():
            assert not any("owner=" in line for line in lines)
        assert not scrape.series("palette_vm_labels")


async def test_labels_of_vms_are_series_of_their_own(world: World) -> None:
    async with exporting(world, targets=TARGETS, labels=LABELS) as exporter:
        scrape = await exporter.refresh()
        found = scrape.series("palette_vm_labels")
        labels = {
            dict(each)["vm"]: {key: value for key, value in each if key.startswith("label_")}
            for each in found
        }
        assert set(found.values()) == {1.0}
        assert labels == {
            "db-01": {"label_tier": "gold", "label_example_com_owner": "team-a"},
            "web-01": {},
        }


@pytest.mark.parametrize(
    "deny", [["palette_vm_snapshot_(condition|phase).*"], ["palette_.*"], ["palette_vm_labels"]]
)
async def test_a_denied_family_is_in_no_answer(deny: list[str], world: World) -> None:
    def denied(lines: list[str]) -> list[str]:
        names = [re.sub(r"^# \w+ ", "", line).partition(" ")[0].partition("{")[0] for line in lines]
        return [name for name in names if any(re.fullmatch(each, name) for each in deny)]

    metrics: dict[str, Any] = {"deny": deny}
    async with exporting(world, targets=TARGETS, labels=LABELS) as exporter, exporter.loops():
        before = await answers(exporter)
        assert denied(before["text"])
        await exporter.reload(metrics=metrics)
        for name, lines in (await answers(exporter)).items():
            assert not denied(lines), name
        await exporter.reload(metrics={})
        after = await answers(exporter)
        assert len(denied(after["text"])) == len(denied(before["text"]))
