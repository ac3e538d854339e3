"""Alerts about virtual machines, one for each VM and cause."""

from palette_rules.cause import NEWEST, VM_TEXT, Cause, looked_up
from palette_rules.options import Options
from palette_rules.promql import SAME_SNAPSHOT, SAME_VM, indented, last
from palette_rules.rule import Group

COMMENT = """\
Alerts about virtual machines (VMs): one for each VM and cause, however many snapshots it has and
however many exporters report it.
"""

DEADLINE = f"""\
{last("palette_vm_snapshot_objective_deadline_timestamp_seconds")}
or
{last("palette_vm_snapshot_objective_seconds")} + (
  {last("palette_vm_last_restorable_snapshot_timestamp_seconds")}
  or
  {last("palette_vm_created_timestamp_seconds")}
)
or
0 * {last("palette_vm_snapshot_objective_seconds")}"""
"""The time at which the VM misses its recovery point objective; 0 if no time is known."""

RENAMED = "16m"
"""How long a missed objective goes on firing: longer than a new one waits, so that there is always
one while the labels change because a cluster got another name."""

MISSED = f"""\
(
{indented(DEADLINE)}
) < time()"""

STOPPED = f"{last('palette_vm_status', 'status=~`Stopped|Halted`')} == 1"

HAS_OBJECTIVE = "\nor\n".join(
    last(f"palette_vm_snapshot_objective_{name}")
    for name in ("seconds", "min_snapshots", "max_snapshots", "max_age_seconds", "quiesced")
)

UNPROTECTED = f"""\
sum without (reason) ({last("palette_vm_unprotected_volumes")}) > 0
or
max without (snapshot, indication) (
  {last("palette_vm_snapshot_indication", "indication=`PartialSnapshot`")} == 1
  and on ({SAME_SNAPSHOT}) {last("palette_vm_snapshot_restorable")} == 1
{indented(NEWEST)}
)
unless on ({SAME_VM}) {last("palette_vm_unprotected_volumes")}"""
"""If the volumes of the VM are not known, only the indication reports one that is left out."""

CRASH_CONSISTENT = f"""\
{last("palette_vm_snapshot_restorable")} == 1
and on ({SAME_SNAPSHOT}) (
  {last("palette_vm_snapshot_indication", "indication=~`QuiesceTimeout|QuiesceFailed|Paused`")} == 1
  or
  {last("palette_vm_snapshot_indication", "indication=`Online`")} == 1
    unless on ({SAME_SNAPSHOT})
  {last("palette_vm_snapshot_indication", "indication=`GuestAgent`")} == 1
)"""
"""Snapshots of a running VM whose file systems were not quiesced."""

SCHEDULED = f"""\
(
  {last("palette_vm_snapshot_requested_timestamp_seconds")}
  or
  {last("palette_vm_snapshot_creation_timestamp_seconds")}
  or
  time() - {last("palette_vm_snapshot_age_seconds")}
)
and on ({SAME_SNAPSHOT}) {last("palette_vm_snapshot_info", "scheduled=`true`")}"""

AGE = f"""\
time() - {last("palette_vm_oldest_snapshot_timestamp_seconds")}
or
max without (snapshot) ({last("palette_vm_snapshot_age_seconds")})
  unless on ({SAME_VM}) {last("palette_vm_oldest_snapshot_timestamp_seconds")}"""


def _beyond(value: str, objective: str, otherwise: str) -> str:
    """Return the VMs above their objective, or above a number if they have none."""
    limit = last(f"palette_vm_snapshot_objective_{objective}")
    return f"""\
(
{indented(value)}
) > {limit}
or
(
{indented(value)}
) > {otherwise}
  unless on ({SAME_VM}) {limit}"""


def _scheduled_by(aggregation: str) -> str:
    return f"{aggregation} without (snapshot) (\n{indented(SCHEDULED)}\n)"


def _schedule_stopped(options: Options) -> str:
    newest, oldest, number = map(_scheduled_by, ("max", "min", "count"))
    return f"""\
time() - {newest}
  > clamp_min(
    {options.threshold("schedule_intervals")} * ({newest} - {oldest})
      / clamp_min({number} - 1, 1),
    {options.threshold("schedule_stopped_after")}
  )
unless on ({SAME_VM}) {last("palette_vm_snapshot_objective_seconds")}"""


