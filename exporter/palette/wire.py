"""Palette's JSON, decoded into values; no other module knows its spelling.

One bad child spoils nothing: an unreadable value is reported and left out, an unreadable item
is reported and skipped. Only what puts a whole answer in doubt raises InvalidResponse.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from sys import intern
from typing import Any, Generic, TypeVar

from msgspec import Struct

from exporter.duration import parse_go_duration
from exporter.palette.document import (
    ClusterDocument,
    ClusterSpec,
    ClusterStatus,
    Metadata,
    RawCondition,
    RawError,
    SnapshotDocument,
    SnapshotSpec,
    SnapshotStatus,
    SnapshotVolumes,
    Source,
    VirtualMachineDocument,
    VirtualMachineStatus,
    VolumeSnapshotStatus,
    decode_item,
    decode_list,
    is_single,
    raw_items,
)
from exporter.palette.errors import InvalidResponse
from exporter.palette.values import Fault, Faults, Report, encodable, parse_time
from exporter.snapshot import (
    DEFAULT_FAILURE_DEADLINE,
    Cluster,
    Condition,
    Snapshot,
    SnapshotError,
    VirtualMachine,
    Volumes,
)
from exporter.volumes import Volume

__all__ = [
    "Fault",
    "Page",
    "Report",
    "clusters",
    "snapshot",
    "snapshot_page",
    "virtual_machine_page",
]

MOST_ON_A_PAGE = 10_000
"""Palette sends at most fifty, and all clusters of the dashboard at once."""

SCHEDULED_LABEL = "vmo-manager.spectrocloud.com/scheduled"
CLONE = "VirtualMachineClone"
CONDITION_STATUSES = frozenset({"true", "false", "unknown"})
SPEC_VOLUMES = "spec.template.spec.volumes"

T = TypeVar("T")
D = TypeVar("D", bound=Struct)
Read = Callable[[D, Faults], T | None]

_NO_METADATA = Metadata()
_go_duration = lru_cache(maxsize=1024)(parse_go_duration)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list; ``continue_token`` is None on the last."""

    items: tuple[T, ...]
    continue_token: str | None = field(repr=False)


def snapshot(body: bytes, report: Report, *, namespace: str, vm: str, name: str) -> Snapshot:
    """Decode the answer to the snapshot call.

    namespace, vm, name: the requested identity; it completes a document that lacks one. A
        document that names another snapshot is no answer.
    Raises InvalidResponse if the body holds no such snapshot.
    """
    decoded = decode_item(SnapshotDocument, body, report) if is_single(body) else None
    if decoded is None:
        raise InvalidResponse("the answer is not a JSON object, or a list of them")
    document, faults = decoded
    if document == SnapshotDocument():
        raise InvalidResponse("the answer is an object, but not a snapshot")
    found = _snapshot(document, faults, namespace=namespace, vm=vm, name=name)
    if found is None or (found.namespace, found.name) != (namespace, name):
        raise InvalidResponse("the answer is a snapshot other than the requested one")
    return found


def snapshot_page(
    body: bytes, report: Report, *, namespace: str = "", vm: str = ""
) -> Page[Snapshot]:
    """Decode a page of the snapshot list; namespace and vm complete items that lack them.

    Raises InvalidResponse if the body is no list, or does not say whether it is complete.
    """
    read = partial(_snapshot, namespace=namespace, vm=vm, name="")
    return _page(SnapshotDocument, body, report, read)


def virtual_machine_page(
    body: bytes, report: Report, *, namespace: str = ""
) -> Page[VirtualMachine]:
    """Decode a page of the VM list; namespace completes items that lack it.

    Raises InvalidResponse if the body is no list, or does not say whether it is complete.
    """
    read = partial(_virtual_machine, namespace=namespace)
    return _page(VirtualMachineDocument, body, report, read)


def clusters(body: bytes, report: Report) -> tuple[Cluster, ...]:
    """Decode the dashboard's VM-enabled clusters; one without a uid is none.

    Raises InvalidResponse if the body is no list.
    """
    return _page(ClusterDocument, body, report, _cluster).items


def _page(kind: type[D], body: bytes, report: Report, read: Read[D, T]) -> Page[T]:
    answer = decode_list(body)
    items = raw_items(answer)
    if len(items) > MOST_ON_A_PAGE:
        raise InvalidResponse(f"the list has more than {MOST_ON_A_PAGE} items on a page")
    values = [_decoded(kind, raw, report, read) for raw in items]
    token = answer.metadata.continue_token if answer.metadata else None
    if token and not encodable(token):
        raise InvalidResponse("the list has a continue token that cannot be sent back")
    readable = tuple([value for value in values if value is not None])
    return Page(items=readable, continue_token=token or None)


