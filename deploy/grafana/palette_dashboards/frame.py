"""What the dashboards have in common: variables, links to each other, times, and their layout."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from palette_dashboards.panels import DATASOURCE, AnyPanel

FLEET, VM, EXPORTER = "palette-fleet", "palette-vm", "palette-exporter"
"""The dashboards' uids; addresses are made of them."""

TAG = "palette-snapshots"
RUNBOOK_PAGE = "https://runbooks.example.com/docs/runbooks.md"
"""Where docs/runbooks.md is served; the same placeholder as in the alerts' runbook_url."""

ALL = model.VariableOption(selected=True, text="All", value="$__all")

VM_SERIES = '__name__=~"palette_vm_snapshots|palette_vm_snapshot_ready"'
"""Series with namespaces and machines; the latter where single snapshots are watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Panels below a heading."""

    title: str
    panels: Sequence[AnyPanel]


def build(
    *,
    uid: str,
    title: str,
    description: str,
    variables: Sequence[dashboard.QueryVariable | dashboard.CustomVariable],
    sections: Sequence[Section],
    since: str,
) -> model.Dashboard:
    """Return a dashboard that shows the time from `since` on."""
    board = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .time(since, "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(_datasource())
    )
    for variable in variables:
        board = board.with_variable(variable)
    board = board.with_variable(_runbooks())
    for link in _links():
        board = board.link(link)
    for section in sections:
        board = board.with_row(dashboard.Row(section.title))
        for panel in section.panels:
            board = board.with_panel(panel)
    return _numbered(board.build())


def choice(
    name: str,
    label: str,
    query: str,
    description: str,
    *,
    many: bool = True,
) -> dashboard.QueryVariable:
    """A variable whose values come from Prometheus; `many`: also several, and all."""
    variable = (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": f"variable-{name}"})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(many)
        .include_all(many)
    )
    return variable.all_value(".+").current(ALL) if many else variable


def cluster() -> dashboard.QueryVariable:
    """Which clusters."""
    query = "label_values(palette_cluster_up, cluster_name)"
    return choice("cluster", "Cluster", query, "Clusters, by their names in Palette.")


def namespace() -> dashboard.QueryVariable:
    """Which namespaces of the clusters."""
    query = f'label_values({{{VM_SERIES}, cluster_name=~"$cluster"}}, namespace)'
    return choice("namespace", "Namespace", query, "Namespaces of the virtual machines.")


def machine() -> dashboard.QueryVariable:
    """Which virtual machine of the namespaces."""
    where = 'cluster_name=~"$cluster", namespace=~"$namespace"'
    query = f"label_values({{{VM_SERIES}, {where}}}, vm)"
    return choice(
        "vm",
        "VM",
        query,
        "The virtual machine. Where several have the same name, choose its cluster and namespace.",
        many=False,
    )


def most() -> dashboard.CustomVariable:
    """How many rows or curves a ranking shows."""
    options = [
        model.VariableOption(selected=number == "20", text=number, value=number)
        for number in ("10", "20", "50", "100", "500")
    ]
    return (
        dashboard.CustomVariable("rows")
        .label("Rows")
        .description("The most rows of a ranking.")
        .values(",".join(str(option.value) for option in options))
        .options(options)
        .current(options[1])
    )


def _datasource() -> dashboard.DatasourceVariable:
    return (
        dashboard.DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes the exporter.")
        .type("prometheus")
    )


def _runbooks() -> dashboard.ConstantVariable:
    return (
        dashboard.ConstantVariable("runbooks")
        .label("Runbooks")
        .description("Where docs/runbooks.md is served.")
        .value(RUNBOOK_PAGE)
    )


def _links() -> Sequence[dashboard.DashboardLink]:
    others = (
        dashboard.DashboardLink("Palette snapshots")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
    )
    runbooks = (
        dashboard.DashboardLink("Runbooks")
        .type(model.DashboardLinkType.LINK)
        .url("${runbooks:raw}")
        .icon("doc")
        .tooltip("What each alert means and what to do about it")
        .target_blank(True)
    )
    return others, runbooks


def _numbered(board: model.Dashboard) -> model.Dashboard:
    """Give every panel its number, so that a link to one stays good."""
    for number, panel in enumerate(board.panels or [], start=1):
        if isinstance(panel, model.Panel | model.RowPanel):
            panel.id_val = number
    return board
