"""Parts of the rules' PromQL."""

GAP = "5m"
"""The time for which a series can be missing before its alerts end. Scrapes fail and pods are
replaced, and an instant query would then restart the wait of each alert."""

VM = "cluster_uid, namespace, exported_namespace, vm, owner"
"""A virtual machine in the result of a rule. Where a Prometheus overrides honor_labels, the
namespace of the VM arrives as exported_namespace."""

SNAPSHOT = f"{VM}, snapshot"

SAME_VM = "job, instance, cluster_uid, namespace, exported_namespace, vm"
"""A virtual machine as one exporter reports it."""

SAME_SNAPSHOT = f"{SAME_VM}, snapshot"

CLUSTER_OUTAGES = "PaletteCluster(Unreadable|Stale|Gone)"


def last(metric: str, matchers: str = "") -> str:
    """Return the latest value of each series, for GAP after it was last scraped."""
    selector = f"{metric}{{{matchers}}}" if matchers else metric
    return f"last_over_time({selector}[{GAP}])"


def indented(text: str, by: int = 2) -> str:
    """Return the text with every line indented."""
    return "\n".join(" " * by + line if line else line for line in text.strip("\n").split("\n"))


LIMIT = f"""\
clamp_min(5 * {last("palette_exporter_refresh_interval_seconds")}, 600)
+ on (job, instance) group_left ()
2 * {last("palette_exporter_round_seconds")}"""
"""Per exporter: the age in seconds at which the data of a cluster is old."""

_AGE = f"time() - {last('palette_cluster_last_success_timestamp_seconds')}"

OLD = f"""\
(
  {_AGE}
    > on (job, instance) group_left () (
{indented(LIMIT, 6)}
    )
  or
  {_AGE} > 600
    unless on (job, instance) {last("palette_exporter_refresh_interval_seconds")}
  or
  max_over_time(palette_cluster_up[10m]) == 0
    unless on (job, instance, cluster_uid) {last("palette_cluster_last_success_timestamp_seconds")}
)"""
"""Per exporter and cluster: the data is too old for an alert to begin with it."""


def names(metric: str) -> str:
    """Return one series of value 1 for each cluster, with the name that is not its uid if known.

    metric: names the clusters, too, where palette_cluster_up is missing.
    """
    known = "last_over_time(palette_cluster_up[10m])"
    unnamed = 'label_replace({}, "cluster_name", "$1", "cluster_uid", "(.+)")'
    each = f"group by (cluster_uid, cluster_name) ({known} or {last(metric)})"
    uids = unnamed.format(f"group by (cluster_uid) ({known} or {last(metric)})")
    return f"""\
topk by (cluster_uid) (
  1,
  {each}
  unless on (cluster_uid, cluster_name)
  {uids}
)
or on (cluster_uid)
{uids}"""


def still_firing(alert: str, severity: str, labels: str) -> str:
    """Return the alerts that were firing when their cluster, or every exporter, got lost.

    Nothing is known about them: they go on firing until the cluster is read again.
    """
    firing = (
        f"max by (cluster_name, {labels}) (\n"
        f'  ALERTS{{alertname="{alert}", alertstate="firing", severity="{severity}"}}\n)'
    )
    return f"""\
(
{indented(firing)}
  and on (cluster_uid) ALERTS{{alertname=~"{CLUSTER_OUTAGES}"}}
  or
{indented(firing)}
  and on () ALERTS{{alertname="PaletteExporterDown", namespace="", severity="critical"}}
)"""


def lasting(
    condition: str,
    *,
    metric: str,
    alert: str,
    severity: str,
    labels: str = VM,
) -> str:
    """Return a condition as one alert for each VM (or snapshot), however many exporters report it.

    condition: per exporter. metric: names the clusters, see ``names``.
    """
    return f"""\
max by ({labels}) (
  (
{indented(condition, 4)}
  )
  unless on (job, instance, cluster_uid)
{indented(OLD)}
)
* on (cluster_uid) group_left (cluster_name) (
{indented(names(metric))}
)
or
{still_firing(alert, severity, labels)}
"""
