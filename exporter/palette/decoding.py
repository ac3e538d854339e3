"""From the body of an answer to documents, without holding up the event loop.

Decoding is typed, and skips what the exporter does not read. That is fast, and enough for nearly
all answers. The documents of an answer that does not fit are taken apart value by value: what
cannot be read is reported and left out.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from exporter.palette.document import (
    NO_METADATA,
    Document,
    Faults,
    Page,
    Part,
    Report,
    Time,
    encodable,
)
from exporter.palette.errors import InvalidResponse, PaletteError

MOST_VALUES = 250_000
"""Fifty virtual machines have a tenth of that; each value becomes an object, which takes about
thirty times its bytes."""

MOST_ON_A_PAGE = 10_000  # Palette sends at most fifty, and all clusters of the dashboard at once

T = TypeVar("T")
D = TypeVar("D", bound=Document)


class Decoder:
    """Decodes one body at a time in a thread, and lets all other tasks run in between.

    Many answers arrive together after a pause, and would otherwise hold the event loop for as
    long as all of them take.
    """

    def __init__(self) -> None:
        self._queue = asyncio.Lock()
        # A call that is cancelled leaves its thread behind: with more than one they would pile up.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode")

    async def __call__(self, body: bytes, decode: Callable[[bytes], T]) -> T:
        """Return what ``decode`` makes of a body.

        Raises InvalidResponse, before decoding, if there are more values than any page has, and
        for any exception of ``decode``: nothing that Palette sends can end the process.
        """
        try:
            if body.count(b",") >= MOST_VALUES:
                raise InvalidResponse(f"the answer holds more than {MOST_VALUES} values")
            async with self._queue:
                loop = asyncio.get_running_loop()
                outcome = await loop.run_in_executor(self._thread, _outcome, body, decode)
        finally:
            # A traceback can keep this frame until the next pass of the garbage collector.
            del body
        if isinstance(outcome, PaletteError):
            raise outcome
        return outcome


def _outcome(body: bytes, decode: Callable[[bytes], T]) -> T | PaletteError:
    """Return an error without its traceback, whose frames hold the body."""
    try:
        return decode(body)
    except PaletteError as error:
        return type(error)(str(error))
    except Exception as error:
        return InvalidResponse(f"the answer cannot be decoded ({type(error).__name__})")


class _ListMetadata(Part):
    continue_token: str | None = msgspec.field(name="continue", default=None)


class _List(Part, Generic[T]):
    """A page of a list; ``spec`` and ``status``: it is a single document."""

    kind: Any = None
    metadata: _ListMetadata | None = None
    items: list[T] | UnsetType | None = UNSET
    spec: Any = None
    status: Any = None


_decoder = cache(msgspec.json.Decoder)
_fields = cache(msgspec.structs.fields)
_UNDECODABLE = (msgspec.MsgspecError, RecursionError, ValueError)


def decode_document(kind: type[D], body: bytes, report: Report) -> tuple[D, Faults]:
    """Return the one document of an answer, with what could not be read of it.

    Raises InvalidResponse for anything else, a list and a Kubernetes Status included.
    """
    decoded: tuple[D, Faults] | None
    try:
        decoded = _with_faults(_decoder(kind).decode(body), report)
    except _UNDECODABLE:
        decoded = _salvaged(kind, _parsed(body), report)
    if decoded is None or _is_other(decoded[0]):
        raise InvalidResponse("the answer is not the object that was requested")
    return decoded


def _is_other(document: Document) -> bool:
    return document.items is not UNSET or str(document.kind).endswith(("List", "Status"))


def decode_page(
    kind: type[D], body: bytes, report: Report, read: Callable[[D, Faults], T | None]
) -> Page[T]:
    """Return what ``read`` makes of the documents of a page; what it returns None for is left out.

    An item that is no JSON object is reported and left out.
    Raises InvalidResponse if the answer is no list, has more items than any page, or does not say
    whether it is complete.
    """
    try:
        page: _List[Any] = _decoder(_List[kind]).decode(body)  # type: ignore[valid-type]
        documents = [_with_faults(document, report) for document in _items(page)]
    except _UNDECODABLE:
        page = _loose_list(body)
        salvaged = (_salvaged(kind, item, report) for item in _items(page))
        documents = [each for each in salvaged if each]
    token = page.metadata.continue_token if page.metadata else None
    if token and not encodable(token):
        raise InvalidResponse("the list has a continue token that cannot be sent back")
    values = [read(document, faults) for document, faults in documents]
    readable = tuple([value for value in values if value is not None])
    return Page(items=readable, continue_token=token or None)


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


def _with_faults(document: D, report: Report) -> tuple[D, Faults]:
    metadata = document.metadata or NO_METADATA
    return document, Faults(report, metadata.namespace, metadata.name)


def _loose_list(body: bytes) -> _List[Any]:
    try:
        return msgspec.convert(_parsed(body), _List[Any])
    except _UNDECODABLE:
        raise InvalidResponse("the answer is not the list that was requested") from None


def _parsed(body: bytes) -> Any:
    """Parse also what msgspec refuses: half a surrogate pair, bytes that are not UTF-8."""
    try:
        return json.loads(body.decode(errors="replace"), parse_int=_integer)
    except _UNDECODABLE:
        return None


def _integer(digits: str) -> float:
    # Python refuses to convert very long ones, and the whole answer with them.
    return int(digits) if len(digits) < 20 else float(digits)


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
