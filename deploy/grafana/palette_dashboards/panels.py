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
    timeseries,
)
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from exporter.verdict import PROBLEMS, STALE_AFTER, UNREAD_FOR, Severity
from palette_dashboards.values import DAY, durations, mapping, thresholds, unknown
from palette_dashboards.values import Steps as Steps
from palette_dashboards.values import Texts as Texts

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "${runbooks:raw}"

GOOD, NOTICE, WARN, BAD, NEUTRAL = "green", "dark-yellow", "orange", "red", "blue"
SEVERITY_COLORS = {Severity.CRITICAL: BAD, Severity.WARNING: WARN, Severity.INFO: NEUTRAL}

COUNT, RATIO, DURATION, SECONDS = "locale", "percentunit", "suffix: d", "s"
"""Units: 3,200; 99.97%; 26 h or 8 d, of a value in days; seconds where less than a minute matters.
"""
DECIMALS = {RATIO: 2, DURATION: 0}

ALL_OR_NOT: Steps = ((None, WARN), (1, GOOD))
ALL_OR_BAD: Steps = ((None, BAD), (1, GOOD))
NONE_OR_WARN: Steps = ((None, GOOD), (1, WARN))
NONE_OR_BAD: Steps = ((None, GOOD), (1, BAD))
QUIET_OR_WARN: Steps = ((None, "text"), (1, WARN))
QUIET_OR_BAD: Steps = ((None, "text"), (1, BAD))
"""Of alerts: none is no good sign, as a rule whose evaluation fails has none."""
OLD: Steps = ((None, GOOD), (UNREAD_FOR / DAY, WARN), (STALE_AFTER / DAY, BAD))
"""Days since a cluster was last read."""

Panel = TypeVar(
    "Panel", stat.Panel, timeseries.Panel, table.Panel, statetimeline.Panel, bargauge.Panel
)
AnyPanel = stat.Panel | timeseries.Panel | table.Panel | statetimeline.Panel | bargauge.Panel


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


def none_or(problem: str) -> Steps:
    """Return green at 0 and the colour of the problem's severity from 1 on."""
    severity = PROBLEMS[problem].severity_for(objective=True)
    return ((None, GOOD), (1, SEVERITY_COLORS[severity]))


def texts(unit: str, values: Texts | None) -> Sequence[model.ValueMap | model.RangeMap]:
    """Return the texts to show in place of values."""
    return [*durations()] if unit == DURATION else [mapping(values)] if values else []


def stats(
    about: About,
    *queries: Query,
    unit: str = COUNT,
    steps: Steps = ((None, NEUTRAL),),
    values: Texts | None = None,
    show: options.BigValueTextMode = options.BigValueTextMode.AUTO,
    absent: str = "not known",
) -> stat.Panel:
    """Numbers as of now, one for each series; `absent`: the text where there is none, in grey."""
    panel = (
        framed(stat.Panel(), about, queries, instant=True)
        .unit(unit)
        .thresholds(thresholds(steps))
        .color_mode(options.BigValueColorMode.VALUE)
        .graph_mode(options.BigValueGraphMode.NONE)
        .text_mode(show)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value(absent)
        .mappings([*texts(unit, values), unknown(absent)])
    )
    if len(queries) > 1:
        sizes = common.VizTextDisplayOptions().title_size(12).value_size(26)
        panel = panel.text(sizes).orientation(options.VizOrientation.HORIZONTAL)
    return panel.decimals(DECIMALS[unit]) if unit in DECIMALS else panel


def names(about: About, expr: str, label: str) -> stat.Panel:
    """What a label of the series says as of now, of all of them."""
    reduced = common.ReduceDataOptions().calcs(["lastNotNull"]).values(True)
    return (
        framed(stat.Panel(), about, [Query(expr=expr)], instant=True, tabular=True)
        .unit("string")
        .thresholds(thresholds([(None, NEUTRAL)]))
        .color_mode(options.BigValueColorMode.VALUE)
        .graph_mode(options.BigValueGraphMode.NONE)
        .text_mode(options.BigValueTextMode.VALUE)
        .reduce_options(reduced.fields(f"/^{label}$/"))
        .no_value("not known")
        .mappings([unknown("not known")])
    )


