"""The dashboards: a real Prometheus evaluates each query as Grafana would send it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from exporter.verdict import PROBLEMS, Severity
from tests.deploy.rules import ALERT_NAMES, METRIC, ROOT, RULE_FILES
from tests.deploy.watched import eventually
from tests.yaml_text import loaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.deploy.watched import Prometheus, Sample

GRAFANA = ROOT / "deploy" / "grafana"
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in (GRAFANA / "dashboards").glob("*.json")
}
JOB = "palette-snapshot-exporter"

EMPTY_ON_THE_DEMO = {
    "fleet/Deleted/A": "nothing was deleted in the seconds that the test looks back",
    "fleet/VMs not read/A": "the clusters that are not read never were",
}
"""Queries that can find nothing, with the reason. All others find something."""


@dataclass(frozen=True)
class Query:
    """A query of a panel, as it is in the JSON."""

    name: str
    expr: str
    instant: bool


def panels(board: str) -> list[dict[str, Any]]:
    every = BOARDS[board]["panels"]
    inner = [panel for row in every for panel in row.get("panels", [])]
    return [panel for panel in [*every, *inner] if panel["type"] != "row"]


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


# Grafana's requests.


def ask(prometheus: Prometheus, query: Query, variables: dict[str, str]) -> list[Sample]:
    """Return the answer to Grafana's request, over the last five seconds for a curve."""
    expr = substituted(query.expr, chosen(query.name, variables))
    if query.instant:
        return prometheus.query(expr)
    now = time.time()
    times = {"start": f"{now - 5:.3f}", "end": f"{now:.3f}", "step": "1"}
    return list(prometheus.get("query_range", query=expr, **times)["result"])


def chosen(name: str, variables: dict[str, str]) -> dict[str, str]:
    """Return the variables of a dashboard: names for VM, regular expressions for the others."""
    named = ("cluster", "namespace")
    if not name.startswith("vm/"):
        return variables
    return {**variables, **{each: variables[f"the {each}"] for each in named}}


def substituted(text: str, variables: dict[str, str]) -> str:
    """Return the text with the values of Grafana's variables."""
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], text)


@pytest.fixture(scope="module")
def variables(prometheus: Prometheus) -> dict[str, str]:
    """Return a user's choice: everything, and the machine with the most snapshots."""
    most = "topk(1, sum by (cluster_name, namespace, vm) (palette_vm_snapshots))"
    (machine,) = (each["metric"] for each in prometheus.query(most))
    return {
        "cluster": ".+",
        "namespace": ".+",
        "owner": ".*",
        "the cluster": machine["cluster_name"],
        "the namespace": machine["namespace"],
        "vm": machine["vm"],
        "job": ".+",
        "instance": ".+",
        "rows": "20",
        "__range": "6s",
        "__range_s": "6",
        "__interval": "4s",
        "__rate_interval": "4s",
    }


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_finds_something(
    query: Query, prometheus: Prometheus, variables: dict[str, str]
) -> None:
    if query.name in EMPTY_ON_THE_DEMO:
        ask(prometheus, query, variables)
        return
    found = eventually(lambda: ask(prometheus, query, variables), within=10)
    assert found, substituted(query.expr, chosen(query.name, variables))


def test_what_may_be_empty_is_there() -> None:
    assert set(EMPTY_ON_THE_DEMO) <= {query.name for query in QUERIES}


@pytest.mark.parametrize(("board", "choice"), CHOICES, ids=lambda each: str(each)[:30])
def test_a_variable_has_values(
    board: str, choice: dict[str, Any], prometheus: Prometheus, variables: dict[str, str]
) -> None:
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", choice["query"]["query"])
    assert found, choice["query"]
    selector = substituted(found[1], chosen(f"{board}/", variables))
    assert prometheus.get(f"label/{found[2]}/values", **{"match[]": selector})


