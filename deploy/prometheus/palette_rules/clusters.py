"""Alerts about reading clusters, and about causes that affect most VMs of a cluster."""

from palette_rules.cause import EXEMPT
from palette_rules.options import Options
from palette_rules.promql import GAP, LIMIT, OLD, VM, indented, last, names, still_firing
from palette_rules.rule import Alert, Group
from palette_rules.vms import MISSED, UNPROTECTED, no_restorable

COMMENT = """\
Alerts about clusters. A cluster is read if any exporter reads it. These alerts hold back those
about the cluster's VMs, which keep their last state while nobody reads it.
"""

CLUSTER_TEXT = "Cluster {{ $labels.cluster_name }} ({{ $labels.cluster_uid }})"

NAMES = names("palette_cluster_up")

KNOWN = f"group by (cluster_uid) ({last('palette_cluster_up')})"

LAST_SUCCESS = "palette_cluster_last_success_timestamp_seconds"

AGE = f"""\
time() - max by (cluster_uid) (last_over_time({LAST_SUCCESS}[1d]))"""
"""Seconds since any exporter read the cluster, across restarts of the exporter."""

LONGEST_LIMIT = f"max(\n{indented(LIMIT)}\n)"

NOT_RUNNING = "Pending|Provisioning|Importing|Deleting|Pausing|Paused"
"""States in which a cluster is expected not to answer."""


def named(condition: str) -> str:
    """Return a condition by cluster_uid with the name of each cluster."""
    return f"""\
(
{indented(condition)}
)
* on (cluster_uid) group_left (cluster_name) (
{indented(NAMES)}
)"""


def _unreadable(options: Options) -> Alert:
    share = options.threshold("unread_share")
    condition = f"""\
{KNOWN}
and on (cluster_uid) (
  max by (cluster_uid) (max_over_time(palette_cluster_up[{GAP}])) == 0
  or
  max by (cluster_uid) (avg_over_time(palette_cluster_up[30m])) < {share}
  or
  {AGE}
    > on () group_left ()
  2 * {LONGEST_LIMIT}
)"""
    return Alert(
        key="cluster_unread",
        name="PaletteClusterUnreadable",
        severity="warning",
        expr=named(condition),
        summary="A cluster cannot be read from Palette, or not regularly.",
        description=f"{CLUSTER_TEXT}: most refreshes fail, or none has ended for a long time. What "
        "is known about its VMs is old, and no new alert about them starts.",
        page="/?cluster={{ $labels.cluster_uid }}",
    )


def _stale(options: Options) -> tuple[Alert, ...]:
    after = options.threshold("stale_after")
    # The second half: never read in the hour since the cluster is known.
    stale = f"""\
(
  {AGE} > {after}
  or
  max by (cluster_uid) (max_over_time(palette_cluster_up[1h])) == 0
    and max by (cluster_uid) (max_over_time(palette_cluster_up[10m] offset 55m)) == 0
    unless on (cluster_uid) {AGE}
)
unless on (cluster_uid) {AGE} <= on () group_left () {LONGEST_LIMIT}
and on (cluster_uid) {KNOWN}"""
    state = f"{last('palette_cluster_state', f'state=~`{NOT_RUNNING}`')} == 1"
    text = (
        f"{CLUSTER_TEXT} was not read for an hour or longer. Lost, failed and missing snapshots "
        "go unnoticed."
    )
    name = "PaletteClusterStale"
    summary = "A cluster was not read from Palette for an hour or longer."
    return (
        Alert(
            key="cluster_stale",
            name=name,
            severity="critical",
            expr=named(f"(\n{indented(stale)}\n)\nunless on (cluster_uid) {state}"),
            summary=summary,
            description=text,
            page="/?cluster={{ $labels.cluster_uid }}",
        ),
        Alert(
            key="cluster_stale_while_not_running",
            name=name,
            severity="warning",
            expr=named(f"(\n{indented(stale)}\n)\nand on (cluster_uid) {state}"),
            summary=summary,
            description=f"{text} Palette reports that the cluster is not running.",
            page="/?cluster={{ $labels.cluster_uid }}",
        ),
    )


