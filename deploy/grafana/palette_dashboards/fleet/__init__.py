"""The dashboard of the whole fleet: would the snapshots save it, and where would they not."""

from collections.abc import Sequence

from grafana_foundation_sdk.models import dashboard as model

from palette_dashboards import frame
from palette_dashboards.fleet import changes, machines, now, overview, trends


def build(alerts: Sequence[str]) -> model.Dashboard:
    """Return the dashboard; alerts: the names of those there are, for links to the runbooks."""
    names = tuple(alerts)
    first = [*now.believed(), *now.verdict(), overview.firing(names), overview.clusters()]
    return frame.build(
        uid=frame.FLEET,
        title="Palette snapshots / Fleet",
        description="Whether the snapshots of the virtual machines on Palette would save them.",
        variables=[frame.cluster(), frame.namespace(), frame.owner(), frame.most()],
        since="now-24h",
        sections=[
            frame.Section(title="", panels=[*first, overview.trend()]),
            frame.Section(title="VMs to act on", panels=machines.worst()),
            frame.Section(title="VMs in trouble", panels=machines.troubles(names)),
            frame.Section(title="Namespaces", panels=[overview.namespaces()], opened=False),
            frame.Section(title="Over time", panels=trends.trends(), opened=False),
            frame.Section(title="Oldest snapshots", panels=changes.ages(), opened=False),
            frame.Section(title="What changed", panels=changes.changes(), opened=False),
        ],
    )
