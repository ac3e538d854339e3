"""Settings as the values of the modules that do not import them."""

from typing import Any

from exporter import settings as configuration
from exporter.metrics.exposition import RenderOptions
from exporter.refresh.targets import Target
from exporter.rollup import Objective


def targets(settings: configuration.Settings) -> list[Target]:
    """Return the targets."""
    return [Target(**dict(target)) for target in settings.targets]


def objective(setting: configuration.Objective) -> Objective:
    """Return an objective as the roll-up of VMs takes it."""
    # Plain numbers, without the text that the user wrote them as.
    given: dict[str, Any] = {
        key: float(value) if isinstance(value, float) else value for key, value in setting
    }
    return Objective(**{**given, "labels": tuple(setting.labels.items())})


def render_options(settings: configuration.Settings) -> RenderOptions:
    """Return what the settings say about series."""
    return RenderOptions(
        objectives=tuple(map(objective, settings.objectives)),
        owner_label=settings.labels.owner or "",
        vm_labels=settings.labels.vm,
        deny=settings.metrics.deny,
        max_series=settings.metrics.max_series,
    )
