"""Recording rules: how many VMs are protected and within their objective, by namespace up."""

from dataclasses import replace

from palette_rules.options import Options
from palette_rules.promql import VM, indented, last, names
from palette_rules.rule import Group, Recording
from palette_rules.vms import DEADLINE

COMMENT = """\
Fleet views. Names are level:metric:operation; the level is what the series are about: a namespace
of a cluster, a cluster, or the fleet. A pair of exporters counts each VM once.

While a cluster is known and not read, its VMs stay in the totals and count as not protected, so
that no ratio improves because a cluster is lost. Exempt VMs do not count.
"""

CLUSTER = "cluster_uid, cluster_name"

WANTED = f"""\
unless on (job, instance, cluster_uid, namespace, exported_namespace, vm)
{last("palette_vm_exempt")} == 1"""


NAMES = names("palette_vm_restorable_snapshots")


def _machines(series: str) -> str:
    """Return one series for each VM that is not exempt."""
    return f"max by ({VM}) (\n  (\n{indented(series, 4)}\n  )\n{indented(WANTED)}\n)"


MACHINES = _machines(last("palette_vm_restorable_snapshots"))
PROMISED = _machines(last("palette_vm_snapshot_objective_seconds"))
WITHIN = _machines(f"(\n{indented(DEADLINE)}\n) >= time()")

UNPROTECTED = f"""\
sum by ({VM}) (
  max by ({VM}, reason) ({last("palette_vm_unprotected_volumes")})
)"""

PROTECTED = f"""\
{MACHINES} > 0
unless (
{indented(PROMISED)}
  unless
{indented(WITHIN)}
)
and {UNPROTECTED} == 0"""
"""A VM whose volumes are not known is not protected."""


def _by_namespace(aggregation: str, machines: str) -> str:
    return f"""\
{aggregation} by (cluster_uid, namespace) (
{indented(machines)}
)
* on (cluster_uid) group_left (cluster_name) (
{indented(NAMES)}
)"""


def _kept(record: str, value: str) -> str:
    """Return a value by namespace, and the last one for clusters that are not read."""
    return f"""\
{value}
or
last_over_time({record}[1h])
unless on (cluster_uid) max by (cluster_uid) ({last("palette_cluster_up")}) == 1
and on (cluster_uid) max_over_time(palette_cluster_up[23h:10m])"""


def _levels(metric: str, operation: str) -> tuple[Recording, ...]:
    """Return the sums of a recording rule by cluster and of the fleet."""
    namespace = f"cluster_namespace:{metric}:{operation}"
    cluster = f"cluster:{metric}:{operation}"
    return (
        Recording(name=cluster, expr=f"sum by ({CLUSTER}) ({namespace})"),
        Recording(name=f"fleet:{metric}:{operation}", expr=f"sum({cluster})"),
    )


def _ratios(name: str, part: str, whole: str) -> tuple[Recording, ...]:
    return tuple(
        Recording(name=f"{level}:{name}:ratio", expr=f"{level}:{part}\n/\n{level}:{whole}")
        for level in ("cluster_namespace", "cluster", "fleet")
    )


def _counted(metric: str, machines: str) -> tuple[Recording, ...]:
    record = f"cluster_namespace:{metric}:count"
    counted = _by_namespace("count", machines)
    return (Recording(name=record, expr=_kept(record, counted)), *_levels(metric, "count"))


def _summed(metric: str, machines: str, whole: str) -> tuple[Recording, ...]:
    """Return how many of the VMs that ``whole`` counts are in ``machines``; 0 where none is."""
    counted = f"{_by_namespace('count', machines)}\nor\n0 * {whole}"
    return (
        Recording(name=f"cluster_namespace:{metric}:sum", expr=counted),
        *_levels(metric, "sum"),
    )


def marked(group: Group, name: str) -> Group:
    """Return the group with a series that exists only while Prometheus evaluates the group.

    Without it, a Prometheus that did not load the alerts looks like one without any alert.
    """
    loaded = Recording(name="fleet:palette_rules:loaded", expr="vector(1)", labels={"rules": name})
    return replace(group, rules=(*group.rules, loaded))


def group(options: Options) -> Group:
    """Return the recording rules."""
    del options
    everything = "cluster_namespace:palette_vms:count"
    promised = "cluster_namespace:palette_vms_with_objective:count"
    volumes = "cluster_namespace:palette_unprotected_volumes:sum"
    return Group(
        name="palette-fleet.rules",
        comment=COMMENT,
        rules=(
            *_counted("palette_vms", MACHINES),
            *_summed("palette_vms_protected", PROTECTED, everything),
            *_ratios("palette_vm_protection", "palette_vms_protected:sum", "palette_vms:count"),
            *_counted("palette_vms_with_objective", PROMISED),
            *_summed("palette_vms_within_objective", WITHIN, promised),
            *_ratios(
                "palette_vm_objective_compliance",
                "palette_vms_within_objective:sum",
                "palette_vms_with_objective:count",
            ),
            Recording(
                name=volumes,
                expr=_kept(volumes, _by_namespace("sum", UNPROTECTED)),
            ),
            *_levels("palette_unprotected_volumes", "sum"),
            Recording(
                name="fleet:palette_clusters:count",
                expr="count(max by (cluster_uid) (max_over_time(palette_cluster_up[23h:10m]) "
                f"or {last('palette_cluster_up')}))",
            ),
            Recording(
                name="fleet:palette_clusters_read:ratio",
                expr=f"(sum(max by (cluster_uid) ({last('palette_cluster_up')})) or vector(0))\n/\n"
                "fleet:palette_clusters:count",
            ),
        ),
    )
