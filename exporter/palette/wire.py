"""Palette's JSON, decoded into values; no other module knows its spelling.

One bad child spoils nothing: an unreadable value is reported and left out, an unreadable item
is reported and skipped. Only what puts a whole answer in doubt raises InvalidResponse.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from sys import intern
from typing import Any, Generic, TypeVar

from msgspec import UnsetType

from exporter.duration import parse_go_duration
from exporter.palette.document import (
    Item,
    Metadata,
    Names,
    RawCondition,
    RawError,
    SnapshotVolumes,
    Source,
    Spec,
    Status,
    VolumeSnapshotStatus,
    decode_item,
    decode_list,
    is_single,
    raw_items,
)
from exporter.palette.errors import InvalidResponse
from exporter.palette.values import Fault, Report, encodable, parse_time, where
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

SCHEDULED_LABEL = "vmo-manager.spectrocloud.com/scheduled"
CONDITION_STATUSES = {
    spelled: status
    for status in ("true", "false", "unknown")
    for spelled in (status, status.capitalize())
}
"""As Kubernetes writes them, and as others may -> as we do."""

T = TypeVar("T")
Read = Callable[[Item, "_Reader"], T | None]

_NO_METADATA, _NO_SPEC, _NO_SOURCE, _NO_STATUS = Metadata(), Spec(), Source(), Status()
_go_duration = lru_cache(maxsize=1024)(parse_go_duration)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list; ``continue_token`` is None on the last."""

    items: tuple[T, ...]
    continue_token: str | None = field(repr=False)


class _Reader:
    """Reads the times and durations of one document, and reports those that make no sense."""

    __slots__ = ("_metadata", "_report")

    def __init__(self, metadata: Metadata, report: Report) -> None:
        self._metadata = metadata
        self._report = report

    def fault(self, field: str, problem: str) -> None:
        called = where(self._metadata.namespace, self._metadata.name)
        self._report(Fault(field, called, problem))

    def time(self, text: str | None, field: str) -> float | None:
        """Return seconds since the epoch; None where it is missing, unset, or no time."""
        if not text:
            return None
        try:
            return parse_time(text)
        except ValueError as error:
            self.fault(field, str(error))
            return None

    def deadline(self, text: str | None) -> float | None:
        """Return seconds; KubeVirt's default where it is missing, None where it is none."""
        if text is None:
            return DEFAULT_FAILURE_DEADLINE
        try:
            return _go_duration(text)
        except ValueError:
            self.fault("spec.failureDeadline", "is not a duration")
            return None


def snapshot(body: bytes, report: Report, *, namespace: str, vm: str, name: str) -> Snapshot:
    """Decode the answer to the snapshot call.

    namespace, vm, name: the identity that was asked for; they stand in for what the document
        lacks. A document that names another snapshot is no answer.
    Raises InvalidResponse where the body holds no such snapshot.
    """
    item = decode_item(body, report) if is_single(body) else None
    if item is None:
        raise InvalidResponse("the answer is not a JSON object, or a list of them")
    if item.metadata is None and item.spec is None and item.status is None:
        raise InvalidResponse("the answer is an object, but not a snapshot")
    read = _Reader(item.metadata or _NO_METADATA, report)
    found = _snapshot(item, read, namespace=namespace, vm=vm, name=name)
    if found is None or (found.namespace, found.name) != (namespace, name):
        raise InvalidResponse("the answer is another snapshot than the one asked for")
    return found


def snapshot_page(
    body: bytes,
    report: Report,
    *,
    namespace: str = "",
    vm: str = "",
) -> Page[Snapshot]:
    """Decode a page of the snapshot list; namespace and vm stand in where an item lacks them.

    Raises InvalidResponse where the body is no list, or does not tell whether it is complete.
    """
    return _page(body, report, partial(_snapshot, namespace=namespace, vm=vm, name=""))


def virtual_machine_page(
    body: bytes,
    report: Report,
    *,
    namespace: str = "",
) -> Page[VirtualMachine]:
    """Decode a page of the VM list; namespace stands in where an item lacks it.

    Raises InvalidResponse where the body is no list, or does not tell whether it is complete.
    """
    return _page(body, report, partial(_virtual_machine, namespace=namespace))


def clusters(body: bytes, report: Report) -> tuple[Cluster, ...]:
    """Decode the dashboard's VM-enabled clusters; one without a uid is none.

    Raises InvalidResponse where the body is no list.
    """
    return _page(body, report, _cluster).items


def _page(body: bytes, report: Report, read: Read[T]) -> Page[T]:
    answer = decode_list(body)
    values = [_decoded(read, raw, report) for raw in raw_items(answer)]
    token = answer.metadata.continue_token if answer.metadata else None
    if token and not encodable(token):
        raise InvalidResponse("the list has a continue token that cannot be sent back")
    readable = tuple([value for value in values if value is not None])
    return Page(items=readable, continue_token=token or None)


def _decoded(read: Read[T], raw: Any, report: Report) -> T | None:
    item = decode_item(raw, report)
    return read(item, _Reader(item.metadata or _NO_METADATA, report)) if item else None


