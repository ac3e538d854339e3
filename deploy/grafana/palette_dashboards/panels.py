"""Panels in the manner of these dashboards: each with a description, a unit and bounded size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "${runbooks:raw}"

GOOD, NOTICE, WARN, BAD, NEUTRAL = "green", "yellow", "orange", "red", "blue"

Panel = TypeVar(
    "Panel", stat.Panel, timeseries.Panel, table.Panel, statetimeline.Panel, bargauge.Panel
)
AnyPanel = (
    stat.Panel | timeseries.Panel | table.Panel | statetimeline.Panel | bargauge.Panel | text.Panel
)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The title of a panel, its description, its size on a grid 24 wide, and its runbook."""

    title: str
    description: str
    width: int = 12
    height: int = 8
    runbook: str = ""
    """The alert whose runbook belongs to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """An expression; `legend` names its series, or its column in a table."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How a table shows a field; `link` is where a click on it leads."""

    field: str
    title: str = ""
    unit: str = ""
    width: int | None = None
    hidden: bool = False
    steps: Sequence[tuple[float | None, str]] = ()
    values: Mapping[str, tuple[str, str]] | None = None
    link: tuple[str, str] | None = None

    def override(self) -> list[model.DynamicConfigValue]:
        """Return what Grafana is to do with the field."""
        wanted: dict[str, object] = {
            "custom.hidden": self.hidden,
            "displayName": self.title,
            "unit": self.unit,
            "custom.width": self.width,
            "thresholds": self.steps and thresholds(self.steps).build(),
            "mappings": self.values and [mapping(self.values)],
            "custom.cellOptions": (self.steps or self.values) and {"type": "color-text"},
            "links": self.link and [{"title": self.link[0], "url": self.link[1]}],
        }
        return [
            model.DynamicConfigValue(id_val=name, value=value)
            for name, value in wanted.items()
            if value
        ]


