"""The structure of Palette's documents, one for each kind, and the salvage of those that differ.

Decoding is strict and typed, and skips what the exporter does not read. That is fast, and enough
for nearly all documents. A document that does not fit is taken apart value by value: what cannot
be read is reported and left out.
"""

import json
from functools import cache
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from exporter.palette.errors import InvalidResponse
from exporter.palette.values import Faults, Report, encodable

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


class OwnerReference(msgspec.Struct, gc=False):
    """One of ``metadata.ownerReferences``."""

    kind: str | None = None


class Metadata(msgspec.Struct, rename="camel", gc=False):
    """``metadata`` of a snapshot, a virtual machine or a cluster."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    project_uid: str | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str | None] | None = None
    owner_references: list[OwnerReference] | None = None


class Source(msgspec.Struct, gc=False):
    """``spec.source`` of a snapshot."""

    name: str | None = None


class SnapshotSpec(msgspec.Struct, rename="camel", gc=False):
    """``spec`` of a snapshot."""

    deletion_policy: str | None = None
    failure_deadline: str | None = None
    source: Source | None = None


class RawCondition(msgspec.Struct, rename="camel", gc=False):
    """One of ``status.conditions`` of a snapshot."""

    type: str | None = None
    status: str | None = None
    last_transition_time: str | None = None
    reason: str | None = None


class RawError(msgspec.Struct, gc=False):
    """``status.error`` of a snapshot."""

    message: str | None = None
    time: str | None = None


class SnapshotVolumes(msgspec.Struct, rename="camel", gc=False):
    """``status.snapshotVolumes`` of a snapshot."""

    included_volumes: list[str | None] | None = None
    excluded_volumes: list[str | None] | None = None


class SourceIndication(msgspec.Struct, gc=False):
    """One of ``status.sourceIndications`` of a snapshot."""

    indication: str | None = None


class SnapshotStatus(msgspec.Struct, rename="camel", gc=False):
    """``status`` of a snapshot."""

    phase: str | None = None
    ready_to_use: bool | None = None
    creation_time: str | None = None
    source_uid: str | None = msgspec.field(name="sourceUID", default=None)
    virtual_machine_snapshot_content_name: str | None = None
    conditions: list[RawCondition] | None = None
    error: RawError | None = None
    indications: list[str | None] | None = None
    source_indications: list[SourceIndication] | None = None
    snapshot_volumes: SnapshotVolumes | None = None


class SnapshotDocument(msgspec.Struct, gc=False):
    """A VirtualMachineSnapshot."""

    metadata: Metadata | None = None
    spec: SnapshotSpec | None = None
    status: SnapshotStatus | None = None


class TemplateSpec(msgspec.Struct, gc=False):
    """``spec.template.spec`` of a virtual machine; each volume is ``{name, KIND: {...}}``."""

    volumes: list[dict[str, Any]] | None = None


class Template(msgspec.Struct, gc=False):
    """``spec.template`` of a virtual machine."""

    spec: TemplateSpec | None = None


class VirtualMachineSpec(msgspec.Struct, gc=False):
    """``spec`` of a virtual machine."""

    template: Template | None = None


class VolumeSnapshotStatus(msgspec.Struct, gc=False):
    """One of ``status.volumeSnapshotStatuses`` of a virtual machine."""

    name: str | None = None
    enabled: bool | None = None
    reason: str | None = None


class VirtualMachineStatus(msgspec.Struct, rename="camel", gc=False):
    """``status`` of a virtual machine."""

    printable_status: str | None = None
    restore_in_progress: str | None = None
    volume_snapshot_statuses: list[VolumeSnapshotStatus] | None = None


class VirtualMachineDocument(msgspec.Struct, gc=False):
    """A VirtualMachine."""

    metadata: Metadata | None = None
    spec: VirtualMachineSpec | None = None
    status: VirtualMachineStatus | None = None


class ClusterSpec(msgspec.Struct, rename="camel", gc=False):
    """``spec`` of a cluster on the dashboard."""

    cloud_type: str | None = None


class ClusterStatus(msgspec.Struct, rename="camel", gc=False):
    """``status`` of a cluster on the dashboard."""

    cluster_state: str | None = None


class ClusterDocument(msgspec.Struct, gc=False):
    """A VM-enabled cluster on the dashboard."""

    metadata: Metadata | None = None
    spec: ClusterSpec | None = None
    status: ClusterStatus | None = None


class ListMetadata(msgspec.Struct, gc=False):
    """``metadata`` of a list."""

    continue_token: str | None = msgspec.field(name="continue", default=None)


class List(msgspec.Struct, Generic[T], gc=False):
    """A page of a list, its items still to be decoded."""

    kind: Any = None
    metadata: ListMetadata | None = None
    items: list[T] | UnsetType | None = UNSET
    spec: Any = None
    status: Any = None


class _Envelope(msgspec.Struct, gc=False):
    """What distinguishes a document from a list of them."""

    kind: Any = None
    items: Any = UNSET


_decoder = cache(msgspec.json.Decoder)
_fields = cache(msgspec.structs.fields)
_UNDECODABLE = (msgspec.MsgspecError, RecursionError, ValueError)


def decode_list(body: bytes) -> List[Any]:
    """Return a page whose items are ready for ``decode_item``; raises InvalidResponse."""
    page: List[Any]
    try:
        page = _decoder(List[msgspec.Raw]).decode(body)
    except _UNDECODABLE:
        page = _loose_list(body)
    return page


def _loose_list(body: bytes) -> List[Any]:
    try:
        return msgspec.convert(_loose(body), List[Any])
    except _UNDECODABLE:
        raise InvalidResponse("the answer is not the list that was requested") from None


def raw_items(answer: List[Any]) -> list[Any]:
    """Return the items of a page; raises InvalidResponse if it does not look like a list."""
    if answer.items is not UNSET:
        return answer.items or []
    # Servers written in Go can leave an empty list out. An error that was sent with status 200,
    # or a single document, must not pass for an empty list.
    called_list = str(answer.kind).endswith("List")
    nameless = answer.kind is None and answer.metadata is not None
    if not (called_list or nameless) or (answer.spec, answer.status) != (None, None):
        raise InvalidResponse("the answer has no items")
    return []


def is_single(body: bytes) -> bool:
    """Return True if an answer can be one document: neither a list nor a Kubernetes Status."""
    try:
        envelope = _decoder(_Envelope).decode(body)
    except _UNDECODABLE:
        return True  # taking it apart shows what it is
    return envelope.items is UNSET and not str(envelope.kind).endswith(("List", "Status"))


def decode_item(kind: type[S], raw: Any, report: Report) -> tuple[S, Faults] | None:
    """Return a document with what could not be read of it; None if it is no JSON object.

    raw: its JSON text, or what was already parsed of it.
    """
    if isinstance(raw, bytes | msgspec.Raw):
        try:
            document: S = _decoder(kind).decode(raw)
        except _UNDECODABLE:
            raw = _loose_or_none(bytes(raw))
        else:
            return document, _faults_of(getattr(document, "metadata", None), report)
    if isinstance(raw, dict):
        names = raw.get("metadata")
        names = names if isinstance(names, dict) else {}
        faults = Faults(report, names.get("namespace"), names.get("name"))
        return _Salvage(faults).struct(kind, raw, ""), faults
    Faults(report).add("items", "is not a JSON object")
    return None


def _faults_of(metadata: Metadata | None, report: Report) -> Faults:
    return Faults(report, metadata.namespace, metadata.name) if metadata else Faults(report)


def _loose(body: bytes) -> Any:
    """Parse what msgspec refuses whole: half a surrogate pair, bytes that are not UTF-8."""
    return json.loads(body.decode(errors="replace"))


def _loose_or_none(body: bytes) -> Any:
    try:
        return _loose(body)
    except _UNDECODABLE:
        return None


class _Salvage:
    """Takes one document apart that does not fit its structure."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def struct(self, kind: type[S], found: dict[str, Any], prefix: str) -> S:
        """Return an object with those of its values that can be read."""
        return kind(
            **{
                field.name: self._value(field.type, found[key], prefix + key)
                for field in _fields(kind)
                if (key := field.encode_name) in found
            }
        )

    def _value(self, wanted: Any, value: Any, path: str) -> Any:
        if value is None or wanted is Any:
            return value
        for kind in get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,):
            plain = get_origin(kind) or kind
            if issubclass(plain, msgspec.Struct) and isinstance(value, dict):
                return self.struct(plain, value, f"{path}.")
            if isinstance(value, plain):
                return self._fitting(kind, value, path)
        return self._faults.add(path)

    def _fitting(self, kind: Any, value: Any, path: str) -> Any:
        if isinstance(value, list):
            return self._entries(get_args(kind)[0], value, path)
        if isinstance(value, dict):
            (_, inner) = get_args(kind)
            return {
                name: self._value(inner, entry, path)
                for name, entry in value.items()
                if encodable(name)
            }
        if isinstance(value, str) and not encodable(value):
            return self._faults.add(path)
        return value

    def _entries(self, kind: Any, entries: list[Any], path: str) -> list[Any]:
        found = []
        for entry in entries:
            value = self._value(kind, entry, path)
            if entry is None and get_origin(kind) not in (Union, UnionType):
                self._faults.add(path)
            if value is not None:
                found.append(value)
        return found
