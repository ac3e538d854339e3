"""The stages of a snapshot's life, as KubeVirt's controller writes them into its document.

Every function changes its document and returns it, so that calls can be chained.
Instants are seconds since the epoch.
"""

from collections.abc import Sequence
from datetime import datetime

from exporter.demo.documents import (
    FINALIZER,
    REQUESTED_AT,
    Document,
    managed_fields,
    next_version,
    object_uid,
    requested,
    timestamp,
)

SOURCE_LOCKED = "Source locked and operation in progress"
SOURCE_NOT_LOCKED = "Source not locked source pods using PVCs"
SOURCE_MISSING = "Source does not exist"

_FINISHED = frozenset({"Succeeded", "Failed"})


def snapshot_document(
    *,
    name: str = "db-01-nightly",
    vm: str = "db-01",
    namespace: str = "vms",
    requested_at: float = REQUESTED_AT,
    uid: str | None = None,
    source_uid: str | None = None,
    scheduled: bool = False,
    failure_deadline: str | None = "5m0s",
    deletion_policy: str = "Delete",
    included: Sequence[str] = ("rootdisk", "datadisk"),
    excluded: Sequence[str] = (),
    indications: Sequence[str] = ("Online", "GuestAgent"),
) -> Document:
    """Return a good snapshot: quiesced, taken 14 s after the request, ready 7 s later."""
    document = requested(
        name=name,
        vm=vm,
        namespace=namespace,
        at=requested_at,
        uid=uid,
        scheduled=scheduled,
        failure_deadline=failure_deadline,
        deletion_policy=deletion_policy,
    )
    started(document, requested_at + 2, source_uid or object_uid("vm", namespace, vm))
    taken(
        document,
        requested_at + 14,
        included=included,
        excluded=excluded,
        indications=indications,
    )
    return ready(document, requested_at + 21)


def started(
    document: Document, at: float, source_uid: str | None, reason: str = SOURCE_LOCKED
) -> Document:
    """Set the first status; `source_uid` is None if the VM does not exist."""
    document["metadata"]["finalizers"] = [FINALIZER]
    status = document.setdefault("status", {})
    status |= {"phase": "InProgress", "readyToUse": False}
    if source_uid is not None:
        status["sourceUID"] = source_uid
    if reason == SOURCE_LOCKED:
        status["virtualMachineSnapshotContentName"] = _content_name(document)
    progressing = "True" if reason == SOURCE_LOCKED else "False"
    _conditions(document, at, ("Progressing", progressing, reason), ("Ready", "False", "Not ready"))
    return _touched(document, at)


def taken(
    document: Document,
    at: float,
    *,
    included: Sequence[str] = ("rootdisk",),
    excluded: Sequence[str] = (),
    indications: Sequence[str] = (),
) -> Document:
    """Record that the data was taken: Succeeded, and not ready to use yet."""
    volumes: Document = {"includedVolumes": list(included)}
    if excluded:
        volumes["excludedVolumes"] = list(excluded)
    document["status"] |= {
        "creationTime": timestamp(at),
        "phase": "Succeeded",
        "snapshotVolumes": volumes,
        "virtualMachineSnapshotContentName": _content_name(document),
    }
    if indications:
        document["status"]["indications"] = list(indications)
    return _touched(document, at)


def ready(document: Document, at: float) -> Document:
    """Record that all volume snapshots are ready; an older `error` stays."""
    document["status"]["readyToUse"] = True
    _conditions(
        document, at, ("Progressing", "False", "Operation complete"), ("Ready", "True", "Ready")
    )
    return _touched(document, at)


def failed(document: Document, at: float, error: str | None = None) -> Document:
    """Record that the deadline passed; KubeVirt does not always set an `error`."""
    document["status"] |= {"phase": "Failed", "readyToUse": False}
    _conditions(
        document,
        at,
        ("Failure", "True", "snapshot deadline exceeded"),
        ("Progressing", "False", "Operation failed"),
        ("Ready", "False", "Not ready"),
    )
    return with_error(document, at, error) if error else _touched(document, at)


def lost(document: Document, at: float) -> Document:
    """Record that volume snapshots were deleted: still Succeeded, no longer ready."""
    included = document["status"]["snapshotVolumes"]["includedVolumes"]
    names = ", ".join(f"vmsnapshot-{_short(document)}-volume-{disk}" for disk in included)
    document["status"]["readyToUse"] = False
    _conditions(
        document, at, ("Progressing", "False", "In error state"), ("Ready", "False", "Not ready")
    )
    return with_error(document, at, f"VolumeSnapshots ({names}) missing")


def deleting(document: Document, at: float) -> Document:
    """Request the deletion; only an unfinished snapshot changes its phase."""
    document["metadata"] |= {"deletionTimestamp": timestamp(at), "deletionGracePeriodSeconds": 0}
    status = document.get("status")
    if status and status["phase"] not in _FINISHED:
        status["phase"] = "Deleting"
    return _touched(document, at)


def with_error(document: Document, at: float, message: str) -> Document:
    """Record an error of the controller; it stays after its cause has ended."""
    document["status"]["error"] = {"message": message, "time": timestamp(at)}
    return _touched(document, at)


def requested_at(document: Document) -> float:
    """Return when the snapshot was requested, in seconds since the epoch."""
    return datetime.fromisoformat(document["metadata"]["creationTimestamp"]).timestamp()


def _conditions(document: Document, at: float, *wanted: tuple[str, str, str]) -> None:
    """Set the conditions (type, status, reason); an unchanged one keeps its time."""
    known = {old["type"]: old for old in document["status"].get("conditions", ())}
    for kind, status, reason in wanted:
        old = known.get(kind)
        if old is None or (old["status"], old["reason"]) != (status, reason):
            known[kind] = {
                "lastProbeTime": None,
                "lastTransitionTime": timestamp(at),
                "reason": reason,
                "status": status,
                "type": kind,
            }
    document["status"]["conditions"] = [known[kind] for kind in sorted(known)]


def _touched(document: Document, at: float) -> Document:
    metadata = document["metadata"]
    metadata["generation"] += 1
    metadata["resourceVersion"] = next_version(metadata)
    metadata["managedFields"] = managed_fields(at, sorted(document.get("status", {})))
    return document


def _content_name(document: Document) -> str:
    return f"vmsnapshot-content-{document['metadata']['uid']}"


def _short(document: Document) -> str:
    return str(document["metadata"]["uid"])[:8]