@pytest.mark.parametrize(("board", "panel"), named(TABLES))
def test_the_columns_of_a_table_are_in_its_answers(
    board: str, panel: dict[str, Any], prometheus: Prometheus, variables: dict[str, str]
) -> None:
    asked = queries(board, panel)
    labels: set[str] = set()
    for query in asked:
        may_be_empty = query.name in EMPTY_ON_THE_DEMO
        within = 0 if may_be_empty else 10
        for series in eventually(partial(ask, prometheus, query, variables), within=within):
            labels |= series["metric"].keys()
    if all(query.name in EMPTY_ON_THE_DEMO for query in asked):
        return
    value = {"Value"} if len(asked) == 1 else {f"Value #{query.name[-1]}" for query in asked}
    columns = {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]}
    assert columns == labels | value


# Two exporters of the same clusters count nothing twice. Each exporter runs twice here.


@pytest.mark.parametrize(
    ("panel", "wanted"),
    [
        (
            "VMs",
            "count(count by (cluster_uid, namespace, vm) "
            "(palette_vm_info unless on (cluster_uid, namespace, vm) palette_vm_exempt == 1))",
        ),
        ("Not read", "count(count by (cluster_uid) (palette_cluster_up == 0))"),
        (
            "RPO missed",
            "count(count by (cluster_uid, namespace, vm) "
            "(palette_vm_snapshot_objective_deadline_timestamp_seconds < time()))",
        ),
    ],
)
def test_a_pair_of_exporters_counts_once(
    panel: str, wanted: str, prometheus: Prometheus, variables: dict[str, str]
) -> None:
    def agree() -> bool:
        (counted,) = ask(prometheus, only("fleet", panel), variables)
        (there,) = prometheus.query(wanted)
        return bool(counted["value"][1] == there["value"][1])

    assert eventually(agree, within=10)
    assert len(prometheus.query("palette_exporter_build_info")) == 2


def only(board: str, panel: str) -> Query:
    (query,) = [each for each in QUERIES if each.name == f"{board}/{panel}/A"]
    return query


# Absence never reads as safety, and other jobs do not count.


@pytest.mark.parametrize(
    "query",
    [
        query
        for board, panel in PANELS
        if panel["type"] in {"stat", "bargauge"}
        for query in queries(board, panel)
        if query.name != "fleet/Exporters up/A"
    ],
    ids=lambda query: query.name,
)
def test_a_number_of_nothing_is_no_number(
    query: Query, prometheus: Prometheus, variables: dict[str, str]
) -> None:
    nothing = {"cluster": "none", "the cluster": "none", "job": "none"}
    assert not ask(prometheus, query, {**variables, **nothing})


RULES = sorted(path.stem for path in RULE_FILES if path.stem != "watchdog")


@pytest.mark.parametrize("panel", ["Critical", "In trouble"])
def test_no_alert_is_known_of_only_where_the_rules_are_evaluated(
    panel: str, prometheus: Prometheus, variables: dict[str, str]
) -> None:
    shown = only("fleet", panel)
    assert eventually(lambda: ask(prometheus, shown, variables))
    assert "fleet:palette_rules:loaded" in shown.expr
    (zero,) = re.findall(r" or (0 \* .+)", shown.expr)
    assert eventually(lambda: ask(prometheus, replace(shown, expr=zero), variables))
    assert not ask(prometheus, replace(shown, expr=without_rules(zero)), variables)


@pytest.mark.parametrize(("panel", "files"), [("Alerts", RULES), ("Troubles", RULES[-2:])])
def test_a_table_of_alerts_names_the_rules_that_are_not_loaded(
    panel: str, files: list[str], prometheus: Prometheus, variables: dict[str, str]
) -> None:
    (query, *_) = [each for each in QUERIES if each.name.startswith(f"fleet/{panel}/")]

    def missing(expr: str) -> list[str]:
        rows = ask(prometheus, replace(query, expr=expr), variables)
        names = [each["metric"]["alertname"] for each in rows]
        return sorted(name for name in names if name.startswith("Not evaluated"))

    assert eventually(lambda: missing(query.expr) == [])
    assert missing(without_rules(query.expr)) == [f"Not evaluated: {file}.yaml" for file in files]


