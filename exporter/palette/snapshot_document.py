"""KubeVirt's VirtualMachineSnapshot as JSON, and the value that it stands for."""

from collections.abc import Iterable
from functools import lru_cache
from sys import intern

from msgspec import field

from exporter.duration import parse_go_duration
from exporter.palette.document import NO_METADATA, Document, Faults, Metadata, Part, Time, seconds
from exporter.snapshot import DEFAULT_FAILURE_DEADLINE, Condition, Snapshot, SnapshotError
from exporter.volumes import Volumes

SCHEDULED_LABEL = "vmo-manager.spectrocloud.com/scheduled"
CLONE = "VirtualMachineClone"
CONDITION_STATUSES = frozenset({"true", "false", "unknown"})

# Many snapshots have the same ones, and share them.
_go_duration = lru_cache(maxsize=1024)(parse_go_duration)
_shared_volumes = lru_cache(maxsize=1024)(Volumes)


class _Source(Part):
    name: str | None = None


class _Spec(Part):
    deletion_policy: str | None = None
    failure_deadline: str | None = None
    source: _Source | None = None


class _Condition(Part):
    type: str | None = None
    status: str | None = None
    last_transition_time: Time | None = None
    reason: str | None = None


class _Error(Part):
    message: str | None = None
    time: Time | None = None


class _Volumes(Part):
    included_volumes: list[str | None] | None = None
    excluded_volumes: list[str | None] | None = None


class _SourceIndication(Part):
    indication: str | None = None


class _Status(Part):
    phase: str | None = None
    ready_to_use: bool | None = None
    creation_time: Time | None = None
    source_uid: str | None = field(name="sourceUID", default=None)
    virtual_machine_snapshot_content_name: str | None = None
    conditions: list[_Condition] | None = None
    error: _Error | None = None
    indications: list[str | None] | None = None
    source_indications: list[_SourceIndication] | None = None
    snapshot_volumes: _Volumes | None = None


class SnapshotDocument(Document):
    """A VirtualMachineSnapshot."""

    spec: _Spec | None = None
    status: _Status | None = None


_NO_SPEC, _NO_STATUS, _NO_SOURCE = _Spec(), _Status(), _Source()


def read_snapshot(
    document: SnapshotDocument, faults: Faults, *, namespace: str, vm: str, name: str = ""
) -> Snapshot | None:
    """Return the snapshot; None if it has no name.

    namespace, vm, name: complete a document that lacks them.
    """
    metadata, spec = document.metadata or NO_METADATA, document.spec or _NO_SPEC
    status = document.status or _NO_STATUS
    name = metadata.name or name
    if not name:
        faults.add("metadata.name", "is missing")
        return None
    deletion = seconds(metadata.deletion_timestamp)
    return Snapshot(
        namespace=intern(metadata.namespace or namespace),
        vm=intern((spec.source or _NO_SOURCE).name or vm),
        name=name,
        uid=metadata.uid or "",
        source_uid=intern(status.source_uid or ""),
        content=status.virtual_machine_snapshot_content_name or "",
        deletion_policy=intern(spec.deletion_policy or ""),
        scheduled=(metadata.labels or {}).get(SCHEDULED_LABEL) == "true",
        requested_at=seconds(metadata.creation_timestamp),
        creation_time=seconds(status.creation_time),
        deletion_timestamp=deletion,
        # A finished snapshot keeps its phase while it is deleted, an unfinished one does not.
        deleting=deletion is not None
        or status.phase == "Deleting"
        or faults.cover("metadata.deletionTimestamp"),
        failure_deadline=_deadline(spec.failure_deadline, faults),
        phase=None if document.status is None else intern(status.phase or ""),
        ready_to_use=status.ready_to_use or False,
        conditions=_conditions(status.conditions or ()),
        error=_error(status.error, faults),
        indications=_indications(status),
        volumes=_volumes(status.snapshot_volumes, faults),
        temporary=_temporary(metadata, faults),
        unreadable=tuple(dict.fromkeys(faults.fields)),
    )


def _deadline(text: str | None, faults: Faults) -> float | None:
    """Return seconds; KubeVirt's default if it is missing, None if it is unreadable."""
    if text is None:
        unreadable = faults.cover("spec.failureDeadline")
        return None if unreadable else DEFAULT_FAILURE_DEADLINE
    try:
        return _go_duration(text)
    except ValueError:
        faults.add("spec.failureDeadline", "is not a duration")
        return None


def _temporary(metadata: Metadata, faults: Faults) -> bool:
    """Return True if a clone owns the snapshot, or might: then it is no recovery point."""
    owned = any(owner.kind == CLONE for owner in metadata.owner_references or ())
    return owned or faults.cover("metadata.ownerReferences")


def _conditions(entries: Iterable[_Condition]) -> tuple[Condition, ...]:
    """Return one condition per type, in the order of their names: the latest instant wins."""
    latest: dict[str, Condition] = {}
    for entry in entries:
        kind, time = entry.type or "", seconds(entry.last_transition_time)
        known = latest.get(kind)
        if known is None or (known.last_transition or 0) <= (time or 0):
            status = (entry.status or "").lower()
            status = intern(status) if status in CONDITION_STATUSES else "unknown"
            latest[kind] = Condition(intern(kind), status, time, intern(entry.reason or ""))
    latest.pop("", None)
    return tuple([latest[kind] for kind in sorted(latest)])


def _error(entry: _Error | None, faults: Faults) -> SnapshotError | None:
    if entry is None:
        return SnapshotError() if faults.cover("status.error") else None
    return SnapshotError(message=entry.message or "", time=seconds(entry.time))


def _indications(status: _Status) -> tuple[str, ...]:
    """Return the names of both fields in their order, each once."""
    names = [*(status.indications or ())]
    names += [each.indication for each in status.source_indications or ()]
    return tuple(sorted({intern(name) for name in names if name}))


def _volumes(lists: _Volumes | None, faults: Faults) -> Volumes | None:
    path = "status.snapshotVolumes"
    if lists is None:
        return Volumes(included=None, excluded=None) if faults.cover(path) else None
    return _shared_volumes(
        included=_names(lists.included_volumes, f"{path}.includedVolumes", faults),
        excluded=_names(lists.excluded_volumes, f"{path}.excludedVolumes", faults),
    )


def _names(names: list[str | None] | None, path: str, faults: Faults) -> tuple[str, ...] | None:
    """Return the names of a list; none of a list that is missing, None for an unreadable list."""
    if names is None and faults.cover(path):
        return None
    return tuple(filter(None, names or ()))