def _decoded(kind: type[D], raw: Any, report: Report, read: Read[D, T]) -> T | None:
    decoded = decode_item(kind, raw, report)
    return read(*decoded) if decoded else None


def _snapshot(
    document: SnapshotDocument, faults: Faults, *, namespace: str, vm: str, name: str
) -> Snapshot | None:
    metadata, spec = document.metadata or _NO_METADATA, document.spec or SnapshotSpec()
    status = document.status or SnapshotStatus()
    name = metadata.name or name
    if not name:
        faults.add("metadata.name", "is missing")
        return None
    deletion = _time(metadata.deletion_timestamp, "metadata.deletionTimestamp", faults)
    return Snapshot(
        namespace=intern(metadata.namespace or namespace),
        vm=intern((spec.source or Source()).name or vm),
        name=name,
        uid=metadata.uid or "",
        source_uid=intern(status.source_uid or ""),
        content=status.virtual_machine_snapshot_content_name or "",
        deletion_policy=intern(spec.deletion_policy or ""),
        scheduled=(metadata.labels or {}).get(SCHEDULED_LABEL) == "true",
        requested_at=_time(metadata.creation_timestamp, "metadata.creationTimestamp", faults),
        creation_time=_time(status.creation_time, "status.creationTime", faults),
        deletion_timestamp=deletion,
        # A finished snapshot keeps its phase while it is deleted, an unfinished one does not.
        deleting=deletion is not None
        or status.phase == "Deleting"
        or faults.cover("metadata.deletionTimestamp"),
        failure_deadline=_deadline(spec.failure_deadline, faults),
        phase=None if document.status is None else intern(status.phase or ""),
        ready_to_use=status.ready_to_use or False,
        conditions=_conditions(status.conditions, faults),
        error=_error(status.error, faults),
        indications=_indications(status),
        volumes=_volumes(status.snapshot_volumes, faults),
        temporary=_temporary(metadata, faults),
        unreadable=tuple(dict.fromkeys(faults.fields)),
    )


def _time(text: str | None, field: str, faults: Faults) -> float | None:
    """Return seconds since the epoch; None if it is missing, unset or unreadable."""
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        faults.add(field, str(error))
        return None


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


def _conditions(entries: Iterable[RawCondition] | None, faults: Faults) -> tuple[Condition, ...]:
    """Return one condition per type, in the order of their names: the latest instant wins."""
    latest: dict[str, Condition] = {}
    for entry in entries or ():
        condition = _condition(entry, faults)
        known = latest.get(condition.type)
        if known is None or (known.last_transition or 0) <= (condition.last_transition or 0):
            latest[condition.type] = condition
    latest.pop("", None)
    return tuple(sorted(latest.values()))


def _condition(entry: RawCondition, faults: Faults) -> Condition:
    status = (entry.status or "").lower()
    field = "status.conditions.lastTransitionTime"
    return Condition(
        type=intern(entry.type or ""),
        status=intern(status) if status in CONDITION_STATUSES else "unknown",
        last_transition=_time(entry.last_transition_time, field, faults),
        reason=intern(entry.reason or ""),
    )


def _error(entry: RawError | None, faults: Faults) -> SnapshotError | None:
    if entry is None:
        return SnapshotError() if faults.cover("status.error") else None
    time = _time(entry.time, "status.error.time", faults)
    return SnapshotError(message=entry.message or "", time=time)


def _indications(status: SnapshotStatus) -> tuple[str, ...]:
    """Return the names of both fields in their order, each once."""
    sources = [each.indication for each in status.source_indications or ()]
    return _shared_names(frozenset(filter(None, (*(status.indications or ()), *sources))))


@lru_cache(maxsize=1024)
def _shared_names(names: frozenset[str]) -> tuple[str, ...]:
    """Return the names in their order; snapshots with the same names share one tuple."""
    return tuple(sorted(names))


def _volumes(lists: SnapshotVolumes | None, faults: Faults) -> Volumes | None:
    path = "status.snapshotVolumes"
    if lists is None:
        return Volumes(included=None, excluded=None) if faults.cover(path) else None
    return _shared_volumes(
        _names(lists.included_volumes, f"{path}.includedVolumes", faults),
        _names(lists.excluded_volumes, f"{path}.excludedVolumes", faults),
    )


