"""The page's facts as JSON: times as RFC 3339, lengths of time in seconds, null for unknown."""

from typing import Any
from urllib.parse import quote

from exporter.snapshot import NamedSnapshot, Snapshot, VirtualMachine
from exporter.web.status.clusters import ClusterLine
from exporter.web.status.machine import Machine
from exporter.web.status.overview import Glance, Line, Overview, Part
from exporter.web.status.stages import stage
from exporter.web.status.words import rfc3339

Document = dict[str, Any]


def path(machine: Machine) -> str:
    """Return where a machine's page is, below the page for all; "" where no URL can say."""
    parts = (machine.cluster.uid, machine.namespace, machine.name)
    if {".", ".."} & {*parts}:
        return ""  # browsers take these for directions
    return "vms/" + "/".join(quote(part, safe="", errors="replace") for part in parts)


def status(overview: Overview, *, ready: bool, version: str) -> Document:
    """Return all of the page; of the machines, the page of them that was asked for."""
    question = overview.question
    return {
        "time": rfc3339(overview.now),
        "version": version,
        "ready": ready,
        "fleet": _fleet(overview.glance),
        "clusters": [_cluster(each) for each in overview.clusters],
        "filter": {
            "cluster": question.cluster,
            "namespace": question.namespace,
            "state": question.state,
            "q": question.q,
        },
        "page": _part(overview.machine_part),
        "vms": [_line(each) for each in overview.machines],
    }


def machine(line: Line, now: float) -> Document:
    """Return a machine with all of its snapshots, the newest first."""
    vm = line.machine.vm or VirtualMachine(namespace="", name="")
    return {
        "time": rfc3339(now),
        **_line(line),
        "uid": vm.uid,
        "created": _time(vm.created_at),
        "unsnapshottable_volumes": list(vm.unsnapshottable_volumes),
        "named_snapshots": [_named(each) for each in line.machine.named],
        "snapshot_list": [_snapshot(each, line.at) for each in line.machine.newest_first],
    }


def _fleet(glance: Glance) -> Document:
    counts = glance.counts
    return {
        "clusters": glance.clusters,
        "clusters_read": glance.clusters_read,
        "vms": counts.vms,
        "vms_without_restorable_snapshot": glance.vms_without_restorable,
        "objectives_missed": glance.objectives_missed,
        "snapshots": counts.snapshots,
        "snapshots_ready": counts.ready,
        "snapshots_restorable": counts.restorable,
        "snapshots_failed": counts.failed,
        "snapshots_in_progress": counts.in_progress,
        "snapshots_lost": glance.snapshots_lost,
        "snapshots_without_disks": counts.without_disks,
        "snapshots_orphaned": counts.orphaned,
    }


def _cluster(line: ClusterLine) -> Document:
    cluster, state = line.cluster, line.state
    failure = state.last_failure if state else None
    return {
        "uid": cluster.uid,
        "name": cluster.name,
        "project_uid": cluster.project_uid,
        "cloud_type": cluster.cloud_type,
        "state": line.reading,
        "last_refresh": _time(state.refreshed_at if state else None),
        "last_success": _time(state.last_success if state else None),
        "refresh_duration_seconds": round(state.refresh_duration, 3) if state else None,
        "requests": state.requests if state else None,
        "last_error": failure
        and {
            "reason": failure[0].reason,
            "meaning": line.problem,
            "message": failure[0].message,
            "time": rfc3339(failure[1]),
        },
        "vms": line.vms,
        "snapshots": line.snapshots,
    }


def _part(part: Part) -> Document:
    return {"number": part.number, "pages": part.pages, "items": part.items}


def _line(line: Line) -> Document:
    subject, row = line.machine, line.machine.row
    return {
        "cluster_uid": subject.cluster.uid,
        "cluster_name": subject.cluster.name,
        "namespace": subject.namespace,
        "vm": subject.name,
        "path": f"/api/v1/{path(subject)}" if path(subject) else None,
        "listed": subject.vm is not None,
        "gone": subject.gone,
        "status": subject.vm.status if subject.vm else "",
        "problems": [
            {
                "problem": each.problem.key,
                "severity": each.problem.severity,
                "since": _time(each.since),
                "text": " ".join(filter(None, each.why)),
            }
            for each in line.troubles
        ],
        "as_of": rfc3339(line.at),
        "stale": line.stale,
        "snapshots": row.snapshots,
        "snapshots_ready": row.ready,
        "snapshots_restorable": row.restorable,
        "snapshots_failed": row.failed,
        "last_restorable": _time(row.recovery_point),
        "objective_seconds": row.objective.max_age,
        "objective_missed_by_seconds": line.missed_by,
    }


def _named(named: NamedSnapshot) -> Document:
    return {
        "name": named.name,
        "read": named.up,
        "missing": named.missing,
        "error": named.unread and {"reason": named.unread.reason, "message": named.unread.message},
    }


def _snapshot(snapshot: Snapshot, now: float) -> Document:
    volumes, error = snapshot.volumes, snapshot.error
    return {
        "name": snapshot.name,
        "uid": snapshot.uid,
        "state": stage(snapshot, now).key,
        "phase": snapshot.phase,
        "ready": snapshot.ready_to_use,
        "restorable": snapshot.restorable_for(None),
        "scheduled": snapshot.scheduled,
        "content": snapshot.content,
        "deletion_policy": snapshot.deletion_policy,
        "failure_deadline_seconds": snapshot.failure_deadline,
        "requested": _time(snapshot.requested_at),
        "taken": _time(snapshot.creation_time),
        "deletion_requested": _time(snapshot.deletion_timestamp),
        "conditions": [
            {
                "type": each.type,
                "status": each.status,
                "reason": each.reason,
                "since": _time(each.last_transition),
            }
            for each in snapshot.conditions
        ],
        "error": error and {"message": error.message, "time": _time(error.time)},
        "indications": list(snapshot.indications),
        "included_volumes": _names(volumes.included if volumes else None),
        "excluded_volumes": _names(volumes.excluded if volumes else None),
    }


def _names(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)


def _time(instant: float | None) -> str | None:
    return None if instant is None else rfc3339(instant)