def _objective() -> tuple[Cause, ...]:
    promised = looked_up("palette_vm_snapshot_objective_seconds{%s}", "humanizeDuration")
    newest = looked_up(
        "palette_vm_last_restorable_snapshot_timestamp_seconds{%s}", "humanizeTimestamp", "none"
    )
    text = (
        f"{VM_TEXT} misses its recovery point objective of {promised}. Time of its newest "
        f"restorable snapshot: {newest}."
    )
    name = "PaletteVMSnapshotObjectiveMissed"
    summary = "A VM misses its recovery point objective."
    return (
        Cause(
            key="objective_missed",
            name=name,
            severity="critical",
            condition=f"{MISSED}\nunless on ({SAME_VM}) {STOPPED}",
            summary=summary,
            keep=RENAMED,
            description=f"{text} What was written since then cannot be restored.",
        ),
        Cause(
            key="objective_missed_while_stopped",
            name=name,
            severity="warning",
            condition=f"{MISSED}\nand on ({SAME_VM}) {STOPPED}",
            summary=summary,
            keep=RENAMED,
            description=f"{text} The VM is stopped: its data does not change meanwhile.",
        ),
    )


def no_restorable(options: Options) -> str:
    """Return the VMs that have no restorable snapshot and are old enough to have one."""
    return f"""\
{last("palette_vm_restorable_snapshots")} == 0
unless on ({SAME_VM}) {last("palette_vm_created_timestamp_seconds")}
  > time() - {options.threshold("no_restorable_after")}"""


def _without_restorable(options: Options) -> Cause:
    return Cause(
        key="no_restorable",
        name="PaletteVMWithoutRestorableSnapshot",
        severity="warning",
        condition=no_restorable(options),
        summary="A VM has no restorable snapshot.",
        description=f"{VM_TEXT} cannot be restored: none of its snapshots holds its data and is "
        "ready to use, or it has no snapshot.",
    )


def _unprotected() -> tuple[Cause, ...]:
    unsnapshottable = looked_up("palette_vm_unsnapshottable_volumes{%s}", "humanize")
    text = (
        f"The newest restorable snapshot of {VM_TEXT} does not hold all of the VM's data. "
        f"Volumes that the storage cannot snapshot: {unsnapshottable}. A restore does not bring "
        "back the whole VM."
    )
    name, summary = "PaletteSnapshotIncomplete", "Data of a VM is in no restorable snapshot."
    grouped = f"(\n{indented(UNPROTECTED)}\n)"
    return (
        Cause(
            key="unprotected_volumes",
            name=name,
            severity="critical",
            condition=f"{grouped}\nand on ({SAME_VM}) (\n{indented(HAS_OBJECTIVE)}\n)",
            summary=summary,
            description=f"{text} The VM has an objective.",
        ),
        Cause(
            key="unprotected_volumes_without_objective",
            name=name,
            severity="warning",
            condition=f"""\
{grouped}
unless on ({SAME_VM}) (
{indented(HAS_OBJECTIVE)}
)
or
{last("palette_vm_unprotected_state_volumes")} > 0
  unless on ({SAME_VM}) {grouped}""",
            summary=summary,
            description=f"{text} If it lacks only the TPM or EFI state, the VM starts with an "
            "empty state: encrypted disks can stay locked.",
        ),
    )


def _consistency() -> tuple[Cause, ...]:
    restorable = last("palette_vm_snapshot_restorable")
    crash = f"(\n{indented(CRASH_CONSISTENT)}\n)"
    newest_taken = f"""\
max without (snapshot) (
  {last("palette_vm_snapshot_creation_timestamp_seconds")}
  and on ({SAME_SNAPSHOT}) {restorable} == 1
)"""
    return (
        Cause(
            key="not_quiesced",
            name="PaletteVMNotQuiesced",
            severity="warning",
            condition=f"""\
{last("palette_vm_snapshot_objective_quiesced")} == 1
and on ({SAME_VM}) (
  {last("palette_vm_snapshot_creation_timestamp_seconds")}
  and on ({SAME_SNAPSHOT}) {crash}
  unless on ({SAME_SNAPSHOT})
  {last("palette_vm_snapshot_creation_timestamp_seconds")}
    < on ({SAME_VM}) group_left () {newest_taken}
)""",
            summary="The newest restorable snapshot of a VM was not quiesced.",
            description=f"{VM_TEXT} needs quiesced snapshots. Its newest restorable snapshot was "
            "taken of a running VM without frozen file systems: a restored VM starts as after a "
            "power cut.",
        ),
        Cause(
            key="crash_consistent",
            name="PaletteVMOnlyCrashConsistent",
            severity="info",
            condition=f"""\
{last("palette_vm_restorable_snapshots")} > 0
and on ({SAME_VM}) {crash}
unless on ({SAME_VM}) ({restorable} == 1 unless on ({SAME_SNAPSHOT}) {crash})
unless on ({SAME_VM}) {last("palette_vm_snapshot_objective_quiesced")} == 1""",
            summary="No restorable snapshot of a VM is quiesced.",
            description=f"All restorable snapshots of {VM_TEXT} were taken of a running VM without "
            "frozen file systems. A restored VM starts as after a power cut.",
        ),
    )