def _snapshot(item: Item, read: _Reader, *, namespace: str, vm: str, name: str) -> Snapshot | None:
    metadata, spec = item.metadata or _NO_METADATA, item.spec or _NO_SPEC
    status = item.status or _NO_STATUS
    source = spec.source or _NO_SOURCE
    name = metadata.name or name
    if not name:
        read.fault("metadata.name", "is missing")
        return None
    deletion_timestamp = read.time(metadata.deletion_timestamp, "metadata.deletionTimestamp")
    return Snapshot(
        namespace=intern(metadata.namespace or namespace),
        vm=intern(source.name or vm),
        name=name,
        uid=metadata.uid or "",
        source_uid=intern(status.source_uid or ""),
        content=status.virtual_machine_snapshot_content_name or "",
        deletion_policy=intern(spec.deletion_policy or ""),
        scheduled=(metadata.labels or {}).get(SCHEDULED_LABEL) == "true",
        requested_at=read.time(metadata.creation_timestamp, "metadata.creationTimestamp"),
        creation_time=read.time(status.creation_time, "status.creationTime"),
        deletion_timestamp=deletion_timestamp,
        deleting=_deleting(metadata.deletion_timestamp, deletion_timestamp, status.phase),
        failure_deadline=read.deadline(spec.failure_deadline),
        phase=None if item.status is None else intern(status.phase or ""),
        ready_to_use=status.ready_to_use or False,
        conditions=_conditions(status.conditions, read),
        error=_error(status.error, read),
        indications=_indications(status.indications),
        volumes=_volumes(status.snapshot_volumes),
    )


def _deleting(text: str | None, timestamp: float | None, phase: str | None) -> bool:
    """Tell whether the snapshot is being deleted, be it that the time of it cannot be read.

    A finished snapshot keeps its phase while it goes, an unfinished one turns to Deleting.
    """
    if timestamp is not None or phase == "Deleting":
        return True
    return bool(text) and not _is_time(text or "")


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def _conditions(entries: list[RawCondition] | None, read: _Reader) -> tuple[Condition, ...]:
    """Return one condition per type, in the order of their names: the latest instant wins."""
    latest: dict[str, Condition] = {}
    for entry in entries or ():
        condition = _condition(entry, read)
        known = latest.get(condition.type)
        if known is None or (known.last_transition or 0) <= (condition.last_transition or 0):
            latest[condition.type] = condition
    latest.pop("", None)
    return tuple(sorted(latest.values()))


def _condition(entry: RawCondition, read: _Reader) -> Condition:
    status = entry.status or ""
    field = "status.conditions.lastTransitionTime"
    return Condition(
        type=intern(entry.type or ""),
        status=CONDITION_STATUSES.get(status) or CONDITION_STATUSES.get(status.lower(), "unknown"),
        last_transition=read.time(entry.last_transition_time, field),
        reason=intern(entry.reason or ""),
    )


def _error(entry: RawError | None, read: _Reader) -> SnapshotError | None:
    if entry is None:
        return None
    return SnapshotError(
        message=entry.message or "", time=read.time(entry.time, "status.error.time")
    )


_Known = tuple[str | None, ...] | None
"""Names as they are written, null among them perhaps; None where they could not be read."""


def _known(entries: Names) -> _Known:
    return None if isinstance(entries, UnsetType) else tuple(entries or ())


def _names(known: _Known) -> tuple[str, ...] | None:
    return None if known is None else tuple([name for name in known if name])


@lru_cache(maxsize=1024)
def _shared_indications(known: _Known) -> tuple[str, ...]:
    """Return names in their order, each once; those of many snapshots share one tuple."""
    return tuple(sorted(set(_names(known) or ())))


def _indications(entries: Names) -> tuple[str, ...]:
    return _shared_indications(_known(entries))


def _volumes(lists: SnapshotVolumes | None) -> Volumes | None:
    if lists is None:
        return None
    return _shared_volumes(_known(lists.included_volumes), _known(lists.excluded_volumes))


@lru_cache(maxsize=1024)
def _shared_volumes(included: _Known, excluded: _Known) -> Volumes:
    """Return the volumes; snapshots whose volumes have the same names share them."""
    return Volumes(included=_names(included), excluded=_names(excluded))


def _virtual_machine(item: Item, read: _Reader, *, namespace: str) -> VirtualMachine | None:
    metadata, status = item.metadata or _NO_METADATA, item.status or _NO_STATUS
    if not metadata.name:
        read.fault("metadata.name", "is missing")
        return None
    labels = sorted((intern(name), intern(v or "")) for name, v in (metadata.labels or {}).items())
    return VirtualMachine(
        namespace=intern(metadata.namespace or namespace),
        name=intern(metadata.name),
        uid=metadata.uid or "",
        status=intern(status.printable_status or ""),
        created_at=read.time(metadata.creation_timestamp, "metadata.creationTimestamp"),
        labels=tuple(labels),
        volumes=_vm_volumes(status.volume_snapshot_statuses),
    )


def _vm_volumes(statuses: list[VolumeSnapshotStatus] | None) -> tuple[Volume, ...] | None:
    if not statuses:
        return None
    return tuple(
        Volume(intern(each.name), enabled=each.enabled, reason=intern(each.reason or ""))
        for each in statuses
        if each.name
    )


def _cluster(item: Item, read: _Reader) -> Cluster | None:
    metadata, spec = item.metadata or _NO_METADATA, item.spec or _NO_SPEC
    if not metadata.uid:
        read.fault("metadata.uid", "is missing")
        return None
    return Cluster(
        uid=metadata.uid,
        name=metadata.name or metadata.uid,
        project_uid=metadata.project_uid or "",
        cloud_type=spec.cloud_type or "",
    )