def tile(
    title: str,
    description: str,
    expr: str,
    steps: Steps = ((None, NEUTRAL),),
    unit: str = COUNT,
    runbook: str = "",
    *,
    size: tuple[int, int] = (4, 3),
    values: Texts | None = None,
    absent: str = "not known",
) -> stat.Panel:
    """One number as of now; size: its width and height."""
    width, height = size
    about = About(title=title, description=description, width=width, height=height, runbook=runbook)
    return stats(about, Query(expr=expr), unit=unit, steps=steps, values=values, absent=absent)


def bars(about: About, *queries: Query, colors: Mapping[str, str]) -> bargauge.Panel:
    """Horizontal bars as of now; `colors` by legend."""
    panel = (
        framed(bargauge.Panel(), about, queries, instant=True)
        .unit(COUNT)
        .min(0)
        .orientation(options.VizOrientation.HORIZONTAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .text(common.VizTextDisplayOptions().title_size(14).value_size(20))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .no_value("not known")
        .mappings([unknown("not known")])
    )
    for legend, color in colors.items():
        panel = panel.override_by_name(legend, [fixed(color)])
    return panel


def lines(
    about: About,
    *queries: Query,
    unit: str = COUNT,
    stacked: bool = False,
    bars_of: str = "",
    colors: Mapping[str, str] | None = None,
    most: float | None = None,
    limit: float | None = None,
    figures: Sequence[str] = (),
    points: int | None = None,
) -> timeseries.Panel:
    """Curves from 0 on.

    bars_of: the least interval of bars, drawn in place of curves.
    limit: a dashed line that is always in sight; figures: what the legend shows of each curve.
    points: the most points of each curve, where many series are counted for one.
    """
    panel = (
        framed(timeseries.Panel(), about, queries, instant=False)
        .unit(unit)
        .min(0)
        .legend(_legend(figures))
        .tooltip(
            common.VizTooltipOptions()
            .mode(options.TooltipDisplayMode.MULTI)
            .sort(options.SortOrder.DESCENDING)
        )
        .fill_opacity(25 if stacked else 0)
        .show_points(options.VisibilityMode.NEVER)
        .no_value("None known")
    )
    if bars_of:
        panel = panel.draw_style(options.GraphDrawStyle.BARS).fill_opacity(80).interval(bars_of)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
    for legend, color in (colors or {}).items():
        panel = panel.override_by_name(legend, [fixed(color)])
    panel = panel.max(most) if most is not None else panel
    panel = panel.max_data_points(points) if points else panel
    return _with_limit(panel, limit) if limit is not None else panel


def states(about: About, *queries: Query, values: Texts) -> statetimeline.Panel:
    """Return the states of each series over time; `values`: number to name and colour."""
    return (
        framed(statetimeline.Panel(), about, queries, instant=False)
        .mappings([mapping(values)])
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .thresholds(thresholds([(None, NEUTRAL)]))
        .merge_values(True)
        .show_value(options.VisibilityMode.NEVER)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(70)
        .legend(_legend(()))
        .no_value("None known")
    )


def framed(
    panel: Panel, about: About, queries: Sequence[Query], *, instant: bool, tabular: bool = False
) -> Panel:
    """Return the panel with its title, size and queries, and its runbook in the description."""
    link = f"{RUNBOOKS}#{about.runbook.lower()}"
    runbook = f"\n\n[Runbook: {about.runbook}]({link})" if about.runbook else ""
    return (
        panel.title(about.title)
        .description(about.description + runbook)
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


def fixed(color: str) -> model.DynamicConfigValue:
    """Return an override that gives a field one colour."""
    return model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


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


def _legend(figures: Sequence[str]) -> common.VizLegendOptions:
    kind = options.LegendDisplayMode
    return (
        common.VizLegendOptions()
        .display_mode(kind.TABLE if figures else kind.LIST)
        .calcs([*figures])
        .placement(options.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _with_limit(panel: timeseries.Panel, limit: float) -> timeseries.Panel:
    style = common.GraphThresholdsStyleConfig().mode(options.GraphTresholdsStyleMode.DASHED)
    panel = panel.thresholds(thresholds([(None, GOOD), (limit, BAD)])).thresholds_style(style)
    return panel.axis_soft_max(2 * limit if limit < 1 else limit)
