"""Texts and colours that panels show for values, and for missing ones."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

Steps = Sequence[tuple[float | None, str]]
Texts = Mapping[str, tuple[str, str]]
"""The text and the colour for a value."""


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Return colours from the value on that stands with them; None: from the least on."""
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=color) for value, color in steps])
    )


def mapping(values: Texts) -> model.ValueMap:
    """Return texts and colours to show in place of values."""
    return model.ValueMap(
        options={
            value: model.ValueMappingResult(text=shown, color=color, index=place)
            for place, (value, (shown, color)) in enumerate(values.items())
        }
    )


MINUTE, HOUR, DAY = 60, 3600, 86_400
ROUNDED: Sequence[tuple[int, str]] = (
    (0, "under 1 min"),
    *((minutes * MINUTE, f"{minutes} min") for minutes in (1, 2, 3, 4, 5, 10, 15, 20, 30, 40, 50)),
    *((hours * HOUR, f"{hours} h") for hours in range(1, 48)),
    (2 * DAY, ""),
)
"""Durations below two days, in seconds, as people say them; what is between goes to the nearest."""


def durations() -> Iterator[model.RangeMap]:
    """Yield the texts of durations in days that are shorter than two.

    No unit of Grafana writes both 26 h and 8 d: they are 1.08 days and 1.14 weeks, or 1 day, 2
    hours and 1 week, 1 day.
    """
    begin = -0.001
    for place, ((seconds, text), (following, _)) in enumerate(pairwise(ROUNDED)):
        end = round((seconds + following) / 2 / DAY, 6)
        shown = model.ValueMappingResult(text=text, index=place)
        options = model.DashboardRangeMapOptions(from_val=begin, to=end, result=shown)
        yield model.RangeMap(options=options)
        begin = end


def unknown(text: str) -> model.SpecialValueMap:
    """Return a grey text in place of no value, which would take the colour of the least one."""
    shown = model.ValueMappingResult(text=text, color="text", index=99)
    match = model.SpecialValueMatch.NULL_AND_NAN
    return model.SpecialValueMap(
        options=model.DashboardSpecialValueMapOptions(match=match, result=shown)
    )