def stats(
    about: About,
    *queries: Query,
    unit: str = "short",
    steps: Sequence[tuple[float | None, str]] = ((None, NEUTRAL),),
    values: Mapping[str, tuple[str, str]] | None = None,
    show: options.BigValueTextMode = options.BigValueTextMode.AUTO,
    decimals: int | None = None,
) -> stat.Panel:
    """Numbers as of now, one for each series."""
    panel = (
        _framed(stat.Panel(), about, queries, instant=True)
        .unit(unit)
        .thresholds(thresholds(steps))
        .color_mode(options.BigValueColorMode.VALUE)
        .graph_mode(options.BigValueGraphMode.NONE)
        .text_mode(show)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    if decimals is not None:
        panel = panel.decimals(decimals)
    return panel.mappings([mapping(values)]) if values else panel


def bars(
    about: About,
    *queries: Query,
    colors: Mapping[str, str] | None = None,
    unit: str = "short",
) -> bargauge.Panel:
    """Horizontal bars as of now; `colors` by legend."""
    panel = (
        _framed(bargauge.Panel(), about, queries, instant=True)
        .unit(unit)
        .min(0)
        .orientation(options.VizOrientation.HORIZONTAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )
    for legend, color in (colors or {}).items():
        panel = panel.override_by_name(legend, [_fixed(color)])
    return panel


def lines(
    about: About,
    *queries: Query,
    unit: str = "short",
    stacked: bool = False,
    colors: Mapping[str, str] | None = None,
    dashed: Sequence[str] = (),
    bounds: tuple[float, float | None] | None = None,
    limit: float | None = None,
    points: int | None = None,
) -> timeseries.Panel:
    """Curves; those named `dashed` are limits, and `limit` is one that never changes.

    points: the most points of each curve, where many series are counted for one.
    """
    panel = (
        _framed(timeseries.Panel(), about, queries, instant=False)
        .unit(unit)
        .legend(_legend())
        .tooltip(
            common.VizTooltipOptions()
            .mode(options.TooltipDisplayMode.MULTI)
            .sort(options.SortOrder.DESCENDING)
        )
        .fill_opacity(25 if stacked else 0)
        .show_points(options.VisibilityMode.NEVER)
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
    if bounds:
        panel = panel.min(bounds[0])
        panel = panel.max(bounds[1]) if bounds[1] is not None else panel
    for legend, color in (colors or {}).items():
        panel = panel.override_by_name(legend, [_fixed(color)])
    for legend in dashed:
        style = {"fill": "dash", "dash": [10, 10]}
        panel = panel.override_by_name(
            legend,
            [model.DynamicConfigValue(id_val="custom.lineStyle", value=style), _fixed(BAD)],
        )
    panel = panel.max_data_points(points) if points else panel
    return _with_limit(panel, limit) if limit is not None else panel


def rows(
    about: About,
    queries: Sequence[Query],
    columns: Sequence[Column],
    *,
    sort: str,
    descending: bool = True,
    transform: Sequence[model.DataTransformerConfig] | None = None,
) -> table.Panel:
    """A table with pages. Of several queries those rows are joined whose labels are the same."""
    order = {column.field: place for place, column in enumerate(columns)}
    steps = transform
    if steps is None:
        merged = [model.DataTransformerConfig(id_val="merge", options={})]
        organized = model.DataTransformerConfig(
            id_val="organize", options={"excludeByName": {"Time": True}, "indexByName": order}
        )
        steps = [*(merged if len(queries) > 1 else []), organized]
    panel = (
        _framed(table.Panel(), about, queries, instant=True, tabular=True)
        .transformations([*steps])
        .footer(common.TableFooterOptions().enable_pagination(True).reducer(["sum"]))
        .sort_by([common.TableSortByFieldState().display_name(sort).desc(descending)])
        .show_header(True)
    )
    for column in columns:
        panel = panel.override_by_name(column.field, column.override())
    return panel


def states(
    about: About, *queries: Query, values: Mapping[str, tuple[str, str]]
) -> statetimeline.Panel:
    """What state each series was in over time; `values`: number to name and colour."""
    return (
        _framed(statetimeline.Panel(), about, queries, instant=False)
        .mappings([mapping(values)])
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .thresholds(thresholds([(None, NEUTRAL)]))
        .merge_values(True)
        .show_value(options.VisibilityMode.NEVER)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(70)
        .legend(_legend())
    )


def prose(about: About, content: str) -> text.Panel:
    """Text in Markdown."""
    return (
        text.Panel()
        .title(about.title)
        .description(about.description)
        .span(about.width)
        .height(about.height)
        .mode(TextMode.MARKDOWN)
        .content(content)
    )


def thresholds(steps: Sequence[tuple[float | None, str]]) -> dashboard.ThresholdsConfig:
    """Return colours from the value on that stands with them; None: from the least on."""
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=color) for value, color in steps])
    )


def mapping(values: Mapping[str, tuple[str, str]]) -> model.ValueMap:
    """Return texts and colours to show in place of values."""
    return model.ValueMap(
        options={
            value: model.ValueMappingResult(text=shown, color=color, index=place)
            for place, (value, (shown, color)) in enumerate(values.items())
        }
    )


def _framed(
    panel: Panel,
    about: About,
    queries: Sequence[Query],
    *,
    instant: bool,
    tabular: bool = False,
) -> Panel:
    panel = (
        panel.title(about.title)
        .description(about.description)
        .span(about.width)
        .height(about.height)
        .datasource(DATASOURCE)
        .targets(
            [
                _target(ascii_uppercase[place], query, instant, tabular)
                for place, query in enumerate(queries)
            ]
        )
    )
    if about.runbook:
        link = dashboard.DashboardLink(f"Runbook: {about.runbook}").url(
            f"{RUNBOOKS}#{about.runbook.lower()}"
        )
        panel = panel.links([link.target_blank(True)])
    return panel


def _target(ref: str, query: Query, instant: bool, tabular: bool) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .ref_id(ref)
        .datasource(DATASOURCE)
        .expr(query.expr)
        .format(PromQueryFormat.TABLE if tabular else PromQueryFormat.TIME_SERIES)
        .legend_format(query.legend or "__auto")
    )
    return target.instant() if instant else target.range()


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(options.LegendDisplayMode.LIST)
        .placement(options.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _fixed(color: str) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def _with_limit(panel: timeseries.Panel, limit: float) -> timeseries.Panel:
    style = common.GraphThresholdsStyleConfig().mode(options.GraphTresholdsStyleMode.DASHED)
    return panel.thresholds(thresholds([(None, GOOD), (limit, BAD)])).thresholds_style(style)
