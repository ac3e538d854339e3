"""The fleet as of now, and its worst machines."""

from palette_dashboards.fleet.selection import (
    ALL_OR_NOT,
    CLUSTER_UID,
    COMPLIANCE,
    COVERAGE,
    NONE_OR_BAD,
    NONE_OR_WARN,
    PLACE,
    RECORDED,
    SNAPSHOTS,
    VMS,
    YES_NO,
)
from palette_dashboards.panels import (
    BAD,
    GOOD,
    About,
    AnyPanel,
    Column,
    Query,
    rows,
    stats,
)
from palette_dashboards.promql import (
    CLUSTER,
    IN_CLUSTER,
    count,
    once,
)


def now() -> list[AnyPanel]:
    """Return the numbers at the top."""
    missed = f"{VMS.objective_used} > 1"
    unread = once(CLUSTER, f"palette_cluster_up{{{IN_CLUSTER}}}") + " == 0"
    return [
        stats(
            About(
                title="Virtual machines",
                description="How many virtual machines are watched as a whole, snapshots or not.",
                width=3,
                height=4,
            ),
            Query(expr=count(VMS("restorable_snapshots"))),
        ),
        stats(
            About(
                title="Coverage",
                description="Share of the virtual machines with at least one restorable "
                f"snapshot. {RECORDED}",
                width=3,
                height=4,
                runbook="PaletteVMWithoutRestorableSnapshot",
            ),
            Query(expr=COVERAGE),
            unit="percentunit",
            steps=ALL_OR_NOT,
        ),
        stats(
            About(
                title="Objective compliance",
                description="Share of the virtual machines with an objective whose newest "
                f"restorable snapshot is as recent as it asks. {RECORDED}",
                width=3,
                height=4,
                runbook="PaletteVMSnapshotObjectiveMissed",
            ),
            Query(expr=COMPLIANCE),
            unit="percentunit",
            steps=ALL_OR_NOT,
        ),
        stats(
            About(
                title="Objective missed",
                description="Virtual machines that have gone longer without a restorable "
                "snapshot than their own objective allows.",
                width=3,
                height=4,
                runbook="PaletteVMSnapshotObjectiveMissed",
            ),
            Query(expr=count(missed)),
            steps=NONE_OR_BAD,
        ),
        stats(
            About(
                title="Nothing to restore",
                description="Virtual machines without any restorable snapshot.",
                width=3,
                height=4,
                runbook="PaletteVMWithoutRestorableSnapshot",
            ),
            Query(expr=count(f"{VMS('restorable_snapshots')} == 0")),
            steps=NONE_OR_WARN,
        ),
        stats(
            About(
                title="Failed snapshots",
                description="Snapshots in the phase Failed. They stay until they are deleted.",
                width=3,
                height=4,
                runbook="PaletteSnapshotFailed",
            ),
            Query(expr=count(SNAPSHOTS.in_phase("Failed"))),
            steps=NONE_OR_WARN,
        ),
        stats(
            About(
                title="Data lost",
                description="Snapshots that succeeded more than half an hour ago and are not "
                "ready to use: their volume snapshots may be gone.",
                width=3,
                height=4,
                runbook="PaletteSnapshotDataLost",
            ),
            Query(expr=count(SNAPSHOTS.lost)),
            steps=NONE_OR_BAD,
        ),
        stats(
            About(
                title="Clusters not read",
                description="Clusters whose last refresh failed. What is shown of them is the "
                "last good state, or nothing.",
                width=3,
                height=4,
                runbook="PaletteClusterUnreadable",
            ),
            Query(expr=count(unread)),
            steps=NONE_OR_WARN,
        ),
    ]


def worst() -> list[AnyPanel]:
    """Return the rankings of machines."""
    worst = f"topk($rows, {VMS.objective_used})"
    bare = f"topk($rows, time() - {VMS('created_timestamp_seconds')} "
    bare += f"and {VMS('restorable_snapshots')} == 0)"
    return [
        rows(
            About(
                title="Furthest from their objective",
                description="The virtual machines that have used most of their objective: the "
                "time without a restorable snapshot (counted from the machine's creation if "
                "there is none) as a share of what the objective allows. Above 100% it is missed.",
                width=14,
                height=10,
                runbook="PaletteVMSnapshotObjectiveMissed",
            ),
            [
                Query(expr=worst),
                *(
                    Query(expr=f"{column} and {worst}")
                    for column in (
                        VMS.gap,
                        VMS("snapshot_objective_seconds"),
                        VMS("snapshots"),
                        VMS("restorable_snapshots"),
                        VMS("last_snapshot_failed"),
                    )
                ),
            ],
            [
                *PLACE,
                Column(
                    field="Value #A",
                    title="Objective used",
                    unit="percentunit",
                    steps=((None, GOOD), (1, BAD)),
                ),
                Column(field="Value #B", title="Nothing restorable for", unit="s"),
                Column(field="Value #C", title="Objective", unit="s"),
                Column(field="Value #D", title="Snapshots", width=90),
                Column(field="Value #E", title="Restorable", width=90),
                Column(field="Value #F", title="Last failed", width=90, values=YES_NO),
                CLUSTER_UID,
            ],
            sort="Objective used",
        ),
        rows(
            About(
                title="Nothing to restore",
                description="The virtual machines without any restorable snapshot, the oldest "
                "machines first.",
                width=10,
                height=10,
                runbook="PaletteVMWithoutRestorableSnapshot",
            ),
            [Query(expr=bare), Query(expr=f"{VMS('snapshots')} and {bare}")],
            [
                *PLACE,
                Column(field="Value #A", title="Age of the VM", unit="s"),
                Column(field="Value #B", title="Snapshots", width=90),
                CLUSTER_UID,
            ],
            sort="Age of the VM",
        ),
    ]
