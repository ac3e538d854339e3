"""The dashboard of one virtual machine: its snapshots, what they hold, and how they came about."""

from collections.abc import Mapping

from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BigValueTextMode

from palette_dashboards import frame
from palette_dashboards.panels import (
    BAD,
    GOOD,
    NEUTRAL,
    NOTICE,
    WARN,
    About,
    AnyPanel,
    Column,
    Query,
    lines,
    rows,
    states,
    stats,
)
from palette_dashboards.promql import OF_VM, Machines, Snapshots

THIS = Machines(OF_VM)
SNAPSHOTS = Snapshots(OF_VM)

NONE_OR_WARN = ((None, GOOD), (1, WARN))
SOME_OR_NOT = ((None, BAD), (1, GOOD))
OBJECTIVE = ((None, GOOD), (1, BAD))
YES_GOOD = {"0": ("no", WARN), "1": ("yes", GOOD)}
YES_BAD = {"0": ("no", GOOD), "1": ("yes", BAD)}

STATES: Mapping[str, tuple[str, str]] = {
    "1": ("requested", "super-light-blue"),
    "2": ("in progress", NEUTRAL),
    "3": ("taken, not ready yet", NOTICE),
    "4": ("restorable", GOOD),
    "5": ("ready, but without disks", WARN),
    "6": ("data lost", "dark-red"),
    "7": ("failed", BAD),
    "8": ("being deleted", "purple"),
    "9": ("unknown", "text"),
}
SNAPSHOT = Column(field="snapshot", title="Snapshot", width=330)
IDENTITY = tuple(
    Column(field=name, hidden=True) for name in ("cluster_uid", "cluster_name", "namespace", "vm")
)


def build() -> model.Dashboard:
    """Return the dashboard."""
    return frame.build(
        uid=frame.VM,
        title="Palette snapshots / VM",
        description="The snapshots of one virtual machine: what state each is in, how old it is, "
        "and what it holds.",
        variables=[frame.cluster(), frame.namespace(), frame.machine(), frame.most()],
        since="now-6h",
        sections=[
            frame.Section(title="Now", panels=_now()),
            frame.Section(title="Timeline", panels=_timeline()),
            frame.Section(title="Snapshots", panels=[_snapshots()]),
            frame.Section(title="What they hold", panels=_contents()),
        ],
    )


def _state() -> str:
    """The number of the state of each snapshot; the first that applies is taken."""
    ready, lost = SNAPSHOTS("ready"), SNAPSHOTS.lost
    by_number = (
        (8, f"({SNAPSHOTS.deleting} or {SNAPSHOTS.in_phase('Deleting')})"),
        (7, SNAPSHOTS.in_phase("Failed")),
        (4, SNAPSHOTS.good),
        (5, f"({ready} == 1)"),
        (6, lost),
        (3, SNAPSHOTS.in_phase("Succeeded")),
        (2, SNAPSHOTS.in_phase("InProgress")),
        (9, SNAPSHOTS.in_phase("Unknown")),
        (1, ready),
    )
    return " or ".join(f"0 * {vector} + {number}" for number, vector in by_number)


def _now() -> list[AnyPanel]:
    def small(title: str, description: str, runbook: str = "", width: int = 3) -> About:
        return About(title=title, description=description, width=width, height=4, runbook=runbook)

    return [
        stats(
            small("Status", "Status of the virtual machine, as KubeVirt reports it."),
            Query(expr=THIS_STATUS, legend="{{status}}"),
            show=BigValueTextMode.NAME,
        ),
        stats(
            small(
                "Objective used",
                "The time without a restorable snapshot as a share of what the machine's own "
                "objective allows; above 100% it is missed. Nothing where it has no objective.",
                "PaletteVMSnapshotObjectiveMissed",
            ),
            Query(expr=THIS.objective_used),
            unit="percentunit",
            steps=OBJECTIVE,
        ),
        stats(
            small(
                "Nothing restorable for",
                "The time since the newest restorable snapshot was taken, or since the machine "
                "was created if there is none. What was written since could not be recovered.",
                "PaletteVMWithoutRestorableSnapshot",
            ),
            Query(expr=THIS.gap),
            unit="s",
        ),
        stats(
            small("Objective", "How old the newest restorable snapshot may be."),
            Query(expr=THIS("snapshot_objective_seconds")),
            unit="s",
        ),
        stats(
            small("How many", "How many snapshots there are.", "PaletteVMSnapshotsPilingUp", 2),
            Query(expr=THIS("snapshots")),
        ),
        stats(
            small("Restorable", "How many would bring back data.", width=2),
            Query(expr=THIS("restorable_snapshots")),
            steps=SOME_OR_NOT,
        ),
        stats(
            small("Failed", "How many have failed.", "PaletteSnapshotFailed", 2),
            Query(expr=THIS("failed_snapshots")),
            steps=NONE_OR_WARN,
        ),
        stats(
            small(
                "Last one failed",
                "Whether the snapshot that was requested last has failed.",
                "PaletteSnapshotFailed",
            ),
            Query(expr=THIS("last_snapshot_failed")),
            values=YES_BAD,
        ),
        stats(
            small(
                "Disks left out",
                "Disks that the storage cannot snapshot: no snapshot will ever hold them.",
                "PaletteSnapshotIncomplete",
            ),
            Query(expr=THIS("unsnapshottable_volumes")),
            steps=NONE_OR_WARN,
        ),
    ]


