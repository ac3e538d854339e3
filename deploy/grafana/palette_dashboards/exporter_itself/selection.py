"""The label selectors of the panels about the exporter."""

from palette_dashboards.promql import CLUSTER, IN_CLUSTER, once

OF_JOB = 'job=~"$job"'
OWN = f'{OF_JOB}, instance=~"$instance"'
BOTH = f"{IN_CLUSTER}, {OWN}"
BUILD_INFO = f"palette_exporter_build_info{{{OWN}}}"

UP = once(CLUSTER, f"palette_cluster_up{{{BOTH}}}")
LAST_READ = once(CLUSTER, f"palette_cluster_last_success_timestamp_seconds{{{BOTH}}}")
DURATION_OF_REFRESH = once(CLUSTER, f"palette_cluster_refresh_duration_seconds{{{BOTH}}}")


def rate(metric: str, where: str = OWN) -> str:
    """Return a counter's growth per second."""
    return f"rate({metric}{{{where}}}[$__rate_interval])"


def of_process(series: str) -> str:
    """Return one series for each exporter, whatever other jobs Prometheus scrapes."""
    return f"max by (instance) ({series} and on (job, instance) {BUILD_INFO})"
