"""Texts and colours that panels show for values, and for missing ones."""

from collections.abc import Mapping, Sequence

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


def unknown(text: str) -> model.SpecialValueMap:
    """Return a grey text in place of no value, which would take the colour of the least one."""
    shown = model.ValueMappingResult(text=text, color="text", index=99)
    match = model.SpecialValueMatch.NULL_AND_NAN
    return model.SpecialValueMap(
        options=model.DashboardSpecialValueMapOptions(match=match, result=shown)
    )
