"""What the fleet's panels select, and the columns and links that its tables share."""

from palette_dashboards import frame
from palette_dashboards.panels import (
    BAD,
    GOOD,
    RUNBOOKS,
    WARN,
    Column,
)
from palette_dashboards.promql import (
    IN_NAMESPACE,
    Machines,
    Snapshots,
    recorded,
)

VMS = Machines(IN_NAMESPACE)
SNAPSHOTS = Snapshots(IN_NAMESPACE)

COVERAGE = (
    recorded("cluster_namespace:palette_vms_covered:sum")
    + " / "
    + recorded("cluster_namespace:palette_vms:count")
)
COMPLIANCE = (
    recorded("cluster_namespace:palette_vms_within_objective:sum")
    + " / "
    + recorded("cluster_namespace:palette_vms_with_objective:count")
)
RECORDED = "From the recording rules in deploy/prometheus/rules."

ALL_OR_NOT = ((None, WARN), (1, GOOD))
NONE_OR_WARN = ((None, GOOD), (1, WARN))
NONE_OR_BAD = ((None, GOOD), (1, BAD))

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
    Column(field="cluster_name", title="Cluster", link=TO_CLUSTER),
    Column(field="namespace", title="Namespace", link=TO_NAMESPACE),
    Column(field="vm", title="VM", link=TO_VM),
)
CLUSTER_UID = Column(field="cluster_uid", hidden=True)
YES_NO = {"0": ("no", GOOD), "1": ("yes", BAD)}
