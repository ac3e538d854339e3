"""The label selectors of the panels about one machine."""

from palette_dashboards.promql import OF_VM, Machines, Snapshots

THIS = Machines(OF_VM)
SNAPSHOTS = Snapshots(OF_VM)
IDENTITY_LABELS = "cluster_uid, cluster_name, namespace, vm"
