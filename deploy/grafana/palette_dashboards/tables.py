"""Tables: their columns, the links in them, and how they are sorted."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models import dashboard as model

from palette_dashboards.panels import DECIMALS, About, Query, framed, texts
from palette_dashboards.values import Steps, Texts, thresholds, unknown

Override = model.DynamicConfigValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table; `link`: the target of a click; widths are pixels."""

    field: str
    title: str = ""
    unit: str = ""
    width: int | None = None
    least_width: int | None = None
    hidden: bool = False
    steps: Steps = ()
    values: Texts | None = None
    link: tuple[str, str] | None = None
    absent: str = "not known"
    """The grey text in a cell without a value, which would take the colour of the least one."""

    def override(self) -> list[Override]:
        """Return what Grafana is to do with the field."""
        absent = [unknown(self.absent)] if self.steps or self.values or self.unit else []
        wanted: dict[str, object] = {
            # Grafana 12.2 renamed it; older ones do not know the second.
            "custom.hidden": self.hidden,
            "custom.hideFrom.viz": self.hidden,
            "displayName": self.title,
            "unit": self.unit,
            "decimals": DECIMALS.get(self.unit),
            "custom.width": self.width,
            "custom.minWidth": self.least_width,
            "thresholds": self.steps and thresholds(self.steps).build(),
            "mappings": [*texts(self.unit, self.values), *absent],
            "custom.cellOptions": (self.steps or self.values) and {"type": "color-text"},
            "custom.align": self.values and "left",
            "links": self.link and [{"title": self.link[0], "url": self.link[1]}],
        }
        return [
            Override(id_val=name, value=value)
            for name, value in wanted.items()
            if value or (name == "decimals" and value is not None)
        ]


def rows(
    about: About,
    queries: Sequence[Query],
    columns: Sequence[Column],
    *,
    sort: str,
    descending: bool = True,
    then: str = "",
    empty: str = "None known",
) -> table.Panel:
    """A table that scrolls. Of several queries those rows are joined whose labels are the same.

    then: what rows are sorted by, from the top down, that are equal in `sort`.
    """
    by = [(sort, descending), *([(then, True)] if then else [])]
    order = {column.field: place for place, column in enumerate(columns)}
    merged = model.DataTransformerConfig(id_val="merge", options={})
    organized = model.DataTransformerConfig(
        id_val="organize", options={"excludeByName": {"Time": True}, "indexByName": order}
    )
    panel = (
        framed(table.Panel(), about, queries, instant=True, tabular=True)
        .transformations([*([merged] if len(queries) > 1 else []), organized])
        .footer(common.TableFooterOptions().enable_pagination(False).reducer(["sum"]))
        .sort_by(
            [common.TableSortByFieldState().display_name(name).desc(desc) for name, desc in by]
        )
        .show_header(True)
        .no_value(empty)
    )
    for column in columns:
        panel = panel.override_by_name(column.field, column.override())
    return panel
