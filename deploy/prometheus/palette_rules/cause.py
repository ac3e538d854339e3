"""A problem of a virtual machine, and the alert that reports it."""

from dataclasses import dataclass

from palette_rules.options import Options
from palette_rules.promql import SAME_SNAPSHOT, SAME_VM, VM, indented, last, lasting
from palette_rules.rule import Alert

VM_TEXT = (
    "VM {{ or $labels.exported_namespace $labels.namespace }}/{{ $labels.vm }} on cluster "
    "{{ $labels.cluster_name }}"
)
VM_PAGE = (
    "/vms/{{ $labels.cluster_uid }}/{{ or $labels.exported_namespace $labels.namespace }}"
    "/{{ $labels.vm }}"
)

EXEMPT = f"""\
unless on ({SAME_VM}) (
  {last("palette_vm_exempt")} == 1
  or
  {last("palette_vm_deletion_timestamp_seconds")}
)"""
"""A VM that is exempt or being deleted has no problem."""

NEWEST = f"""\
unless on ({SAME_SNAPSHOT})
  {last("palette_vm_snapshot_requested_timestamp_seconds")}
    < on ({SAME_VM}) group_left ()
  max by ({SAME_VM}) ({last("palette_vm_snapshot_requested_timestamp_seconds")})"""
"""Keeps the newest snapshot of a VM; one without a readable time counts as the newest."""

NOT_DELETING = (
    f"unless on ({SAME_SNAPSHOT}) {last('palette_vm_snapshot_deletion_timestamp_seconds')}"
)


def phase(names: str) -> str:
    """Return the snapshots in one of the phases, a regular expression."""
    return f"{last('palette_vm_snapshot_phase', f'phase=~`{names}`')} == 1"


def looked_up(query: str, form: str, missing: str = "unknown") -> str:
    """Return a template that prints the value of a query about the alert's VM.

    query: with %s in the place of the VM's matchers. missing: where the query finds nothing.
    """
    matchers = "cluster_uid='%s',namespace='%s',exported_namespace='%s',vm='%s'"
    arguments = " ".join(
        f"$labels.{label}" for label in ("cluster_uid", "namespace", "exported_namespace", "vm")
    )
    return (
        f'{{{{ with printf "{query.replace("%s", matchers)}" {arguments} | query }}}}'
        f"{{{{ . | first | value | {form} }}}}{{{{ else }}}}{missing}{{{{ end }}}}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause; the other fields are those of ``Alert``.

    condition: PromQL, evaluated per exporter.
    metric: names the clusters, see ``promql.names``.
    labels: what there is one alert for.
    """

    key: str
    name: str
    severity: str
    condition: str
    summary: str
    description: str
    wait: str = "15m"
    # Longer than a cluster-wide alert and shorter than a missed objective, which hold this alert
    # back: a "resolved" is sent only if the alert was.
    keep: str = "10m"
    metric: str = "palette_vm_restorable_snapshots"
    labels: str = VM

    def alert(self, options: Options) -> Alert:
        """Return the alert; a VM that is exempt or being deleted has none."""
        expr = lasting(
            f"(\n{indented(self.condition)}\n)\n{EXEMPT}",
            metric=self.metric,
            alert=self.name,
            severity=options.severity(self.key, self.severity),
            labels=self.labels,
        )
        return Alert(
            key=self.key,
            name=self.name,
            expr=expr,
            severity=self.severity,
            summary=self.summary,
            description=self.description,
            wait=self.wait,
            keep=self.keep,
            page=VM_PAGE,
        )
