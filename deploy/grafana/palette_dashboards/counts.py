"""The curves of how many snapshots machines have."""

from palette_dashboards.panels import BAD, GOOD, NEUTRAL, NOTICE, About, AnyPanel, Query, lines
from palette_dashboards.promql import Machines

CURVES = {
    "all": ("snapshots", NEUTRAL),
    "ready": ("ready_snapshots", NOTICE),
    "restorable": ("restorable_snapshots", GOOD),
    "failed": ("failed_snapshots", BAD),
}
"""What each curve is called, the metric that it sums up, and its colour."""


def counts(about: About, machines: Machines, points: int | None = None) -> AnyPanel:
    """Return curves of the machines' snapshots; points: the most of each curve."""
    return lines(
        about,
        *(
            Query(expr=f"sum({machines(metric)})", legend=legend)
            for legend, (metric, _) in CURVES.items()
        ),
        colors={legend: color for legend, (_, color) in CURVES.items()},
        points=points,
    )
