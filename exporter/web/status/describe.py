"""Describes one VM and its snapshots as the page and its JSON show them; pure."""

from urllib.parse import quote, urlencode

from msgspec.structs import asdict

from exporter.findings import Finding
from exporter.findings.snapshots import hangs_since, lost_since, unfinished, without_disks
from exporter.findings.subject import Moment, Subject
from exporter.rollup import NO_OBJECTIVE, Objective
from exporter.snapshot import NamedSnapshot, Snapshot, Unread, VirtualMachine
from exporter.web.status.assess import Assessed
from exporter.web.status.vm_views import (
    ConditionView,
    ErrorView,
    NamedSnapshotView,
    ObjectiveView,
    ProblemView,
    SnapshotErrorView,
    SnapshotView,
    VmDetailView,
    VmView,
)
from exporter.web.status.words import instant, moment

REASONS = {
    "unauthorized": "Palette does not accept the credential.",
    "forbidden": "The credential has no access to this.",
    "not_found": "Palette does not know this cluster, or not in this project.",
    "rate_limited": "Palette limits the rate of requests.",
    "server_error": "Palette failed to answer.",
    "timeout": "Palette did not answer in time.",
    "connection": "Palette cannot be reached.",
    "invalid_response": "Palette sent an unexpected response.",
    "overdue": "The current refresh is taking too long.",
}
"""Reason, as in the metrics -> what it means."""

STAGES = {
    "deleting": ("Being deleted", "quiet"),
    "failed": ("Failed", "bad"),
    "lost": ("Data lost", "bad"),
    "without_disks": ("Ready, without disks", "warning"),
    "ready": ("Ready", "good"),
    "succeeded": ("Succeeded, not ready", "quiet"),
    "hanging": ("Hangs", "warning"),
    "in_progress": ("In progress", "quiet"),
    "unknown": ("Unknown phase", "warning"),
}
"""Word in the JSON -> words and tone on the page; the first that applies counts."""


def error_view(failure: Unread, at: float | None = None) -> ErrorView:
    """Return why something could not be read. at: seconds since the epoch."""
    return ErrorView(
        reason=failure.reason,
        meaning=REASONS.get(failure.reason, "It could not be read."),
        message=failure.message,
        time=instant(at),
    )


def vm_view(each: Assessed, owner_label: str) -> VmView:
    """Return a VM as the list shows it."""
    subject = each.subject
    row, vm = subject.row, subject.vm
    point, max_age, deadline = row.recovery_point, row.objective.max_age, row.deadline
    missed = any(found.problem.name == "objective_missed" for found in each.findings)
    return VmView(
        cluster_uid=subject.cluster.uid,
        cluster_name=subject.cluster.name,
        namespace=subject.namespace,
        vm=subject.name,
        owner=row.vm.owner(owner_label),
        path=_path(subject),
        listed=vm is not None,
        orphaned=subject.orphan,
        status=vm.status if vm else "",
        verdict=each.verdict.value,
        reasons=each.reasons,
        problems=[_problem(each, found) for found in each.findings],
        as_of=instant(each.standing.read_at),
        stale=each.standing.stale,
        snapshots=row.snapshots,
        snapshots_ready=row.ready,
        snapshots_restorable=row.restorable,
        snapshots_failed=row.failed,
        recovery_point=instant(point),
        last_restorable=instant(point),
        recovery_point_age_seconds=None if point is None else max(0.0, each.at - point),
        objective_seconds=max_age,
        objective_missed_by_seconds=each.at - deadline if missed and deadline else None,
        objective=None if row.objective is NO_OBJECTIVE else _objective(row.objective),
        unprotected_volumes=asdict(row.unprotected) if row.unprotected else None,
    )