def test_no_cluster_is_free_of_alerts_where_the_rules_are_not_loaded(
    prometheus: Prometheus, variables: dict[str, str]
) -> None:
    (query,) = [each for each in QUERIES if each.name == "fleet/Clusters/D"]
    assert eventually(lambda: ask(prometheus, query, variables))
    assert not ask(prometheus, replace(query, expr=without_rules(query.expr)), variables)


def without_rules(expr: str) -> str:
    """The query where no rule is evaluated."""
    return expr.replace("palette_rules:loaded", "palette_rules:other").replace("ALERTS", "OTHERS")


def test_each_file_of_rules_marks_that_it_is_loaded(prometheus: Prometheus) -> None:
    def marked() -> bool:
        return sorted(prometheus.labels("fleet:palette_rules:loaded", "rules")) == RULES

    assert eventually(marked)


def test_a_vm_of_a_cluster_that_is_not_read_is_not_called_protected(
    prometheus: Prometheus, variables: dict[str, str]
) -> None:
    shown = only("vm", "Protected")
    unread = replace(shown, expr=shown.expr.replace("cluster_up == 1", "cluster_up == 2"))
    assert unread != shown
    assert {each["value"][1] for each in ask(prometheus, unread, variables)} == {"3"}
    assert {each["value"][1] for each in ask(prometheus, shown, variables)} <= {"0", "1", "2"}
    (panel,) = [each for each in panels("vm") if each["title"] == "Protected"]
    texts = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    assert texts["3"]["color"] == "text"


def test_unread_clusters_make_their_vms_unknown(
    prometheus: Prometheus, variables: dict[str, str]
) -> None:
    never_read = "palette_cluster_up unless on (cluster_uid) cluster_namespace:palette_vms:count"
    assert prometheus.query(never_read)
    assert not ask(prometheus, only("fleet", "VMs not read"), variables)


@pytest.mark.parametrize("board", ["fleet", "exporter"])
def test_only_exporters_count_as_exporters(
    board: str, prometheus: Prometheus, variables: dict[str, str]
) -> None:
    assert prometheus.query('up{job="down"} == 0')
    (share,) = ask(prometheus, only(board, "Exporters up"), variables)
    assert share["value"][1] == "1"


@pytest.mark.parametrize("panel", ["CPU", "Memory", "Open files", "Started", "Samples"])
def test_only_processes_of_exporters_are_shown(
    panel: str, prometheus: Prometheus, variables: dict[str, str]
) -> None:
    exporters = prometheus.labels("palette_exporter_build_info", "instance")
    shown = ask(prometheus, only("exporter", panel), variables)
    assert {each["metric"]["instance"] for each in shown} == exporters


def test_one_machine_is_shown_by_its_dashboard(
    prometheus: Prometheus, variables: dict[str, str]
) -> None:
    (matched,) = ask(prometheus, only("vm", "VMs matched"), variables)
    assert matched["value"][1] == "1"
    like_it = {**variables, "vm": "." + variables["vm"][1:]}
    assert not ask(prometheus, only("vm", "VMs matched"), like_it)


def test_every_metric_exists(prometheus: Prometheus) -> None:
    named = {metric for query in QUERIES for metric in METRIC.findall(query.expr)}
    missing = {metric for metric in named if not prometheus.query(f"last_over_time({metric}[5m])")}
    assert not missing


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


# A fleet that is a hundred times as large must not have a hundred times as many lines.

FEW = 3
"""Number of rows: fewer than the machines or snapshots in any table."""


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


# The committed files, and their layout.