def _unknown() -> tuple[Cause, ...]:
    recovery_point = last("palette_vm_last_restorable_snapshot_timestamp_seconds")
    return (
        Cause(
            key="volumes_unknown",
            name="PaletteVMVolumesUnknown",
            severity="info",
            condition=f"""\
{last("palette_vm_restorable_snapshots")} > 0
unless on ({SAME_VM}) {last("palette_vm_unprotected_volumes")}""",
            summary="The volumes of a VM are not known.",
            description=f"Palette does not report the volumes of {VM_TEXT}, so nobody knows "
            "whether its snapshots hold all of its data.",
        ),
        Cause(
            key="predecessor",
            name="PaletteVMOnlyPredecessorSnapshots",
            severity="info",
            condition=f"{recovery_point}\n  < {last('palette_vm_created_timestamp_seconds')}",
            summary="All restorable snapshots are older than their VM.",
            description=f"The newest restorable snapshot of {VM_TEXT} was taken before this VM was "
            "created: it can hold the data of an earlier VM of the same name.",
        ),
    )


def _numbers(options: Options) -> tuple[Cause, ...]:
    snapshots = looked_up("palette_vm_snapshots{%s}", "humanize")
    restorable = looked_up("palette_vm_restorable_snapshots{%s}", "humanize")
    oldest = looked_up("palette_vm_oldest_snapshot_timestamp_seconds{%s}", "humanizeTimestamp")
    return (
        Cause(
            key="too_few",
            name="PaletteVMTooFewSnapshots",
            severity="warning",
            condition=f"{last('palette_vm_restorable_snapshots')}\n"
            f"  < {last('palette_vm_snapshot_objective_min_snapshots')}",
            summary="A VM has fewer restorable snapshots than its objective requires.",
            description=f"{VM_TEXT} has too few restorable snapshots: {restorable}.",
        ),
        Cause(
            key="piling_up",
            name="PaletteVMSnapshotsPilingUp",
            severity="info",
            condition=_beyond(
                last("palette_vm_snapshots"), "max_snapshots", options.threshold("max_snapshots")
            ),
            summary="A VM has very many snapshots.",
            description=f"{VM_TEXT} has {snapshots} snapshots. They use storage, and the limit of "
            "the storage can make the next one fail.",
        ),
        Cause(
            key="too_old",
            name="PaletteSnapshotTooOld",
            severity="info",
            condition=_beyond(AGE, "max_age_seconds", options.threshold("max_snapshot_age")),
            summary="A VM has a very old snapshot.",
            description=f"The oldest snapshot of {VM_TEXT} is from {oldest}. Restorable snapshots "
            f"of this VM: {restorable}. Delete the old one only if a newer one is restorable.",
            metric="palette_vm_snapshot_ready",
        ),
        Cause(
            key="schedule_stopped",
            name="PaletteVMScheduleStopped",
            severity="warning",
            condition=_schedule_stopped(options),
            summary="A VM gets no scheduled snapshots any more.",
            description=f"{VM_TEXT} had scheduled snapshots, and none was requested for three of "
            "their usual intervals. The VM has no objective, so no other alert reports it.",
            metric="palette_vm_snapshot_ready",
        ),
    )


def group(options: Options) -> Group:
    """Return the alerts about virtual machines."""
    causes = (
        *_objective(),
        _without_restorable(options),
        *_unprotected(),
        *_consistency(),
        *_unknown(),
        *_numbers(options),
    )
    return Group(
        name="palette-vms",
        comment=COMMENT,
        rules=tuple(cause.alert(options) for cause in causes),
    )