def vm_detail(each: Assessed, owner_label: str, now: float) -> VmDetailView:
    """Return a VM as its own page shows it. now: seconds since the epoch."""
    vm = each.subject.vm
    newest_first = sorted(
        each.subject.snapshots,
        key=lambda one: (one.requested_at or one.creation_time or 0.0, one.name),
        reverse=True,
    )
    return VmDetailView(
        **asdict(vm_view(each, owner_label)),
        time=moment(now),
        uid=vm.uid if vm else "",
        created=instant(vm.created_at) if vm else None,
        unsnapshottable_volumes=vm.unsnapshottable_volumes if vm else (),
        named_snapshots=[_named(one) for one in each.subject.named],
        snapshot_list=[_snapshot(one, each) for one in newest_first],
    )


def _path(subject: Subject) -> str | None:
    """Return the path of a VM in the JSON API; None if no URL can name it."""
    parts = (subject.cluster.uid, subject.namespace, subject.name)
    if {".", ".."} & {*parts}:
        return None  # a browser takes these for directions
    return "/api/v1/vms/" + "/".join(quote(part, safe="", errors="replace") for part in parts)


def _objective(found: Objective) -> ObjectiveView:
    return ObjectiveView(
        exempt=found.exempt,
        max_age_seconds=found.max_age,
        min_snapshots=found.min_snapshots,
        max_snapshots=found.max_snapshots,
        max_snapshot_age_seconds=found.max_snapshot_age,
        quiesced=found.quiesced,
    )


def _problem(each: Assessed, found: Finding) -> ProblemView:
    subject = each.subject
    labels = {
        "cluster_uid": subject.cluster.uid,
        "namespace": subject.namespace,
        "vm": subject.name,
    }
    if found.snapshots:
        labels["snapshot"] = found.snapshots[0]
    return ProblemView(
        problem=found.problem.name,
        title=found.problem.title,
        severity=found.severity.value,
        since=instant(found.since),
        text=found.text,
        quote=found.quote,
        runbook=f"docs/runbooks.md?{urlencode(labels, errors='replace')}#{found.problem.runbook}",
    )


def _named(named: NamedSnapshot) -> NamedSnapshotView:
    return NamedSnapshotView(
        name=named.name,
        read=named.up,
        known=named.snapshot is not None,
        missing=named.missing,
        error=error_view(named.unread) if named.unread else None,
    )


def _snapshot(snapshot: Snapshot, each: Assessed) -> SnapshotView:
    volumes, error = snapshot.volumes, snapshot.error
    return SnapshotView(
        name=snapshot.name,
        uid=snapshot.uid,
        state=_stage(snapshot, each.subject.vm, each.at),
        phase=snapshot.phase,
        ready=snapshot.ready_to_use,
        restorable=snapshot.restorable_for(each.subject.vm),
        scheduled=snapshot.scheduled,
        content=snapshot.content,
        deletion_policy=snapshot.deletion_policy,
        failure_deadline_seconds=snapshot.failure_deadline,
        requested=instant(snapshot.requested_at),
        taken=instant(snapshot.creation_time),
        deletion_requested=instant(snapshot.deletion_timestamp),
        conditions=[
            ConditionView(
                type=one.type,
                status=one.status,
                reason=one.reason,
                since=instant(one.last_transition),
            )
            for one in snapshot.conditions
        ],
        error=SnapshotErrorView(message=error.message, time=instant(error.time)) if error else None,
        indications=snapshot.indications,
        included_volumes=volumes.included if volumes else None,
        excluded_volumes=volumes.excluded if volumes else None,
    )


def _stage(snapshot: Snapshot, vm: VirtualMachine | None, now: float) -> str:
    """Return a key of STAGES."""
    lost, hangs = lost_since(snapshot, Moment(now)), hangs_since(snapshot)
    applies = {
        "deleting": snapshot.deleting,
        "failed": snapshot.failed,
        "lost": lost is not None and lost <= now,
        "without_disks": without_disks(snapshot, vm),
        "ready": snapshot.ready_to_use,
        "succeeded": snapshot.phase == "Succeeded",
        "hanging": hangs is not None and hangs <= now,
        "in_progress": unfinished(snapshot),
        "unknown": True,
    }
    return next(key for key in STAGES if applies[key])