def test_the_files_match_the_code() -> None:
    done = subprocess.run(
        [sys.executable, GRAFANA / "build.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("board", sorted(BOARDS))
def test_a_dashboard_fits_into_a_config_map_that_kubectl_applies(board: str) -> None:
    text = (GRAFANA / "dashboards" / f"{board}.json").read_text()
    assert len(json.dumps({"data": {board: text}}, ensure_ascii=False).encode()) < 250_000


def test_there_are_the_three_dashboards() -> None:
    uids = {name: board["uid"] for name, board in BOARDS.items()}
    assert uids == {"fleet": "palette-fleet", "vm": "palette-vm", "exporter": "palette-exporter"}


@pytest.mark.parametrize("board", sorted(BOARDS))
def test_grafanas_schema_knows_every_field(board: str) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    known = json.loads(json.dumps(BOARDS[board]))
    for panel in [
        *known["panels"],
        *(each for row in known["panels"] for each in row.get("panels", [])),
    ]:
        panel.get("options", {}).pop("enablePagination", None)  # newer than the schema
    read = Dashboard.from_json(known)
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == known


@pytest.mark.parametrize(("board", "panel"), named(PANELS))
def test_a_panel_has_a_description(board: str, panel: dict[str, Any]) -> None:
    text, *runbook = panel["description"].split("\n\n")
    assert text.endswith(".")
    assert all(
        re.fullmatch(r"\[Runbook: (\w+)\]\(\$\{runbooks:raw\}#\w+\)", each) for each in runbook
    )
    # A narrow panel cuts longer ones on a screen of 1366 pixels.
    assert len(panel["title"]) <= (14 if panel["gridPos"]["w"] > 3 else 13)
    if panel["type"] in {"stat", "timeseries", "bargauge"}:
        assert panel["fieldConfig"]["defaults"]["unit"]
    assert all(each["datasource"]["uid"] == "${datasource}" for each in panel.get("targets", []))


@pytest.mark.parametrize(("board", "panel"), named(TABLES))
def test_a_table_scrolls_and_hides_in_both_spellings(board: str, panel: dict[str, Any]) -> None:
    assert panel["options"]["footer"]["enablePagination"] is False
    assert panel["options"]["enablePagination"] is False
    assert panel["fieldConfig"]["defaults"]["noValue"]
    for each in panel["fieldConfig"]["overrides"]:
        properties = {each["id"]: each["value"] for each in each["properties"]}
        assert properties.get("custom.hidden") == properties.get("custom.hideFrom.viz")


@pytest.mark.parametrize(("board", "panel"), named(PANELS))
def test_unknown_values_are_grey(board: str, panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    if panel["type"] in {"stat", "bargauge"}:
        assert grey(defaults["mappings"])
        # Grafana leaves the panel blank where there is no series to name.
        assert panel["options"].get("textMode") != "name"
    for each in panel["fieldConfig"]["overrides"]:
        properties = {each["id"]: each["value"] for each in each["properties"]}
        if {"thresholds", "unit"} & properties.keys():
            assert grey(properties["mappings"])
    assert not any("vector(0)" in query.expr for query in queries(board, panel))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "under 1 min"),
        (59, "1 min"),
        (25 * 60, "30 min"),
        (3600, "1 h"),
        (26 * 3600, "26 h"),
        (47.4 * 3600, "47 h"),
        (2 * 86_400, "2 d"),
        (8 * 86_400, "8 d"),
        (104.2 * 86_400, "104 d"),
    ],
)
def test_durations_are_in_units_that_people_say(seconds: float, said: str) -> None:
    shown = [field for board, panel in PANELS for field in fields(panel) if is_duration(field)]
    assert len(shown) >= 8
    assert {text_of(seconds / 86_400, field) for field in shown} == {said}


def test_no_duration_has_a_unit_that_nobody_says() -> None:
    # Grafana writes 26 hours as 1.08 days, and 8 days as 1.14 weeks or 1 week, 1 day.
    for board, panel in PANELS:
        long = [
            each for each in fields(panel) if each.get("unit") in {"dtdurations", "m", "h", "d"}
        ]
        assert not long, f"{board}/{panel['title']}"