THIS_STATUS = f"max by (status) (palette_vm_status{{{OF_VM}}})"


def _timeline() -> list[AnyPanel]:
    latest = f"topk($rows, {SNAPSHOTS('requested_timestamp_seconds')})"
    return [
        states(
            About(
                title="States",
                description="What state each snapshot was in. Restorable is what counts: "
                "KubeVirt's Succeeded comes before the data can be used, and a snapshot may be "
                "ready without holding a disk. Only the latest are shown, as many as Rows says.",
                width=24,
                height=12,
            ),
            Query(expr=f"({_state()}) and {latest}", legend="{{snapshot}}"),
            values=STATES,
        ),
        lines(
            About(
                title="Time without a restorable snapshot",
                description="How old the newest restorable snapshot was, and the objective it "
                "has to stay below.",
                runbook="PaletteVMSnapshotObjectiveMissed",
            ),
            Query(expr=f"max({THIS.gap})", legend="nothing restorable for"),
            Query(
                expr=f"max({THIS('snapshot_objective_seconds')})",
                legend="objective",
            ),
            unit="s",
            bounds=(0, None),
            dashed=["objective"],
        ),
        lines(
            About(
                title="Ages",
                description="How old the data of each snapshot is; the newest, as many as Rows "
                "says.",
            ),
            Query(expr=f"bottomk($rows, {SNAPSHOTS('age_seconds')})", legend="{{snapshot}}"),
            unit="s",
            bounds=(0, None),
        ),
        lines(
            About(
                title="Snapshots over time",
                description="Snapshots of the machine: all, those that are ready to use, those "
                "that would bring back data, and those that failed.",
                width=24,
                height=7,
            ),
            *(
                Query(expr=f"sum({THIS(metric)})", legend=legend)
                for metric, legend in (
                    ("snapshots", "all"),
                    ("ready_snapshots", "ready"),
                    ("restorable_snapshots", "restorable"),
                    ("failed_snapshots", "failed"),
                )
            ),
            bounds=(0, None),
            colors={"all": NEUTRAL, "ready": NOTICE, "restorable": GOOD, "failed": BAD},
        ),
    ]


