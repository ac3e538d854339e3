"""The panels about requests to Palette and its rate limit."""

from collections.abc import Mapping

from palette_dashboards.exporter_itself.selection import OWN, rate
from palette_dashboards.panels import (
    BAD,
    GOOD,
    RATIO,
    SECONDS,
    WARN,
    About,
    AnyPanel,
    Query,
    lines,
)

PALETTE_LIMIT = 50
"""Requests per second that Palette allows a source address below /v1/spectroclusters."""
REFUSED_LIMIT = 0.05
"""The share of refused requests above which PaletteExporterRateLimited fires."""

CLUSTER_CALLS = 'endpoint=~"/v1/spectroclusters.*"'
REQUESTS = "palette_exporter_api_requests_total"
BUCKET = "palette_exporter_api_request_duration_seconds_bucket"


def requests() -> list[AnyPanel]:
    """Return curves of the requests."""
    return [*_budget(), *_answers()]


def _budget() -> list[AnyPanel]:
    refused = f"""sum by (instance) ({rate(REQUESTS, f'{OWN}, code="429"')})"""
    every = f"sum by (instance) ({rate(REQUESTS)})"
    below = f"sum({rate(REQUESTS, f'{OWN}, {CLUSTER_CALLS}')})"
    throttled = rate("palette_exporter_api_throttle_seconds_total")
    return [
        lines(
            About(
                title="API budget",
                description="Requests per second of all selected exporters. The dashed line is "
                "Palette's limit of 50 for one source address, which other clients behind it "
                "share.",
                width=8,
                runbook="PaletteExporterRateLimited",
            ),
            Query(expr=below, legend="/v1/spectroclusters"),
            Query(expr=every, legend="{{instance}}, all"),
            unit="reqps",
            limit=PALETTE_LIMIT,
        ),
        lines(
            About(
                title="Refused",
                description="Share of the requests that Palette answers with 429. Above 5% for a "
                "quarter of an hour, an alert fires.",
                width=8,
                runbook="PaletteExporterRateLimited",
            ),
            Query(expr=f"({refused} or 0 * {every}) / {every}", legend="{{instance}}"),
            unit=RATIO,
            limit=REFUSED_LIMIT,
        ),
        lines(
            About(
                title="Throttled",
                description="Seconds that all requests together wait for the exporter's rate "
                "limit, per second. Above one, several requests wait at once.",
                width=8,
            ),
            Query(expr=f"sum by (instance) ({throttled})", legend="{{instance}}"),
            unit=SECONDS,
        ),
    ]


def _answers() -> list[AnyPanel]:
    slow = f"sum by (le, endpoint) ({rate(BUCKET)})"
    return [
        _requests_by(
            "code",
            "Answers",
            "Requests per second by HTTP status. Without a complete answer, it is error.",
            colors={"200": GOOD, "429": WARN, "error": BAD},
        ),
        lines(
            About(
                title="Request time",
                description="The 99th percentile, by endpoint.",
                width=8,
            ),
            Query(expr=f"histogram_quantile(0.99, {slow})", legend="{{endpoint}}"),
            unit=SECONDS,
        ),
        _requests_by("endpoint", "Endpoints", "Requests per second, by the path's template."),
    ]


def _requests_by(
    label: str, title: str, description: str, colors: Mapping[str, str] | None = None
) -> AnyPanel:
    return lines(
        About(title=title, description=description, width=8),
        Query(expr=f"sum by ({label}) ({rate(REQUESTS)})", legend=f"{{{{{label}}}}}"),
        unit="reqps",
        stacked=True,
        colors=colors,
    )
