"""The dashboard of one virtual machine: its snapshots, their volumes and consistency."""

from grafana_foundation_sdk.models import dashboard as model

from palette_dashboards import frame
from palette_dashboards.machine.now import courses, now
from palette_dashboards.machine.snapshots import conditions, snapshots, timeline


def build() -> model.Dashboard:
    """Return the dashboard."""
    return frame.build(
        uid=frame.VM,
        title="Palette snapshots / VM",
        description="The snapshots of one virtual machine, with their states, ages and volumes.",
        variables=[
            frame.cluster(many=False),
            frame.namespace(many=False),
            frame.machine(),
            frame.most(),
        ],
        since="now-6h",
        sections=[
            frame.Section(title="", panels=[*now(), timeline(), *courses(), snapshots()]),
            frame.Section(title="Conditions", panels=[conditions()], opened=False),
        ],
    )
