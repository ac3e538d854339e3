"""Pieces of PromQL that several dashboards use.

A pair of exporters reading the same Palette, or a pod that was replaced, must not count anything
twice. So every metric is first reduced with `max by` to one series for what it is about.
"""

from exporter.verdict import PAST_DEADLINE, READY_WITHIN, WITHOUT_DEADLINE
from palette_dashboards.values import DAY

CLUSTER = "cluster_uid, cluster_name"
NAMESPACE = f"{CLUSTER}, namespace"
VM = f"{NAMESPACE}, vm"
SNAPSHOT = f"{VM}, snapshot"

IN_CLUSTER = 'cluster_name=~"$cluster"'
IN_NAMESPACE = f'{IN_CLUSTER}, namespace=~"$namespace"'
OF_OWNER = f'{IN_NAMESPACE}, owner=~"$owner"'
"""The selectors of the fleet's variables. Without a chosen owner: all, and VMs without one."""

OF_VM = 'cluster_name="$cluster", namespace="$namespace", vm="$vm"'
"""The one machine of its dashboard: a regular expression would match others, as a dot does."""


def in_days(seconds: str) -> str:
    """Return durations in days, the unit of DURATION."""
    return f"({seconds}) / {DAY}"


def once(by: str, series: str) -> str:
    """Return one series for each combination of the labels `by`."""
    return f"max by ({by}) ({series})"


def count(vector: str, *, of: str) -> str:
    """Return how many series there are; 0 where there is none of `of`, nothing without `of`.

    A 0 without anything to count from would look as if all were well.
    """
    return f"count({vector}) or 0 * count({of})"


def grown(counter: str) -> str:
    """Return by how much a counter grew in the time shown; one that is new began at 0."""
    return f"round(({counter} unless {counter} offset $__range) or increase({counter}[$__range]))"


def exporters_up(build_info: str) -> str:
    """Return the share of the exporters that are up, of those that build_info knew of.

    So that no other job counts, whatever else this Prometheus scrapes.
    """
    return f"avg(up and on (job, instance) last_over_time({build_info}[$__range]))"


def tagged(vector: str, **labels: str) -> str:
    """Return the vector with constant labels attached."""
    for name, value in labels.items():
        vector = f'label_replace({vector}, "{name}", "{value}", "", "")'
    return vector


def recorded(record: str) -> str:
    """Return the sum of a recording rule's series over the namespaces selected."""
    return "sum(" + once(NAMESPACE, f"{record}{{{IN_NAMESPACE}}}") + ")"


class Machines:
    """Metrics of the virtual machines that `where` selects, each machine once."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __call__(self, metric: str, *, offset: str = "") -> str:
        """Return `palette_vm_<metric>`, each machine once."""
        return once(VM, f"{self.every(metric)}{offset}")

    def every(self, metric: str) -> str:
        """Return `palette_vm_<metric>` of each exporter, which is enough to see that it exists."""
        return f"palette_vm_{metric}{{{self._where}}}"

    @property
    def gap(self) -> str:
        """Seconds since the recovery point, else since the VM was created."""
        newest = self("last_restorable_snapshot_timestamp_seconds")
        return f"(time() - ({newest} or {self('created_timestamp_seconds')}))"

    @property
    def overdue(self) -> str:
        """Seconds past the objective's deadline, of the machines that miss it."""
        return f"(time() - {self('snapshot_objective_deadline_timestamp_seconds')} > 0)"

    @property
    def objective_used(self) -> str:
        """The share of the machine's own objective that is used; above 1 it is missed."""
        deadline = self("snapshot_objective_deadline_timestamp_seconds")
        objective = self("snapshot_objective_seconds")
        return f"(1 + (time() - {deadline}) / {objective})"


class Snapshots:
    """Metrics of the snapshots that `where` selects, each snapshot once."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __call__(
        self, metric: str, *, and_where: str = "", over: str = "", having: str = ""
    ) -> str:
        """Return `palette_vm_snapshot_<metric>`; over: a range or an offset behind it.

        having: a comparison that one exporter's word is enough for. It comes first, as joining
        labels is what takes time with many snapshots.
        """
        where = f"{self._where}, {and_where}" if and_where else self._where
        return once(SNAPSHOT, f"palette_vm_snapshot_{metric}{{{where}}}{over}{having}")

    def every(self, metric: str) -> str:
        """Return `palette_vm_snapshot_<metric>` of each exporter, to see that it exists."""
        return f"palette_vm_snapshot_{metric}{{{self._where}}}"

    def highest(self, metric: str, window: str) -> str:
        """Return the highest value of a metric in a time window."""
        series = f"palette_vm_snapshot_{metric}{{{self._where}}}[{window}]"
        return once(SNAPSHOT, f"max_over_time({series})")

    def in_phase(self, phase: str) -> str:
        """Return the snapshots that are in a phase; `phase` is a regular expression."""
        return self("phase", and_where=f'phase=~"{phase}"', having=" == 1")

    def indicated(self, indications: str) -> str:
        """Return the snapshots that carry one of the indications, a regular expression."""
        return self("indication", and_where=f'indication=~"{indications}"')

    def turned(self, condition: str, *, having: str = "") -> str:
        """Return when a condition last changed."""
        metric = "condition_last_transition_timestamp_seconds"
        return self(metric, and_where=f'condition="{condition}"', having=having)

    @property
    def good(self) -> str:
        """Return the snapshots that would bring back data."""
        return self("restorable", having=" == 1")

    @property
    def deleting(self) -> str:
        """Return the snapshots whose deletion was requested."""
        return self("deletion_timestamp_seconds")

    @property
    def lost(self) -> str:
        """Return the snapshots that succeeded long ago and are not ready."""
        taken = self("creation_timestamp_seconds")
        return (
            f"({self('ready')} == 0 and {self.in_phase('Succeeded')} "
            f"and time() - {taken} > {READY_WITHIN:g} unless {self.deleting})"
        )

    @property
    def stuck(self) -> str:
        """Return the snapshots that have neither succeeded nor failed past their deadline."""
        waiting = f"time() - {self('requested_timestamp_seconds')}"
        deadline = f"({self('failure_deadline_seconds')} > 0)"
        return (
            f"(({waiting} > {deadline} + {PAST_DEADLINE:g} "
            f"or {waiting} > {WITHOUT_DEADLINE:g} unless {deadline}) "
            f"unless {self.in_phase('Succeeded|Failed|Deleting')} "
            f"unless {self('ready')} == 1 unless {self.deleting})"
        )
