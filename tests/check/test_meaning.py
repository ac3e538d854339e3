"""The text of `--config.check`."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.check.meaning import USED_BY_NOTHING, Meaning
from exporter.metrics.exposition import FAMILIES
from exporter.refresh.targets import by_cluster
from exporter.runtime.parts import render_options, targets
from exporter.settings import Settings
from tests.process import ROOT, finished

EAST, WEST, NORTH = "6540a1", "6540a2", "6540a3"
DEFAULT: dict[str, Any] = {"palette": {"api_key": "c4n4ry-S3CR3T-9f"}}
SCREEN = 24


def meaning(**sections: Any) -> list[str]:
    settings = Settings.model_validate({**DEFAULT, **sections})
    return list(
        Meaning(
            settings=settings,
            configured=by_cluster(targets(settings)),
            options=render_options(settings),
        ).lines()
    )


def row(lines: list[str], uid: str) -> str:
    (found,) = [line for line in lines if line.startswith(f"  {uid} ")]
    return found


def line(lines: list[str], word: str) -> str:
    (found,) = [each for each in lines if each.startswith(f"{word}:")]
    return found


def warnings(lines: list[str]) -> list[str]:
    return [each for each in lines if each.startswith("  warning: ")]


def target(path: str, **more: str) -> dict[str, str]:
    keys = ("cluster_uid", "namespace", "vm", "snapshot")
    return dict(zip(keys, path.split("/"), strict=False)) | more


WATCHED: dict[str, tuple[list[str], str, str]] = {
    "a cluster": ([EAST], "everything", "2"),
    "a namespace": ([f"{EAST}/vms"], "namespace vms", "2"),
    "a machine": ([f"{EAST}/vms/db-01"], "VM vms/db-01", "2"),
    "a snapshot": ([f"{EAST}/vms/db-01/nightly"], "snapshot vms/db-01/nightly", "1"),
    "three snapshots of one machine": (
        [f"{EAST}/vms/db-01/{name}" for name in "abc"],
        "3 snapshots: vms/db-01/a, vms/db-01/b, vms/db-01/c",
        "1",
    ),
    "snapshots of two machines": (
        [f"{EAST}/vms/db-01/a", f"{EAST}/web/web-01/b"],
        "2 snapshots: vms/db-01/a, web/web-01/b",
        "1",
    ),
    "a cluster and a snapshot in it": (
        [EAST, f"{EAST}/vms/db-01/a"],
        "everything; snapshot vms/db-01/a",
        "2",
    ),
    "a namespace and a machine elsewhere": (
        [f"{EAST}/vms", f"{EAST}/db/db-01"],
        "namespace vms; VM db/db-01",
        "3",
    ),
    "many namespaces": (
        [f"{EAST}/n-{number}" for number in range(9)],
        "9 namespaces: n-0, n-1, n-2 and 6 more",
        "2",
    ),
}


@pytest.mark.parametrize("case", WATCHED)
def test_each_cluster_has_a_row_with_its_targets(case: str) -> None:
    paths, watched, requests = WATCHED[case]
    lines = meaning(targets=[target(path, cluster_name="prod-east") for path in paths])
    assert re.split(r"  +", row(lines, EAST)[2:]) == [EAST, "prod-east", watched]
    assert f"at least {requests} in a round" in line(lines, "Requests")


def test_a_large_configuration_fits_a_screen() -> None:
    targets = [target(f"{number:024x}/vms", cluster_name=f"c-{number}") for number in range(300)]
    lines = meaning(targets=targets, discovery={"enabled": True}, shard={"ordinal": 0, "total": 2})
    assert len(lines) <= SCREEN
    assert "  and 292 more" in lines


def test_a_round_is_compared_with_the_interval() -> None:
    targets = [target(EAST), target(WEST)]
    lines = meaning(targets=targets, objectives=[{"max_age": "8d"}])
    assert "at least 4 in a round of the configured clusters: 0.1 s at 40 a second" in line(
        lines, "Requests"
    )
    assert not warnings(lines)
    palette = {**DEFAULT["palette"], "requests_per_second": 0.05}
    lines = meaning(palette=palette, targets=targets, objectives=[{"max_age": "8d"}])
    assert ": 80.0 s at 0.05 a second; refresh.interval is 1m" in line(lines, "Requests")
    assert "longer than refresh.interval" in warnings(lines)[0]


def test_discovery_is_described_with_the_clusters_that_would_fit() -> None:
    assert "off" in line(meaning(targets=[target(EAST)]), "Discovery")
    wanted = {"enabled": True, "interval": 90, "clusters": ["prod-.*"], "exclude_clusters": ["x"]}
    lines = meaning(targets=[target(EAST)], discovery=wanted)
    assert "every 1m30s; clusters matching prod-.* but not x; namespaces matching .*" in line(
        lines, "Discovery"
    )
    assert any(f"at most {(60 * 40 - 2) // 2:,} fit" in each for each in lines)


def test_each_shard_counts_its_own_clusters_only() -> None:
    clusters = [f"6540b{number}" for number in range(12)]
    read = 0
    for ordinal in range(3):
        targets = [target(uid) for uid in clusters]
        lines = meaning(targets=targets, shard={"ordinal": ordinal, "total": 3})
        found = re.search(
            r"Shard: +\d \(of 3\): reads (\d+) of 12 configured clusters\.", "\n".join(lines)
        )
        assert found
        assert f"at least {2 * int(found[1])} in a round" in line(lines, "Requests")
        read += int(found[1])
    assert read == len(clusters)
    assert not [each for each in meaning(targets=[target(EAST)]) if each.startswith("Shard")]


def test_objectives_that_never_apply_and_none_at_all_are_warnings() -> None:
    objectives = [{"max_age": "8d"}, {"namespace": "prod-.*", "max_age": "26h"}]
    (hidden,) = warnings(meaning(targets=[target(EAST)], objectives=objectives))
    assert "objectives[1] is hidden by objectives[0]" in hidden
    assert not warnings(meaning(targets=[target(EAST)], objectives=objectives[::-1]))
    (none,) = warnings(meaning(targets=[target(EAST)]))
    assert "without objectives" in none


def test_series_are_estimated_without_the_denied_families() -> None:
    def series(**metrics: Any) -> int:
        lines = meaning(targets=[target(EAST)], metrics=metrics)
        found = re.search(r"about ([\d,]+) for each 1,000 snapshots", line(lines, "Series"))
        assert found
        return int(found[1].replace(",", ""))

    assert series() - series(deny=["palette_vm_snapshot_phase"]) == 5_000
    assert series(deny=[".*"]) == 0


def test_a_denied_family_that_rules_or_dashboards_need_is_a_warning() -> None:
    def about(family: str) -> list[str]:
        objectives = [{"max_age": "8d"}]
        return warnings(
            meaning(targets=[target(EAST)], objectives=objectives, metrics={"deny": [family]})
        )

    assert "palette_vm_restorable_snapshots" in about("palette_vm_restorable_.*")[0]
    assert not about(min(USED_BY_NOTHING))


def test_the_families_that_are_called_unused_are_those_that_nothing_uses() -> None:
    shipped = [
        *ROOT.glob("deploy/prometheus/rules/*.yaml"),
        *ROOT.glob("deploy/grafana/dashboards/*.json"),
    ]
    used = {name for path in shipped for name in re.findall(r"palette_\w+", path.read_text())}
    assert len(used) > 20
    assert {family.name for family in FAMILIES} - used == USED_BY_NOTHING


def test_a_name_cannot_leave_its_line() -> None:
    name = "evil\npalette:\n  api_key: x\r\x1b31m\u2028"
    lines = meaning(targets=[target(EAST)], discovery={"enabled": True, "clusters": [name]})
    assert all(each.isprintable() for each in lines)


def test_the_command_prints_it_and_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**DEFAULT, "targets": [target(EAST)]}))
    for flag in ("--config.check", "--config.print"):
        done = finished(flag, f"--config.file={path}")
        assert (done.returncode, done.stderr) == (0, "")
        assert DEFAULT["palette"]["api_key"] not in done.stdout
        if flag == "--config.print":
            assert yaml.safe_load(done.stdout)["palette"]["api_key"] == "<secret>"
        else:
            assert done.stdout.startswith("The configuration is valid.\n")
