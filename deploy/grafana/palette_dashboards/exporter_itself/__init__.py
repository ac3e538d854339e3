"""The dashboard of the exporter itself: clusters that it reads, and resources that it uses."""

from grafana_foundation_sdk.models import dashboard as model

from palette_dashboards import frame
from palette_dashboards.exporter_itself.now import now
from palette_dashboards.exporter_itself.process import process
from palette_dashboards.exporter_itself.refreshes import refreshes
from palette_dashboards.exporter_itself.requests import requests


def build() -> model.Dashboard:
    """Return the dashboard."""
    return frame.build(
        uid=frame.EXPORTER,
        title="Palette snapshots / Exporter",
        description="Whether the exporter reads the clusters, and what it requests of Palette.",
        variables=[
            frame.choice(
                "job",
                "Job",
                "label_values(palette_exporter_build_info, job)",
                "Prometheus's job that scrapes the exporter.",
            ),
            frame.choice(
                "instance",
                "Instance",
                'label_values(palette_exporter_build_info{job=~"$job"}, instance)',
                "One of several exporters: a shard, or one of a pair.",
            ),
            frame.cluster(),
            frame.most(),
        ],
        since="now-3h",
        sections=[
            frame.Section(title="", panels=now()),
            frame.Section(title="Refreshes", panels=refreshes()),
            frame.Section(title="Requests to Palette", panels=requests()),
            frame.Section(title="The process", panels=process(), opened=False),
        ],
    )
