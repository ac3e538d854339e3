"""The label selectors of the fleet's panels, and the columns and links of its tables."""

from palette_dashboards import frame
from palette_dashboards.panels import BAD, GOOD, RUNBOOKS
from palette_dashboards.promql import (
    IN_CLUSTER,
    OF_OWNER,
    Machines,
    Snapshots,
    recorded,
    tagged,
)
from palette_dashboards.tables import Column

VMS = Machines(OF_OWNER)
SNAPSHOTS = Snapshots(OF_OWNER)

PROTECTED = (
    recorded("cluster_namespace:palette_vms_protected:sum")
    + " / "
    + recorded("cluster_namespace:palette_vms:count")
)
COMPLIANCE = (
    recorded("cluster_namespace:palette_vms_within_objective:sum")
    + " / "
    + recorded("cluster_namespace:palette_vms_with_objective:count")
)
RECORDED = (
    "From the recording rules in deploy/prometheus/rules: the VMs of a cluster that is not read "
    "count as not protected, exempt VMs do not count, and Owner is not considered."
)

WATCHED = VMS.every("snapshots")
"""There is something to count from as long as this has series."""

WITHOUT = f"({VMS('restorable_snapshots')} == 0 unless {VMS('exempt')} == 1)"
"""The machines without any restorable snapshot that need one."""

KNOWN = f"palette_cluster_up{{{IN_CLUSTER}}}"
UNREAD = (
    f"group by (cluster_uid) (last_over_time({KNOWN}[1d]) unless on (cluster_uid) {KNOWN} == 1)"
)
"""Clusters that are not read now and were known in the last day, whatever became of them."""

SELECTED = "${datasource:queryparam}&${__url_time_range}"
TO_VM = (
    "Open this virtual machine",
    f"/d/{frame.VM}?{SELECTED}&var-cluster=${{__data.fields.cluster_name:percentencode}}"
    "&var-namespace=${__data.fields.namespace:percentencode}"
    "&var-vm=${__data.fields.vm:percentencode}",
)
TO_CLUSTER = (
    "Show only this cluster",
    f"/d/{frame.FLEET}?{SELECTED}&var-cluster=${{__data.fields.cluster_name:percentencode}}",
)
TO_NAMESPACE = (
    "Show only this namespace",
    f"{TO_CLUSTER[1]}&var-namespace=${{__data.fields.namespace:percentencode}}",
)
TO_RUNBOOK = ("Runbook", f"{RUNBOOKS}#${{__data.fields.runbook}}")

PLACE = (
    Column(field="cluster_name", title="Cluster", link=TO_CLUSTER, width=120),
    Column(field="namespace", title="Namespace", link=TO_NAMESPACE, width=105),
    Column(field="vm", title="VM", link=TO_VM, least_width=110),
)
SNAPSHOT = Column(field="snapshot", title="Snapshot", least_width=250)
CLUSTER_UID = Column(field="cluster_uid", hidden=True)
RUNBOOK = Column(field="runbook", hidden=True)
YES_NO = {"0": ("no", GOOD), "1": ("yes", BAD)}


RULES = ("clusters", "exporter", "recording", "snapshots", "vms")
"""The files of deploy/prometheus/rules that have to be loaded."""
RULES_OF_VMS = ("snapshots", "vms")

PENDING_OR_FIRING = 'alertstate=~"pending|firing"'
OF_SELECTED = 'cluster_name=~"$cluster", namespace=~"$namespace|", owner=~"$owner|"'


def alerts(where: str = PENDING_OR_FIRING) -> str:
    """Return the alerts of what is selected, and the exporter's own.

    Those carry no cluster and, in Kubernetes, the exporter's namespace.
    """
    ours = f'alertname=~"Palette.+", {where}'
    return f'(ALERTS{{{ours}, {OF_SELECTED}}} or ALERTS{{{ours}, cluster_name=""}})'


def loaded(*files: str) -> str:
    """Return a series if Prometheus evaluates these files; no alert is known of only then."""
    these = f'fleet:palette_rules:loaded{{rules=~"{"|".join(files)}"}}'
    return f"(count(group by (rules) ({these})) == {len(files)})"


def not_loaded(*files: str) -> str:
    """Return a series in the place of an alert for each of the files that is not evaluated."""
    missing = (
        tagged(
            f'absent(fleet:palette_rules:loaded{{rules="{file}"}})',
            alertname=f"Not evaluated: {file}.yaml",
        )
        for file in files
    )
    return tagged(f"sum by (alertname) ({' or '.join(missing)})", runbook="watchdog")


def in_trouble() -> str:
    """Count the VMs that have any alert, pending or firing."""
    where = f'alertname=~"Palette.+", vm!="", {PENDING_OR_FIRING}, {OF_SELECTED}'
    counted = f"count(group by (cluster_uid, namespace, vm) (ALERTS{{{where}}}))"
    return f"{counted} or 0 * {loaded(*RULES_OF_VMS)} and on () count({WATCHED})"


def with_runbook(vector: str, alerts: tuple[str, ...]) -> str:
    """Attach the anchor of its runbook to each alert, which PromQL cannot put in small letters."""
    for alert in alerts:
        vector = f'label_replace({vector}, "runbook", "{alert.lower()}", "alertname", "{alert}")'
    return vector
