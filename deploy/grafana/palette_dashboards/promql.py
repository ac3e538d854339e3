"""Pieces of PromQL that several dashboards ask with.

A pair of exporters reading the same Palette, or a pod that was replaced, must not count anything
twice. So every metric is first reduced with `max by` to one series for what it is about.
"""

CLUSTER = "cluster_uid, cluster_name"
NAMESPACE = f"{CLUSTER}, namespace"
VM = f"{NAMESPACE}, vm"
SNAPSHOT = f"{VM}, snapshot"

IN_CLUSTER = 'cluster_name=~"$cluster"'
IN_NAMESPACE = f'{IN_CLUSTER}, namespace=~"$namespace"'
OF_VM = f'{IN_NAMESPACE}, vm=~"$vm"'
"""What the variables of a dashboard select, from the coarsest to the finest."""

STUCK_AFTER = 300
"""Seconds past its own deadline, as PaletteSnapshotStuckInProgress has it."""
STUCK_WITHOUT_DEADLINE = 3600
LOST_AFTER = 1800
"""Seconds after the data was taken, as PaletteSnapshotDataLost has it."""
STUCK_DELETING_AFTER = 1800


def once(by: str, series: str) -> str:
    """Return one series for each combination of the labels `by`."""
    return f"max by ({by}) ({series})"


def count(vector: str) -> str:
    """Return how many series there are, 0 where there is none."""
    return f"count({vector}) or vector(0)"


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
        """Return `palette_vm_<metric>`."""
        return once(VM, f"palette_vm_{metric}{{{self._where}}}{offset}")

    @property
    def gap(self) -> str:
        """Seconds without a restorable snapshot: since the newest, else since the VM was created.

        The same as PaletteVMSnapshotObjectiveMissed and the recording rules count.
        """
        newest = self("last_restorable_snapshot_timestamp_seconds")
        return f"(time() - ({newest} or {self('created_timestamp_seconds')}))"

    @property
    def objective_used(self) -> str:
        """The gap as a share of the machine's own objective; above 1 it is missed."""
        return f"({self.gap} / {self('snapshot_objective_seconds')})"


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
            f"and time() - {taken} > {LOST_AFTER} unless {self.deleting})"
        )

    @property
    def stuck(self) -> str:
        """Return the snapshots that have neither succeeded nor failed past their deadline."""
        waiting = f"time() - {self('requested_timestamp_seconds')}"
        deadline = f"({self('failure_deadline_seconds')} > 0)"
        return (
            f"(({waiting} > {deadline} + {STUCK_AFTER} "
            f"or {waiting} > {STUCK_WITHOUT_DEADLINE} unless {deadline}) "
            f"unless {self.in_phase('Succeeded|Failed|Deleting')} "
            f"unless {self('ready')} == 1 unless {self.deleting})"
        )