def _gone(options: Options) -> Alert:
    exporter_up = f'max(up{{job="{options.job}"}} == 1)'
    return Alert(
        key="cluster_gone",
        name="PaletteClusterGone",
        severity="warning",
        expr=f"""\
topk by (cluster_uid) (
  1,
  max by (cluster_uid, cluster_name) (max_over_time(palette_cluster_up[1d]) * 0 + 1)
)
unless on (cluster_uid) {last("palette_cluster_up")}
and on () {exporter_up}""",
        summary="A cluster is no longer watched.",
        description=f"{CLUSTER_TEXT} was watched within the last day, and no exporter watches it "
        "now: Palette no longer lists it, the key lost its project, the configuration changed, or "
        "its exporter stopped. If that is intended, the alert ends within a day.",
    )


def _vms_vanished(options: Options) -> Alert:
    now = f"count by (cluster_uid) (max by ({VM}) ({last('palette_vm_restorable_snapshots')}))"
    before = (
        f"count by (cluster_uid) "
        f"(max by ({VM}) (last_over_time(palette_vm_restorable_snapshots[{GAP}] offset {{}})))"
    )
    hour, day = before.format("1h"), before.format("1d")
    highest = f"(({hour}) >= ({day}) or ({day}) or ({hour}))"
    share = options.threshold("vanished_share")
    return Alert(
        key="vms_vanished",
        name="PaletteClusterVMsVanished",
        severity="warning",
        expr=named(f"""\
{highest}
unless on (cluster_uid) {now} > {share} * {highest}
and on (cluster_uid) max by (cluster_uid) ({last("palette_cluster_up")}) == 1"""),
        summary="Many VMs of a cluster are no longer listed.",
        description=f"{CLUSTER_TEXT} can be read, and Palette lists less than half of the VMs it "
        "listed before ({{ $value }}). Their alerts have ended without being resolved.",
        page="/?cluster={{ $labels.cluster_uid }}",
    )


def _at_risk(options: Options, key: str, severity: str, bad: str, of: str, what: str) -> Alert:
    """Return an alert about a cause that most VMs of a cluster share.

    bad: the VMs that have the problem, per exporter; of: the VMs that could have it.
    """
    name = "PaletteClusterVMsAtRisk"
    number = f"""\
count by (cluster_uid) (
  max by ({VM}) (
    (
{indented(bad, 6)}
    )
{indented(EXEMPT, 4)}
    unless on (job, instance, cluster_uid)
{indented(OLD, 4)}
  )
)"""
    condition = f"""\
{number}
  >= {options.threshold("cluster_wide_vms")}
and on (cluster_uid)
{number}
  > {options.threshold("cluster_wide_share")} * count by (cluster_uid) (max by ({VM}) ({of}))"""
    firing = still_firing(name, options.severity(key, severity), "cluster_uid")
    return Alert(
        key=key,
        name=name,
        severity=severity,
        expr=f"{named(condition)}\nor\n{firing}",
        summary="Most VMs of a cluster have the same problem.",
        description=f"Most VMs of cluster {{{{ $labels.cluster_name }}}} "
        f"({{{{ $labels.cluster_uid }}}}) {what}. Look for a cause in the cluster: storage class, "
        "snapshot class, snapshot controller, schedules.",
        wait="10m",
        # Just shorter than what it holds back: what was sent before gets its "resolved", and what
        # was not has little time to be sent when all of it is over.
        keep="9m",
        page="/?cluster={{ $labels.cluster_uid }}",
    )


def _cluster_wide(options: Options) -> tuple[Alert, ...]:
    promised = last("palette_vm_snapshot_objective_seconds")
    return (
        _at_risk(
            options,
            "cluster_wide_critical",
            "critical",
            f"(\n{indented(MISSED)}\n)\nor\n(\n{indented(UNPROTECTED)}\n) and {promised}",
            promised,
            "miss their objective, or have data in no restorable snapshot",
        ),
        _at_risk(
            options,
            "cluster_wide_warning",
            "warning",
            f"""\
{no_restorable(options)}
or
{last("palette_vm_last_snapshot_failed")} == 1
or
(
{indented(UNPROTECTED)}
)
or
max without (snapshot) (
  {last("palette_vm_snapshot_ready")} == 1 and {last("palette_vm_snapshot_restorable")} == 0
)""",
            last("palette_vm_restorable_snapshots"),
            "have no restorable snapshot, a failed one or one that lacks data",
        ),
    )


def group(options: Options) -> Group:
    """Return the alerts about clusters."""
    return Group(
        name="palette-clusters",
        comment=COMMENT,
        rules=(
            _unreadable(options),
            *_stale(options),
            _gone(options),
            _vms_vanished(options),
            *_cluster_wide(options),
        ),
    )
