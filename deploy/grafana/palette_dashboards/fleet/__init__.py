"""The dashboard of the whole fleet: would the snapshots save it, and where would they not."""

from collections.abc import Sequence

from grafana_foundation_sdk.models import dashboard as model

from palette_dashboards import frame
from palette_dashboards.fleet import changes, course, failures, now


def build(alerts: Sequence[str]) -> model.Dashboard:
    """Return the dashboard; alerts: the names of those there are, for links to the runbooks."""
    return frame.build(
        uid=frame.FLEET,
        title="Palette snapshots / Fleet",
        description="Whether the snapshots of the virtual machines on Palette would save them.",
        variables=[frame.cluster(), frame.namespace(), frame.most()],
        since="now-24h",
        sections=[
            frame.Section(title="Now", panels=now.now()),
            frame.Section(title="Worst virtual machines", panels=now.worst()),
            frame.Section(title="Failures", panels=failures.failures()),
            frame.Section(title="Course", panels=course.course()),
            frame.Section(title="Clusters and namespaces", panels=course.places()),
            frame.Section(title="Oldest and newest", panels=changes.ages()),
            frame.Section(title="What changed", panels=changes.changes()),
            frame.Section(title="What to do", panels=[failures.runbooks(alerts)]),
        ],
    )
