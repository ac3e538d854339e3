"""The dashboards as Grafana would use them: every query is put to a real Prometheus."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.deploy.rules import ALERT_NAMES, ROOT
from tests.deploy.watched import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.deploy.watched import Prometheus, Sample

GRAFANA = ROOT / "deploy" / "grafana"
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in (GRAFANA / "dashboards").glob("*.json")
}
JOB = "palette-snapshot-exporter"

EMPTY_ON_A_HEALTHY_FLEET = {
    "exporter/Failed refreshes/A": "no refresh fails",
    "exporter/Failed refreshes by cluster/A": "no refresh fails",
    "exporter/Clusters/D": "no refresh fails",
    "exporter/Unreadable values/A": "everything can be read",
    "fleet/Gone/A": "nothing has gone in the seconds that the test looks back",
    "vm/Snapshots/J": "the machine's snapshots carry no error",
}
"""Queries that may find nothing while all is well, and why."""


@dataclass(frozen=True)
class Query:
    """A query of a panel, as it stands in the JSON."""

    name: str
    expr: str
    instant: bool


def panels(board: str) -> list[dict[str, Any]]:
    return [panel for panel in BOARDS[board]["panels"] if panel["type"] != "row"]


def named(pairs: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
    return [pytest.param(*pair, id=f"{pair[0]}/{pair[1]['title']}") for pair in pairs]


def queries(board: str, panel: dict[str, Any]) -> list[Query]:
    return [
        Query(f"{board}/{panel['title']}/{each['refId']}", each["expr"], bool(each.get("instant")))
        for each in panel.get("targets", [])
    ]


PANELS = [(board, panel) for board in sorted(BOARDS) for panel in panels(board)]
TABLES = [(board, panel) for board, panel in PANELS if panel["type"] == "table"]
QUERIES = [query for board, panel in PANELS for query in queries(board, panel)]
CHOICES = [
    (board, each)
    for board in sorted(BOARDS)
    for each in BOARDS[board]["templating"]["list"]
    if each["type"] == "query"
]


# What Grafana would ask.


def ask(prometheus: Prometheus, query: Query, variables: dict[str, str]) -> list[Sample]:
    """What Grafana would get; a curve of the last five seconds if that is asked for."""
    expr = substituted(query.expr, variables)
    if query.instant:
        return prometheus.query(expr)
    now = time.time()
    times = {"start": f"{now - 5:.3f}", "end": f"{now:.3f}", "step": "1"}
    return list(prometheus.get("query_range", query=expr, **times)["result"])


def substituted(text: str, variables: dict[str, str]) -> str:
    """The text with the values of Grafana's variables in it."""
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], text)


@pytest.fixture(scope="module")
def variables(prometheus: Prometheus) -> dict[str, str]:
    """What a user would have chosen: everything, and the machine with the most snapshots."""
    (machine,) = prometheus.labels("topk(1, sum by (vm) (palette_vm_snapshots))", "vm")
    return {
        "cluster": ".+",
        "namespace": ".+",
        "vm": machine,
        "job": ".+",
        "instance": ".+",
        "rows": "20",
        "__range": "6s",
        "__range_s": "6",
        "__rate_interval": "4s",
    }


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_finds_something(
    query: Query, prometheus: Prometheus, variables: dict[str, str]
) -> None:
    if query.name in EMPTY_ON_A_HEALTHY_FLEET:
        ask(prometheus, query, variables)
        return
    found = eventually(lambda: ask(prometheus, query, variables), within=10)
    assert found, substituted(query.expr, variables)


def test_what_may_be_empty_is_there() -> None:
    assert set(EMPTY_ON_A_HEALTHY_FLEET) <= {query.name for query in QUERIES}


@pytest.mark.parametrize(("board", "choice"), CHOICES, ids=lambda each: str(each)[:30])
def test_a_variable_has_values(
    board: str, choice: dict[str, Any], prometheus: Prometheus, variables: dict[str, str]
) -> None:
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", choice["query"]["query"])
    assert found, choice["query"]
    selector = substituted(found[1], variables)
    assert prometheus.get(f"label/{found[2]}/values", **{"match[]": selector})


@pytest.mark.parametrize(("board", "panel"), named(TABLES))
def test_the_columns_of_a_table_are_in_its_answers(
    board: str, panel: dict[str, Any], prometheus: Prometheus, variables: dict[str, str]
) -> None:
    asked = queries(board, panel)
    labels: set[str] = set()
    for query in asked:
        for series in ask(prometheus, query, variables):
            labels |= series["metric"].keys()
    if all(query.name in EMPTY_ON_A_HEALTHY_FLEET for query in asked):
        return
    value = {"Value"} if len(asked) == 1 else {f"Value #{query.name[-1]}" for query in asked}
    columns = {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]}
    if "groupingToMatrix" in str(panel["transformations"]):
        assert columns == {r"snapshot\indication"}
        assert labels == {"snapshot", "indication"}
    else:
        assert columns == labels | value