def fields(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """How a panel shows its values: all of them, and each column."""
    columns = [
        {each["id"]: each["value"] for each in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    ]
    return [panel["fieldConfig"]["defaults"], *columns]


def is_duration(field: dict[str, Any]) -> bool:
    return field.get("unit") == "suffix: d"


def text_of(days: float, field: dict[str, Any]) -> str:
    """What Grafana writes: the text of the first range, else the number with its unit."""
    for each in field["mappings"]:
        options = each["options"]
        if each["type"] == "range" and options["from"] <= days <= options["to"]:
            return str(options["result"]["text"])
    return f"{days:.{field['decimals']}f}{field['unit'].removeprefix('suffix:')}"


def test_durations_are_queried_in_days() -> None:
    for board, panel in PANELS:
        asked = {each["refId"]: each["expr"] for each in panel.get("targets", [])}
        names = [each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]]
        for name, field in zip(["", *names], fields(panel), strict=True):
            refs = [name[-1]] if name.startswith("Value #") else [*asked]
            if is_duration(field):
                assert all("/ 86400" in asked[ref] for ref in refs), f"{board}/{panel['title']}"


def grey(mappings: list[dict[str, Any]]) -> bool:
    """Return whether a missing value has its own text in a neutral colour."""
    options = [each["options"] for each in mappings if each["type"] == "special"]
    return [(each["match"], each["result"]["color"]) for each in options] == [("null+nan", "text")]


COLORS = {Severity.CRITICAL: "red", Severity.WARNING: "orange", Severity.INFO: "blue"}


@pytest.mark.parametrize(
    ("panel", "problem"),
    [
        ("RPO missed", "objective_missed"),
        ("Data lost", "data_lost"),
        ("Last failed", "last_failed"),
        ("VM deleted", "orphaned"),
    ],
)
def test_a_colour_is_the_severity_of_the_problem(panel: str, problem: str) -> None:
    severity = PROBLEMS[problem].severity_for(objective=True)
    steps = [{"color": "green", "value": None}, {"color": COLORS[severity], "value": 1}]
    assert steps_of("fleet", panel) == steps


@pytest.mark.parametrize("panel", ["Critical", "In trouble"])
def test_no_alert_is_not_green(panel: str) -> None:
    # A rule whose evaluation fails has no alerts either.
    assert steps_of("fleet", panel)[0] == {"color": "text", "value": None}


@pytest.mark.parametrize("board", ["fleet", "exporter"])
def test_the_age_of_data_is_judged_as_the_verdict_does(board: str) -> None:
    found = [step["value"] for step in steps_of(board, "Oldest data")]
    thresholds = [PROBLEMS[name].threshold for name in ("cluster_unread", "cluster_stale")]
    assert found == [None, *(seconds / 86_400 for seconds in thresholds if seconds)]


def steps_of(board: str, title: str) -> list[dict[str, Any]]:
    (panel,) = [each for each in panels(board) if each["title"] == title]
    steps: list[dict[str, Any]] = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return steps


def test_the_first_screen_is_first_and_the_rest_is_collapsed() -> None:
    every = BOARDS["fleet"]["panels"]
    first = [panel["title"] for panel in every if panel["gridPos"]["y"] < 15]
    assert {"Critical", "Exporters up", "Not read", "Oldest data", "Alerts", "Clusters"} <= {*first}
    assert "Trend" in first
    opened = [panel for panel in every if panel["type"] != "row"]
    assert max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in opened) < 40


@pytest.mark.parametrize("board", sorted(BOARDS))
def test_panels_have_numbers_of_their_own_and_do_not_overlap(board: str) -> None:
    every = BOARDS[board]["panels"]
    ids = [each["id"] for panel in every for each in (panel, *panel.get("panels", []))]
    assert len(set(ids)) == len(ids)
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
    anchors |= set(re.findall(r'\\"runbook\\", \\"(\w+)\\"', text))
    assert anchors == {name.lower() for name in ALERT_NAMES}


# Provisioning.


def provisioned(kind: str) -> dict[str, Any]:
    (path,) = (GRAFANA / "provisioning" / kind).glob("*.yaml")
    read: dict[str, Any] = loaded(path.read_text())
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