def _snapshots() -> AnyPanel:
    requested, taken = "requested_timestamp_seconds", "creation_timestamp_seconds"
    info = (
        "max by (cluster_uid, cluster_name, namespace, vm, snapshot, scheduled, deletion_policy, "
        f"content) (palette_vm_snapshot_info{{{OF_VM}}})"
    )
    return rows(
        About(
            title="Snapshots",
            description="All snapshots of the machine. An error is the last one there was; it "
            "may be old, and the snapshot good.",
            width=24,
            height=11,
        ),
        [
            Query(expr=info),
            Query(expr=_state()),
            Query(expr=SNAPSHOTS("age_seconds")),
            Query(expr=f"{SNAPSHOTS(requested)} * 1000"),
            Query(expr=f"{SNAPSHOTS(taken)} - {SNAPSHOTS(requested)}"),
            Query(expr=SNAPSHOTS("failure_deadline_seconds")),
            Query(expr=SNAPSHOTS("included_volumes")),
            Query(expr=SNAPSHOTS("excluded_volumes")),
            Query(expr=SNAPSHOTS("error")),
            Query(expr=f"{SNAPSHOTS('error_timestamp_seconds')} * 1000"),
        ],
        [
            SNAPSHOT,
            Column(field="Value #B", title="State", values=STATES, width=190),
            Column(field="Value #C", title="Age", unit="s"),
            Column(field="Value #D", title="Requested", unit="dateTimeAsIso", width=170),
            Column(field="Value #E", title="Taken after", unit="s"),
            Column(field="Value #F", title="Deadline", unit="s"),
            Column(field="Value #G", title="Disks held", width=90),
            Column(field="Value #H", title="Left out", width=80),
            Column(field="scheduled", title="Scheduled", width=90),
            Column(field="deletion_policy", title="On deletion", width=100),
            Column(
                field="Value #I", title="Error", values={"0": ("", "text"), "1": ("yes", NOTICE)}
            ),
            Column(field="Value #J", title="Error at", unit="dateTimeAsIso", width=170),
            Column(field="content", title="Content"),
            Column(field="Value #A", hidden=True),
            *IDENTITY,
        ],
        sort="Requested",
    )


def _contents() -> list[AnyPanel]:
    latest = f"topk($rows, {SNAPSHOTS('requested_timestamp_seconds')})"
    conditions = (
        "max by (cluster_uid, cluster_name, namespace, vm, snapshot, condition, status) "
        f"(palette_vm_snapshot_condition{{{OF_VM}}} == 1)"
    )
    turned = (
        "max by (cluster_uid, cluster_name, namespace, vm, snapshot, condition) "
        f"(palette_vm_snapshot_condition_last_transition_timestamp_seconds{{{OF_VM}}})"
    )
    on = "on (cluster_uid, namespace, vm, snapshot, condition)"
    return [
        lines(
            About(
                title="Volumes",
                description="How many volumes the restorable snapshots hold and leave out: the "
                "least and the most that any of them does.",
                width=8,
                height=9,
                runbook="PaletteSnapshotIncomplete",
            ),
            *(
                Query(
                    expr=f"{least_or_most}({SNAPSHOTS(f'{kind}_volumes')} and {SNAPSHOTS.good})",
                    legend=legend,
                )
                for least_or_most, kind, legend in (
                    ("min", "included", "held, least"),
                    ("max", "included", "held, most"),
                    ("max", "excluded", "left out, most"),
                )
            ),
            bounds=(0, None),
            colors={"held, least": GOOD, "held, most": NEUTRAL, "left out, most": WARN},
        ),
        rows(
            About(
                title="Indications",
                description="How the latest snapshots were taken: Online of a running machine, "
                "GuestAgent with its file systems frozen, NoGuestAgent, QuiesceTimeout, "
                "QuiesceFailed or Paused without, PartialSnapshot with a disk left out. None "
                "for a machine that was off.",
                width=8,
                height=9,
                runbook="PaletteVMOnlyCrashConsistent",
            ),
            [
                Query(
                    expr="max by (snapshot, indication) "
                    f"(palette_vm_snapshot_indication{{{OF_VM}}}) "
                    f"and on (snapshot) {latest}"
                )
            ],
            [Column(field=r"snapshot\indication", title="Snapshot", width=280)],
            sort="Snapshot",
            transform=[
                model.DataTransformerConfig(
                    id_val="groupingToMatrix",
                    options={
                        "columnField": "indication",
                        "rowField": "snapshot",
                        "valueField": "Value",
                        "emptyValue": "empty",
                    },
                )
            ],
        ).mappings([model.ValueMap(options={"1": model.ValueMappingResult(text="yes", index=0)})]),
        rows(
            About(
                title="Conditions",
                description="The conditions of the latest snapshots and since when each has "
                "been so.",
                width=8,
                height=9,
            ),
            [
                Query(
                    expr=f"({turned} * {on} group_right () {conditions} or NaN * {conditions}) "
                    f"* 1000 and on (cluster_uid, namespace, vm, snapshot) {latest}"
                )
            ],
            [
                SNAPSHOT,
                Column(field="condition", title="Condition", width=100),
                Column(field="status", title="Status", width=80),
                Column(field="Value", title="Since", unit="dateTimeFromNow"),
                *IDENTITY,
            ],
            sort="Snapshot",
        ),
    ]