def _names(names: list[str | None] | None, path: str, faults: Faults) -> tuple[str, ...] | None:
    """Return the names of a list; none of a list that is missing, None for an unreadable list."""
    if names is None and faults.cover(path):
        return None
    return tuple([name for name in names or () if name])


@lru_cache(maxsize=1024)
def _shared_volumes(included: tuple[str, ...] | None, excluded: tuple[str, ...] | None) -> Volumes:
    """Return the volumes; snapshots whose volumes have the same names share them."""
    return Volumes(included=included, excluded=excluded)


def _virtual_machine(
    document: VirtualMachineDocument, faults: Faults, *, namespace: str
) -> VirtualMachine | None:
    metadata, status = document.metadata or _NO_METADATA, document.status or VirtualMachineStatus()
    if not metadata.name:
        faults.add("metadata.name", "is missing")
        return None
    labels = sorted((intern(name), intern(v or "")) for name, v in (metadata.labels or {}).items())
    return VirtualMachine(
        namespace=intern(metadata.namespace or namespace),
        name=intern(metadata.name),
        uid=metadata.uid or "",
        status=intern(status.printable_status or ""),
        created_at=_time(metadata.creation_timestamp, "metadata.creationTimestamp", faults),
        deletion_timestamp=_time(metadata.deletion_timestamp, "metadata.deletionTimestamp", faults),
        restoring=bool(status.restore_in_progress),
        labels=tuple(labels),
        volumes=_vm_volumes(document, faults),
        unreadable=tuple(dict.fromkeys(faults.fields)),
    )


def _vm_volumes(document: VirtualMachineDocument, faults: Faults) -> tuple[Volume, ...] | None:
    """Return the volumes that spec and status name; None if neither names any.

    A status about a volume that a readable spec lacks counts, unless the volume's type cannot be
    snapshotted: such a volume was detached.
    """
    spec = document.spec and document.spec.template and document.spec.template.spec
    entries = spec.volumes if spec else None
    status = document.status
    statuses = _statuses(status.volume_snapshot_statuses if status else None, faults)
    if entries is None:
        found = tuple(_volume(each, "") for each in statuses.values())
        return found or None
    volumes = [_spec_volume(entry, statuses, faults) for entry in entries]
    if SPEC_VOLUMES in faults.fields:
        volumes.append(Volume(""))  # an entry that is no object: no snapshot is known to hold it
    named = {volume.name for volume in volumes}
    others = (_volume(each, "") for name, each in statuses.items() if name not in named)
    return (*volumes, *(volume for volume in others if not volume.is_doubtful))


def _statuses(
    entries: Iterable[VolumeSnapshotStatus] | None, faults: Faults
) -> dict[str, VolumeSnapshotStatus]:
    found = {}
    for each in entries or ():
        if each.name:
            found[each.name] = each
        else:
            faults.add("status.volumeSnapshotStatuses.name", "is missing")
    return found


def _spec_volume(
    entry: dict[str, Any], statuses: dict[str, VolumeSnapshotStatus], faults: Faults
) -> Volume:
    kinds = [key for key, value in entry.items() if key != "name" and value is not None]
    name = entry.get("name")
    if not isinstance(name, str) or not name or not encodable(name):
        faults.add(f"{SPEC_VOLUMES}.name", "is missing or unreadable")
        name = ""
    if len(kinds) != 1:
        faults.add(SPEC_VOLUMES + ".kind", "is not exactly one")
    return _volume(
        statuses.get(name, VolumeSnapshotStatus(name=name)), kinds[0] if len(kinds) == 1 else ""
    )


def _volume(status: VolumeSnapshotStatus, kind: str) -> Volume:
    return Volume(
        name=intern(status.name or ""),
        kind=intern(kind),
        enabled=status.enabled,
        reason=intern(status.reason or ""),
    )


def _cluster(document: ClusterDocument, faults: Faults) -> Cluster | None:
    metadata = document.metadata or _NO_METADATA
    if not metadata.uid:
        faults.add("metadata.uid", "is missing")
        return None
    return Cluster(
        uid=metadata.uid,
        name=metadata.name or metadata.uid,
        project_uid=metadata.project_uid or "",
        cloud_type=(document.spec or ClusterSpec()).cloud_type or "",
        state=(document.status or ClusterStatus()).cluster_state or "",
    )
