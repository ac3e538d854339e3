"""What `--config.check` says of a configuration, beside the settings themselves."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.check.report import report
from exporter.settings import Settings
from tests.process import finished

EAST, WEST, NORTH = "6540a1", "6540a2", "6540a3"
DEFAULT: dict[str, Any] = {"palette": {"api_key": "c4n4ry-S3CR3T-9f"}}


def said(**sections: Any) -> list[str]:
    """Return the comments; what is no comment must be the settings."""
    settings = Settings.model_validate({**DEFAULT, **sections})
    text = report(settings)
    assert yaml.safe_load(text) == settings.effective()
    return [line for line in text.splitlines() if line.startswith("#")]


def row(lines: list[str], uid: str) -> str:
    (found,) = [line for line in lines if re.match(rf"#   {uid} ", line)]
    return found


def line(lines: list[str], word: str) -> str:
    (found,) = [each for each in lines if each.startswith(f"# {word}: ")]
    return found


def target(path: str, **more: str) -> dict[str, str]:
    keys = ("cluster_uid", "namespace", "vm", "snapshot")
    return dict(zip(keys, path.split("/"), strict=False)) | more


COVERS: dict[str, tuple[list[str], str, str]] = {
    "a cluster": ([EAST], "whole cluster", "at least 2"),
    "a namespace": ([f"{EAST}/vms"], "namespace vms", "at least 2"),
    "a machine": ([f"{EAST}/vms/db-01"], "VM vms/db-01", "at least 2"),
    "a snapshot": ([f"{EAST}/vms/db-01/nightly"], "snapshot vms/db-01/nightly", "1"),
    "three snapshots of one machine": (
        [f"{EAST}/vms/db-01/{name}" for name in "abc"],
        "3 snapshots: vms/db-01/a, vms/db-01/b, vms/db-01/c",
        "at least 1",
    ),
    "snapshots of two machines": (
        [f"{EAST}/vms/db-01/a", f"{EAST}/web/web-01/b"],
        "2 snapshots: vms/db-01/a, web/web-01/b",
        "at least 1",
    ),
    "a cluster and a snapshot in it": (
        [EAST, f"{EAST}/vms/db-01/a"],
        "whole cluster; snapshot vms/db-01/a",
        "at least 2",
    ),
    "a namespace and a machine elsewhere": (
        [f"{EAST}/vms", f"{EAST}/db/db-01"],
        "namespace vms; VM db/db-01",
        "at least 3",
    ),
    "many namespaces": (
        [f"{EAST}/n-{number}" for number in range(9)],
        "9 namespaces: n-0, n-1, n-2 and 6 more",
        "at least 2",
    ),
}


@pytest.mark.parametrize("case", COVERS)
def test_each_cluster_has_a_row_that_says_what_is_read_of_it(case: str) -> None:
    paths, covers, requests = COVERS[case]
    lines = said(targets=[target(path, cluster_name="prod-east") for path in paths])
    assert re.split(r"  +", row(lines, EAST)[4:]) == [EAST, "prod-east", covers, requests]


def test_a_round_is_compared_with_the_interval() -> None:
    targets = [target(EAST), target(WEST)]
    fits = line(said(targets=targets), "Requests")
    assert "at least 4 requests, at least 0.1 s at 40 a second" in fits
    assert "fits into refresh.interval (1m)" in fits
    palette = {**DEFAULT["palette"], "requests_per_second": 0.05}
    stretched = line(said(palette=palette, targets=targets), "Requests")
    assert "at least 80 s at 0.05 a second, longer than refresh.interval (1m)" in stretched
    named = [target(f"{uid}/vms/db-01/nightly") for uid in (EAST, WEST)]
    assert "takes 2 requests, 0.05 s at" in line(said(targets=named), "Requests")


def test_names_that_nobody_gave_cost_one_request_for_each_project() -> None:
    targets = [target(EAST), target(WEST, project_uid="p"), target(NORTH, cluster_name="north")]
    assert "2 requests at the start" in line(said(targets=targets), "Names")
    assert not [each for each in said(targets=targets[2:]) if each.startswith("# Names")]


def test_discovery_is_told_with_its_names_and_how_many_clusters_would_fit() -> None:
    assert "off" in line(said(targets=[target(EAST)]), "Discovery")
    wanted = {"enabled": True, "interval": 90, "clusters": ["prod-.*"], "exclude_clusters": ["x"]}
    told = line(said(targets=[target(EAST)], discovery=wanted), "Discovery")
    assert "on; one request every 1m30s" in told
    assert "those named prod-.* but not x are read, in namespaces named .*" in told
    assert f"at most {(60 * 40 - 2) // 2} fit" in told


def test_each_shard_counts_its_own_clusters_only() -> None:
    clusters = [f"6540b{number}" for number in range(12)]
    own: list[str] = []
    for ordinal in range(3):
        lines = said(
            targets=[target(uid) for uid in clusters], shard={"ordinal": ordinal, "total": 3}
        )
        ours = [uid for uid in clusters if row(lines, uid).endswith("at least 2")]
        assert all(row(lines, uid).endswith("another shard's") for uid in {*clusters} - {*ours})
        assert f"at least {2 * len(ours)} requests" in line(lines, "Requests")
        assert f"{ordinal} of 0 to 2; of 12 configured clusters, {len(ours)}" in line(
            lines, "Shard"
        )
        own += ours
    assert sorted(own) == sorted(clusters)
    assert "by itself" in line(said(targets=[target(EAST)]), "Shard")


def test_an_objective_that_can_match_nothing_is_warned_of() -> None:
    objectives = [{"max_age": "8d"}, {"namespace": "prod-.*", "max_age": "26h"}]
    lines = said(targets=[target(EAST)], objectives=objectives)
    assert "2, of which 1 can match nothing" in line(lines, "Objectives")
    assert line(lines, "warning").startswith("# warning: objectives[1] can match nothing: ")
    lines = said(targets=[target(EAST)], objectives=objectives[::-1])
    assert line(lines, "Objectives").endswith("2, all of which can match something.")
    assert not [each for each in lines if "warning" in each]


def test_a_name_cannot_leave_its_comment() -> None:
    name = "evil\npalette:\n  api_key: x\r\x1b31m\u2028"
    lines = said(targets=[target(EAST)], discovery={"enabled": True, "clusters": [name]})
    assert all(each.isprintable() for each in lines)
    assert r"evil\npalette" in "".join(lines)


def test_the_command_prints_it_and_says_nothing_of_secrets(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**DEFAULT, "targets": [target(EAST)]}))
    done = finished("--config.check", f"--config.file={path}")
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load(done.stdout)["palette"]["api_key"] == "<secret>"
    assert "# Requests: a round takes at least 2 requests" in done.stdout
    assert DEFAULT["palette"]["api_key"] not in done.stdout
