"""The common parts of the dashboards: variables, links to each other, times, and layout."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from palette_dashboards.panels import DATASOURCE, AnyPanel

FLEET, VM, EXPORTER = "palette-fleet", "palette-vm", "palette-exporter"
"""The dashboards' uids; addresses are made of them."""

TAG = "palette-snapshots"
RUNBOOK_PAGE = "https://runbooks.example.com/docs/runbooks.md"
"""The address of docs/runbooks.md; the same placeholder as in the alerts' runbook_url."""

ALL = model.VariableOption(selected=True, text="All", value="$__all")

VM_SERIES = '__name__=~"palette_vm_snapshots|palette_vm_snapshot_ready"'
"""Series with namespaces and machines; the latter where single snapshots are watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Panels below a heading, which the first section has none of.

    opened: whether its panels are there, and ask Prometheus, as soon as the dashboard is.
    """

    title: str
    panels: Sequence[AnyPanel]
    opened: bool = True


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
        board = _added(board, section)
    return _numbered(_closed_up(board.build()))


def _closed_up(board: model.Dashboard) -> model.Dashboard:
    """Move each heading up by the height of the closed sections before it."""
    hidden = 0
    for heading in board.panels or []:
        if isinstance(heading, model.RowPanel) and heading.grid_pos:
            places = [panel.grid_pos for panel in heading.panels if panel.grid_pos]
            height = max((place.y + place.h for place in places), default=heading.grid_pos.y + 1)
            height -= heading.grid_pos.y + 1
            for place in (heading.grid_pos, *places):
                place.y -= hidden
            hidden += height
    return board


def _added(board: dashboard.Dashboard, section: Section) -> dashboard.Dashboard:
    row = dashboard.Row(section.title)
    if not section.opened:
        for panel in section.panels:
            row = row.with_panel(panel)
        return board.with_row(row)
    board = board.with_row(row) if section.title else board
    for panel in section.panels:
        board = board.with_panel(panel)
    return board


def choice(
    name: str,
    label: str,
    query: str,
    description: str,
    *,
    many: bool = True,
    everything: str = ".+",
) -> dashboard.QueryVariable:
    """A variable whose values come from Prometheus; `many`: also several, and all.

    everything: the regular expression that all of them are.
    """
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
    return variable.all_value(everything).current(ALL) if many else variable


def cluster(*, many: bool = True) -> dashboard.QueryVariable:
    """Return the variable of clusters, including those that are no longer read."""
    query = "label_values(palette_cluster_up, cluster_name)"
    return choice("cluster", "Cluster", query, "Clusters, by their names in Palette.", many=many)


def namespace(*, many: bool = True) -> dashboard.QueryVariable:
    """Return the variable of the clusters' namespaces."""
    where = 'cluster_name=~"$cluster"' if many else 'cluster_name="$cluster"'
    query = f"label_values({{{VM_SERIES}, {where}}}, namespace)"
    description = "Namespaces of the virtual machines."
    return choice("namespace", "Namespace", query, description, many=many)


def owner() -> dashboard.QueryVariable:
    """Return the variable of owners, for the setting labels.owner."""
    query = f'label_values({{{VM_SERIES}, cluster_name=~"$cluster"}}, owner)'
    description = (
        "Owners of the virtual machines, where the setting labels.owner is used. Shares of the "
        "recording rules do not depend on it."
    )
    return choice("owner", "Owner", query, description, everything=".*")


def machine() -> dashboard.QueryVariable:
    """Return the variable of the namespace's VMs."""
    where = 'cluster_name="$cluster", namespace="$namespace"'
    query = f"label_values({{{VM_SERIES}, {where}}}, vm)"
    return choice("vm", "VM", query, "The virtual machine.", many=False)


def most() -> dashboard.CustomVariable:
    """Return the variable with the number of rows or curves of a ranking."""
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


def _runbooks() -> dashboard.TextBoxVariable:
    return (
        dashboard.TextBoxVariable("runbooks")
        .label("Runbooks")
        .description("The address of the runbooks. The exporter serves them at /docs/runbooks.md.")
        .default_value(RUNBOOK_PAGE)
        .current(model.VariableOption(selected=True, text=RUNBOOK_PAGE, value=RUNBOOK_PAGE))
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
    shown = [panel for panel in board.panels or [] if isinstance(panel, model.Panel)]
    headings = [panel for panel in board.panels or [] if isinstance(panel, model.RowPanel)]
    hidden = (panel for heading in headings for panel in heading.panels)
    inner = [panel for panel in hidden if isinstance(panel, model.Panel)]
    every: list[model.Panel | model.RowPanel] = [*shown, *headings, *inner]
    for number, panel in enumerate(every, start=1):
        panel.id_val = number
    return board
