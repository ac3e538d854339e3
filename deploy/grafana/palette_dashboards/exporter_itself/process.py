"""The panels about the exporter's process and its scrapes."""

from palette_dashboards.exporter_itself.selection import OWN, of_process, rate
from palette_dashboards.panels import COUNT, RATIO, SECONDS, About, AnyPanel, Query, lines, stats


def process() -> list[AnyPanel]:
    """Return the panels about resources of the selected exporters."""
    files = f"{_of('process_open_fds')} / {_of('process_max_fds')}"
    return [
        _course(
            "CPU",
            "Processor cores used; the exporter can use one at most.",
            of_process(rate("process_cpu_seconds_total")),
            "short",
        ),
        _course("Memory", "Resident memory.", _of("process_resident_memory_bytes"), "bytes"),
        _course("Open files", "Open file descriptors as a share of the limit.", files, RATIO),
        stats(
            About(title="Started", description="Start time of the process.", width=6),
            Query(expr=f"{_of('process_start_time_seconds')} * 1000", legend="{{instance}}"),
            unit="dateTimeFromNow",
        ),
        _course(
            "Scrape time",
            "Duration of the scrape by Prometheus.",
            _of("scrape_duration_seconds"),
            SECONDS,
        ),
        _course(
            "Samples", "Number of samples in each scrape.", _of("scrape_samples_scraped"), COUNT
        ),
    ]


def _of(metric: str) -> str:
    return of_process(f"{metric}{{{OWN}}}")


def _course(title: str, description: str, expr: str, unit: str) -> AnyPanel:
    about = About(title=title, description=description, width=6)
    return lines(about, Query(expr=expr, legend="{{instance}}"), unit=unit)
