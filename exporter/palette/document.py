"""Palette's JSON documents: strict decoding, and the salvage of those that do not fit.

Decoding is typed, and skips what the exporter does not read. That is fast, and enough for nearly
all answers. The documents of an answer that does not fit are taken apart value by value: what
cannot be read is reported and left out.
"""

import json
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from exporter.palette.errors import InvalidResponse
from exporter.palette.values import Faults, Report, encodable

MOST_ON_A_PAGE = 10_000
"""Palette sends at most fifty, and all clusters of the dashboard at once."""

Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Part(msgspec.Struct, rename="camel", gc=False):
    """A JSON object with the keys that the exporter reads, each None if it is missing."""


class OwnerReference(Part):
    """One of ``metadata.ownerReferences``."""

    kind: str | None = None


class Metadata(Part):
    """``metadata`` of a snapshot, a virtual machine or a cluster."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    project_uid: str | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str | None] | None = None
    owner_references: list[OwnerReference] | None = None


NO_METADATA = Metadata()


class Document(Part):
    """One object of Kubernetes or Palette; ``items``: it is a list."""

    kind: Any = None
    metadata: Metadata | None = None
    items: Any = UNSET


T = TypeVar("T")
D = TypeVar("D", bound=Document)


class _ListMetadata(Part):
    continue_token: str | None = msgspec.field(name="continue", default=None)


class _List(Part, Generic[T]):
    """A page of a list; ``spec`` and ``status``: it is a single document."""

    kind: Any = None
    metadata: _ListMetadata | None = None
    items: list[T] | UnsetType | None = UNSET
    spec: Any = None
    status: Any = None


_fields = cache(msgspec.structs.fields)
_UNDECODABLE = (msgspec.MsgspecError, RecursionError, ValueError)


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode_document(kind: type[D], body: bytes, report: Report) -> tuple[D, Faults]:
    """Return the one document of an answer, with what could not be read of it.

    Raises InvalidResponse for anything else, a list and a Kubernetes Status included.
    """
    decoded = _decoded(kind, body, report)
    if decoded is None or _is_other(decoded[0]):
        raise InvalidResponse("the answer is not the object that was requested")
    return decoded


def _is_other(document: Document) -> bool:
    return document.items is not UNSET or str(document.kind).endswith(("List", "Status"))


def decode_list(
    kind: type[D], body: bytes, report: Report
) -> tuple[list[tuple[D, Faults]], str | None]:
    """Return the documents of a page, as ``decode_document`` does, and the continue token.

    An item that is no JSON object is reported and left out.
    Raises InvalidResponse if the answer is no list, or has more items than any page.
    """
    try:
        page: _List[Any] = _decoder(_List[kind]).decode(body)  # type: ignore[valid-type]
        documents = [_with_faults(document, report) for document in _items(page)]
    except _UNDECODABLE:
        page = _loose_list(body)
        decoded = [_decoded(kind, item, report) for item in _items(page)]
        documents = [each for each in decoded if each]
    return documents, page.metadata.continue_token if page.metadata else None


def _items(page: _List[Any]) -> list[Any]:
    if page.items is UNSET:
        # Servers written in Go can leave an empty list out. An error that was sent with status
        # 200, or a single document, must not pass for an empty list.
        called_list = str(page.kind).endswith("List")
        nameless = page.kind is None and page.metadata is not None
        if not (called_list or nameless) or (page.spec, page.status) != (None, None):
            raise InvalidResponse("the answer has no items")
    items = page.items or []
    if len(items) > MOST_ON_A_PAGE:
        raise InvalidResponse(f"the list has more than {MOST_ON_A_PAGE} items on a page")
    return items


def _decoded(kind: type[D], item: Any, report: Report) -> tuple[D, Faults] | None:
    """Return one document; item: its JSON text, or what was already parsed of it."""
    if isinstance(item, bytes | msgspec.Raw):
        try:
            return _with_faults(_decoder(kind).decode(item), report)
        except _UNDECODABLE:
            item = _parsed(bytes(item))
    return _salvaged(kind, item, report)


def _with_faults(document: D, report: Report) -> tuple[D, Faults]:
    metadata = document.metadata or NO_METADATA
    return document, Faults(report, metadata.namespace, metadata.name)


def _loose_list(body: bytes) -> _List[Any]:
    page: _List[Any]
    try:
        page = _decoder(_List[msgspec.Raw]).decode(body)
    except _UNDECODABLE:
        try:
            page = msgspec.convert(_parsed(body), _List[Any])
        except _UNDECODABLE:
            raise InvalidResponse("the answer is not the list that was requested") from None
    return page


def _parsed(body: bytes) -> Any:
    """Parse also what msgspec refuses: half a surrogate pair, bytes that are not UTF-8."""
    try:
        return json.loads(body.decode(errors="replace"))
    except _UNDECODABLE:
        return None


def _salvaged(kind: type[D], found: Any, report: Report) -> tuple[D, Faults] | None:
    """Return a document with those of its values that can be read; None if it is no object."""
    if not isinstance(found, dict):
        Faults(report).add("items", "is not a JSON object")
        return None
    names = found.get("metadata")
    names = names if isinstance(names, dict) else {}
    faults = Faults(report, names.get("namespace"), names.get("name"))
    return _struct(kind, found, "", faults), faults


def _struct(kind: Any, found: dict[str, Any], prefix: str, faults: Faults) -> Any:
    return kind(
        **{
            field.name: _value(field.type, found[key], prefix + key, faults)
            for field in _fields(kind)
            if (key := field.encode_name) in found
        }
    )


def _value(wanted: Any, value: Any, path: str, faults: Faults) -> Any:
    """Return a value, or what can be read of it, as its type demands; None for another type."""
    if get_origin(wanted) in (Union, UnionType):
        if value is None:
            return None
        wanted = get_args(wanted)[0]
    if wanted is Any:
        return value
    if wanted == Time:
        return _time(value, path, faults)
    kind = get_origin(wanted) or wanted
    if isinstance(value, dict) and issubclass(kind, Part):
        return _struct(kind, value, f"{path}.", faults)
    if not isinstance(value, kind) or (kind is str and not encodable(value)):
        faults.add(path)
        return None
    return _entries(wanted, value, path, faults) if kind in (list, dict) else value


def _entries(wanted: Any, value: Any, path: str, faults: Faults) -> Any:
    if isinstance(value, dict):
        (_, kind) = get_args(wanted)
        return {
            name: _value(kind, entry, path, faults)
            for name, entry in value.items()
            if encodable(name)
        }
    (kind,) = get_args(wanted)
    read = (_value(kind, entry, path, faults) for entry in value)
    return [entry for entry in read if entry is not None]


def _time(value: Any, path: str, faults: Faults) -> datetime | None:
    # Years up to 1970 stand for a time that is not set. Python knows no year 0.
    if value == "" or str(value).startswith("0000-"):
        return None
    try:
        return msgspec.convert(value, Time)
    except _UNDECODABLE:
        faults.add(path, "is not an RFC 3339 time")
        return None
