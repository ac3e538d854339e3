"""The panels about the protection of the machine, now and over time."""

from palette_dashboards.counts import counts
from palette_dashboards.machine.selection import IDENTITY_LABELS, THIS
from palette_dashboards.panels import (
    ALL_OR_BAD,
    BAD,
    DURATION,
    GOOD,
    NEUTRAL,
    NONE_OR_BAD,
    RATIO,
    About,
    AnyPanel,
    Query,
    Texts,
    lines,
    names,
    none_or,
    stats,
)
from palette_dashboards.promql import OF_VM, in_days

PROTECTED: Texts = {
    "0": ("no", BAD),
    "1": ("yes", GOOD),
    "2": ("exempt", NEUTRAL),
    "3": ("not read", "text"),
}
YES_BAD: Texts = {"0": ("no", GOOD), "1": ("yes", BAD)}


def _protected() -> str:
    """1 where the machine is protected, 0 where it is not or something is not known, 2 exempt.

    3 while its cluster is not read: then the rest is what was known before.
    """
    restorable, objective = THIS("restorable_snapshots"), THIS("snapshot_objective_seconds")
    deadline = THIS("snapshot_objective_deadline_timestamp_seconds")
    held = f"({_unprotected()} == bool 0)"
    in_time = f"({deadline} >= bool time() or 1 + 0 * {restorable} unless {objective})"
    unread = f"{restorable} unless on (cluster_uid) palette_cluster_up == 1"
    return (
        f"0 * ({unread}) + 3 or 2 * ({THIS('exempt')} == 1) "
        f"or ({restorable} > bool 0) * {held} * {in_time} or 0 * {restorable}"
    )


def _unprotected() -> str:
    by_reason = f"max by ({IDENTITY_LABELS}, reason) (palette_vm_unprotected_volumes{{{OF_VM}}})"
    return f"sum by ({IDENTITY_LABELS}) ({by_reason})"


def _tile(title: str, description: str, runbook: str = "") -> About:
    return About(title=title, description=description, width=3, height=4, runbook=runbook)


def now() -> list[AnyPanel]:
    """Return the numbers at the top."""
    status = f"max by (status) (palette_vm_status{{{OF_VM}}}) == 1"
    machines = f'{{__name__=~"palette_vm_snapshots|palette_vm_snapshot_ready", {OF_VM}}}'
    return [
        stats(
            _tile(
                "Protected",
                "Whether the machine has a recovery point, within its objective if it has one, "
                "and no unprotected data volume. Not read: the others show what was known before.",
                "PaletteVMWithoutRestorableSnapshot",
            ),
            Query(expr=_protected()),
            values=PROTECTED,
        ),
        *_times(),
        *_counts(),
        names(
            _tile("Status", "The state of the virtual machine, as KubeVirt reports it."),
            status,
            "status",
        ),
        stats(
            _tile(
                "VMs matched",
                "Number of virtual machines with this name in clusters with this name. Several "
                "cannot be distinguished here.",
            ),
            Query(expr=f"count(group by (cluster_uid, namespace, vm) ({machines}))"),
            steps=((None, GOOD), (2, BAD)),
        ),
    ]


def _times() -> list[AnyPanel]:
    return [
        stats(
            _tile(
                "Data age",
                "The time since the recovery point, or since the machine was created if there is "
                "none. Data written since then cannot be recovered.",
                "PaletteVMWithoutRestorableSnapshot",
            ),
            Query(expr=in_days(THIS.gap)),
            unit=DURATION,
        ),
        stats(
            _tile(
                "RPO used",
                "The age of the recovery point as a share of what the machine's objective "
                "allows. Above 100% it is missed. Empty without an objective.",
                "PaletteVMSnapshotObjectiveMissed",
            ),
            Query(expr=THIS.objective_used),
            unit=RATIO,
            steps=((None, GOOD), (1, BAD)),
            absent="none known",
        ),
    ]


def _counts() -> list[AnyPanel]:
    return [
        stats(
            _tile("Restorable", "Number of restorable snapshots."),
            Query(expr=THIS("restorable_snapshots")),
            steps=ALL_OR_BAD,
        ),
        stats(
            _tile(
                "Unprotected",
                "Data volumes that the newest restorable snapshot does not hold.",
                "PaletteSnapshotIncomplete",
            ),
            Query(expr=_unprotected()),
            steps=none_or("unprotected_volumes"),
        ),
        stats(
            _tile(
                "Last failed",
                "Whether the most recently requested snapshot failed.",
                "PaletteSnapshotFailed",
            ),
            Query(expr=THIS("last_snapshot_failed")),
            steps=NONE_OR_BAD,
            values=YES_BAD,
        ),
    ]


def courses() -> list[AnyPanel]:
    """Return the age of the recovery point, and the counts of snapshots, over time."""
    objective = THIS("snapshot_objective_seconds")
    return [
        lines(
            About(
                title="Age in hours",
                description="The age of the recovery point, and the maximum that the objective "
                "allows.",
                height=7,
                runbook="PaletteVMSnapshotObjectiveMissed",
            ),
            Query(expr=f"max({THIS.gap}) / 3600", legend="data age"),
            Query(expr=f"max({objective}) / 3600", legend="objective"),
            unit="suffix: h",
            colors={"data age": NEUTRAL, "objective": BAD},
        ),
        counts(
            About(
                title="Counts",
                description="Snapshots of the machine: all, those that are ready to use, those "
                "that are restorable, and those that failed.",
                height=7,
            ),
            THIS,
        ),
    ]