# Two exporters of the same must not count anything twice: here there are two of each.


@pytest.mark.parametrize(
    ("panel", "metric"),
    [
        ("Virtual machines", "palette_vm_info"),
        ("Clusters not read", ""),
    ],
)
def test_a_pair_of_exporters_counts_once(
    panel: str, metric: str, prometheus: Prometheus, variables: dict[str, str]
) -> None:
    (query,) = [each for each in QUERIES if each.name == f"fleet/{panel}/A"]
    identity = "cluster_uid, namespace, vm"
    wanted = f"count(count by ({identity}) ({metric}))" if metric else "vector(0)"
    (counted,) = ask(prometheus, query, variables)
    (there,) = prometheus.query(wanted)
    assert counted["value"][1] == there["value"][1]
    assert len(prometheus.query("palette_exporter_build_info")) == 2


@pytest.mark.parametrize(
    "query",
    [each for each in QUERIES if not each.name.startswith("exporter/")],
    ids=lambda query: query.name,
)
def test_no_series_is_named_after_its_exporter(
    query: Query, prometheus: Prometheus, variables: dict[str, str]
) -> None:
    for series in ask(prometheus, query, variables):
        assert not {"instance", "job", "pod"} & series["metric"].keys()


# A fleet a hundred times as large must not make a hundred times as many lines.

FEW = 3
"""Rows to be shown: fewer than there are machines or snapshots in any table."""


@pytest.mark.parametrize(
    "query",
    [each for each in QUERIES if not each.name.startswith("vm/")],
    ids=lambda query: query.name,
)
def test_a_panel_shows_no_more_machines_than_are_chosen(
    query: Query, prometheus: Prometheus, variables: dict[str, str]
) -> None:
    found = ask(prometheus, query, {**variables, "rows": str(FEW)})
    of_machines = [each for each in found if {"vm", "snapshot"} & each["metric"].keys()]
    if query.instant:
        assert len(of_machines) <= FEW
    else:
        assert not of_machines


# What is committed, and how it looks.


def test_the_files_are_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, GRAFANA / "build.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_are_the_three_dashboards() -> None:
    uids = {name: board["uid"] for name, board in BOARDS.items()}
    assert uids == {"fleet": "palette-fleet", "vm": "palette-vm", "exporter": "palette-exporter"}


@pytest.mark.parametrize("board", sorted(BOARDS))
def test_grafanas_schema_knows_every_field(board: str) -> None:
    register_default_plugins()
    read = Dashboard.from_json(BOARDS[board])
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == BOARDS[board]


@pytest.mark.parametrize(("board", "panel"), named(PANELS))
def test_a_panel_says_what_it_shows(board: str, panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    if panel["type"] in {"stat", "timeseries", "bargauge"}:
        assert panel["fieldConfig"]["defaults"]["unit"]
    assert all(each["datasource"]["uid"] == "${datasource}" for each in panel.get("targets", []))


@pytest.mark.parametrize(("board", "panel"), named(TABLES))
def test_a_table_has_pages(board: str, panel: dict[str, Any]) -> None:
    assert panel["options"]["footer"]["enablePagination"]


@pytest.mark.parametrize("board", sorted(BOARDS))
def test_panels_have_numbers_of_their_own_and_do_not_overlap(board: str) -> None:
    every = BOARDS[board]["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in every):
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells


def test_links_lead_to_dashboards_and_alerts_that_there_are() -> None:
    text = json.dumps(list(BOARDS.values()))
    assert set(re.findall(r"/d/([\w-]+)", text)) <= {board["uid"] for board in BOARDS.values()}
    anchors = set(re.findall(r"\$\{runbooks:raw\}#(\w+)", text))
    anchors |= set(re.findall(r'\\"runbook\\", \\"(\w+)\\"', json.dumps(text)[1:-1]))
    assert anchors == {name.lower() for name in ALERT_NAMES}


# How Grafana gets to see them.


def provisioned(kind: str) -> dict[str, Any]:
    (path,) = (GRAFANA / "provisioning" / kind).glob("*.yaml")
    read: dict[str, Any] = yaml.safe_load(path.read_text())
    assert read["apiVersion"] == 1
    return read


def test_grafana_is_given_the_data_source() -> None:
    (source,) = provisioned("datasources")["datasources"]
    assert source["type"] == "prometheus"
    assert source["isDefault"]


def test_grafana_is_given_the_dashboards() -> None:
    (provider,) = provisioned("dashboards")["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
