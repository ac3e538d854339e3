"""The structure of Palette's documents, and the salvage of those that do not have it.

Decoding is strict and typed, and skips what nobody reads: that is fast, and right for all but a
few documents. One that does not fit is taken apart value by value; what cannot be read is
reported and left out, so that what comes out fits after all.
"""

import json
from functools import cache
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from exporter.palette.errors import InvalidResponse
from exporter.palette.values import UNREADABLE, Fault, Report, encodable, where

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

Names = list[str | None] | UnsetType | None
"""A list of names; UNSET where there was something else."""


class Metadata(msgspec.Struct, rename="camel", gc=False):
    """``metadata`` of any document."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    project_uid: str | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str | None] | None = None


class Source(msgspec.Struct, gc=False):
    """``spec.source`` of a snapshot."""

    name: str | None = None


class Spec(msgspec.Struct, rename="camel", gc=False):
    """``spec`` of a snapshot or a cluster."""

    deletion_policy: str | None = None
    failure_deadline: str | None = None
    source: Source | None = None
    cloud_type: str | None = None


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

    included_volumes: Names = None
    excluded_volumes: Names = None


class VolumeSnapshotStatus(msgspec.Struct, gc=False):
    """One of ``status.volumeSnapshotStatuses`` of a virtual machine."""

    name: str | None = None
    enabled: bool | None = None
    reason: str | None = None


class Status(msgspec.Struct, rename="camel", gc=False):
    """``status`` of a snapshot or a virtual machine."""

    phase: str | None = None
    ready_to_use: bool | None = None
    creation_time: str | None = None
    source_uid: str | None = msgspec.field(name="sourceUID", default=None)
    virtual_machine_snapshot_content_name: str | None = None
    conditions: list[RawCondition] | None = None
    error: RawError | None = None
    indications: Names = None
    snapshot_volumes: SnapshotVolumes | None = None
    printable_status: str | None = None
    volume_snapshot_statuses: list[VolumeSnapshotStatus] | None = None


class Item(msgspec.Struct, gc=False):
    """What is read of a snapshot, a virtual machine or a cluster."""

    metadata: Metadata | None = None
    spec: Spec | None = None
    status: Status | None = None


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
    """What tells a document from a list of them."""

    kind: Any = None
    items: Any = UNSET


_DECODE_ITEM = msgspec.json.Decoder(Item).decode
_DECODE_ENVELOPE = msgspec.json.Decoder(_Envelope).decode
_DECODE_LIST = msgspec.json.Decoder(List[msgspec.Raw]).decode
_JSON = (bytes, msgspec.Raw)
_UNDECODABLE = (msgspec.MsgspecError, RecursionError, ValueError)

# Dates and durations that are not even strings are left to those who read them: they report it.
# So does who finds no deadline in a spec that is none.
_REPORTED_LATER = {
    "spec",
    "creationTimestamp",
    "deletionTimestamp",
    "creationTime",
    "lastTransitionTime",
    "time",
    "failureDeadline",
}

# What is unreadable must not pass for missing where that has a meaning of its own.
_INSTEAD: dict[str, Any] = {
    "spec": Spec(failure_deadline=UNREADABLE),
    "status.error": RawError(),
    "status.snapshotVolumes": SnapshotVolumes(UNSET, UNSET),
    "status.snapshotVolumes.includedVolumes": UNSET,
    "status.snapshotVolumes.excludedVolumes": UNSET,
}


def decode_list(body: bytes) -> List[Any]:
    """Return a page whose items are ready for ``decode_item``; raises InvalidResponse."""
    try:
        return _DECODE_LIST(body)
    except _UNDECODABLE:
        pass
    try:
        return msgspec.convert(_loose(body), List[Any])
    except _UNDECODABLE:
        raise InvalidResponse("the answer is not the list that was asked for") from None


def raw_items(answer: List[Any]) -> list[Any]:
    """Return the items of a page; raises InvalidResponse where it does not look like a list."""
    if answer.items is not UNSET:
        return answer.items or []
    # Servers written in Go may leave an empty list out; but an error that was sent with
    # status 200, or a single document, must not pass for one.
    called_list = str(answer.kind).endswith("List")
    nameless = answer.kind is None and answer.metadata is not None
    if not (called_list or nameless) or (answer.spec, answer.status) != (None, None):
        raise InvalidResponse("the answer has no items")
    return []


def is_single(body: bytes) -> bool:
    """Tell whether an answer may be one document: neither a list nor Kubernetes' word on a call."""
    try:
        envelope = _DECODE_ENVELOPE(body)
    except _UNDECODABLE:
        return True  # what it is shows when it is taken apart
    return envelope.items is UNSET and not str(envelope.kind).endswith(("List", "Status"))


def decode_item(raw: Any, report: Report) -> Item | None:
    """Return a document, or None where there is nothing to read in it.

    raw: its JSON text, or what was already parsed of it.
    """
    if isinstance(raw, _JSON):
        try:
            return _DECODE_ITEM(raw)
        except _UNDECODABLE:
            raw = _loose_or_none(bytes(raw))
    if isinstance(raw, dict):
        return _Salvage(raw, report).struct(Item, raw, "")
    report(Fault("items", "", "is not a JSON object"))
    return None


def _loose(body: bytes) -> Any:
    """Parse what msgspec refuses whole: half a surrogate pair, bytes that are not UTF-8."""
    return json.loads(body.decode(errors="replace"))


def _loose_or_none(body: bytes) -> Any:
    try:
        return _loose(body)
    except _UNDECODABLE:
        return None


_fields = cache(msgspec.structs.fields)
"""Worked out anew each time, they would take most of the time of a salvage."""


class _Salvage:
    """Takes apart one document that does not fit."""

    def __init__(self, document: dict[str, Any], report: Report) -> None:
        metadata = document.get("metadata")
        names = metadata if isinstance(metadata, dict) else {}
        self._where = where(names.get("namespace"), names.get("name"))
        self._report = report

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
        if value is None:
            return None
        for kind in get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,):
            if isinstance(value, get_origin(kind) or kind if kind is not UnsetType else ()):
                return self._fitting(kind, value, path)
            if issubclass(get_origin(kind) or kind, msgspec.Struct) and isinstance(value, dict):
                return self.struct(kind, value, f"{path}.")
        return self._unreadable(path)

    def _fitting(self, kind: Any, value: Any, path: str) -> Any:
        if isinstance(value, list):
            return self._entries(get_args(kind)[0], value, path)
        if isinstance(value, dict):
            return {
                name: self._value(str, entry, path)
                for name, entry in value.items()
                if encodable(name)
            }
        if isinstance(value, str) and not encodable(value):
            return self._unreadable(path)
        return value

    def _entries(self, kind: Any, entries: list[Any], path: str) -> list[Any]:
        found = []
        for entry in entries:
            value = self._value(kind, entry, path)
            if entry is None and isinstance(kind, type):
                self._fault(path)
            if value is not None:
                found.append(value)
        return found

    def _unreadable(self, path: str) -> Any:
        name = path.rpartition(".")[2]
        if name not in _REPORTED_LATER:
            self._fault(path)
        return _INSTEAD.get(path, UNREADABLE if name in _REPORTED_LATER else None)

    def _fault(self, path: str) -> None:
        self._report(Fault(path, self._where, "is of a kind that cannot be read there"))
