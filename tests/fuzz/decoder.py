"""The property of each answer, for any body: values of the right types, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.palette import auth, wire
from exporter.palette.errors import InvalidResponse, PaletteError, Unauthorized, status_error
from exporter.snapshot import Cluster, Snapshot, VirtualMachine
from tests.fuzz import oracle
from tests.fuzz.conformity import misfit
from tests.fuzz.corpus import CANARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ASKED = {"namespace": "vms", "vm": "db-01", "name": "db-01-nightly"}
DEFAULT = (ASKED["namespace"], "")


def snapshot(body: bytes) -> None:
    """Check one snapshot; only some payloads are the requested one."""
    asked = ASKED
    try:
        document = oracle.parsed(body)
    except ValueError:
        document = None
    if isinstance(document, dict):
        namespace, name = oracle.key(document, (ASKED["namespace"], ASKED["name"]))
        asked = ASKED | {"namespace": namespace, "name": name}
    faults: list[wire.Fault] = []
    try:
        found = wire.snapshot(body, faults.append, **asked)
    except InvalidResponse:
        return
    _sound(faults)
    _truthful([found], [document], (asked["namespace"], asked["name"]))


def snapshot_page(body: bytes) -> tuple[Snapshot, ...]:
    """Check a page of snapshots."""
    page = _page(wire.snapshot_page, body, Snapshot, namespace=ASKED["namespace"])
    if page:
        document = oracle.parsed(body)
        _truthful(page.items, oracle.items(document) if document is not oracle.UNKNOWN else None)
    return page.items if page else ()


def virtual_machine_page(body: bytes) -> tuple[VirtualMachine, ...]:
    """Check a page of virtual machines."""
    page = _page(wire.virtual_machine_page, body, VirtualMachine, namespace="vms")
    return page.items if page else ()


def clusters(body: bytes) -> None:
    """Check the dashboard's clusters."""
    faults: list[wire.Fault] = []
    try:
        found = wire.clusters(body, faults.append)
    except InvalidResponse:
        return
    _sound(faults)
    for cluster in found:
        assert not (wrong := misfit(cluster, Cluster)), wrong
        assert cluster.uid
        assert cluster.name


def login(body: bytes) -> None:
    """Check a login: a token that can be sent, or an error."""
    try:
        token = auth._token(body)
    except (InvalidResponse, Unauthorized):
        return
    assert type(token) is str
    assert token.isascii()
    assert token.isprintable()
    assert " " not in token


def error(body: bytes) -> None:
    """Check the error for a status: a PaletteError, without the credential in the answer."""
    for status in (400, 401, 404, 410, 429, 500, 503):
        found = status_error(status, "GET /v1/x at palette:443", body=body, secrets=(CANARY,))
        assert isinstance(found, PaletteError)
        assert CANARY not in str(found) + repr(found)
        assert str(found).isprintable()


DECODERS: dict[str, Callable[[bytes], object]] = {
    "snapshot": snapshot,
    "snapshot_page": snapshot_page,
    "virtual_machine_page": virtual_machine_page,
    "clusters": clusters,
    "login": login,
    "error": error,
}
"""Kind of answer -> its check."""


def _page(decode: Any, body: bytes, kind: type, **asked: str) -> wire.Page[Any] | None:
    faults: list[wire.Fault] = []
    try:
        page: wire.Page[Any] = decode(body, faults.append, **asked)
    except InvalidResponse:
        return None
    _sound(faults)
    assert not (wrong := misfit(page.continue_token, str | None)), wrong
    for item in page.items:
        assert not (wrong := misfit(item, kind)), wrong
        assert item.name, "an item without a name is not an item"
    return page


def _sound(faults: Iterable[wire.Fault]) -> None:
    for fault in faults:
        assert not (wrong := misfit(fault, wire.Fault)), wrong
        # Fields are labels of a metric: there must be only known ones.
        assert all(part.isalpha() for part in fault.field.split(".")), fault


def _truthful(
    found: Iterable[Snapshot], documents: list[Any] | None, default: oracle.Key = DEFAULT
) -> None:
    """Check that a snapshot is ready or restorable only if its document clearly says so."""
    by_key: dict[oracle.Key, list[Any]] = {}
    for document in documents or ():
        by_key.setdefault(oracle.key(document, default), []).append(document)
    for each in found:
        assert not (wrong := misfit(each, Snapshot)), wrong
        if documents is None or oracle.UNKNOWN in documents:
            continue
        said = by_key.get((each.namespace, each.name), [])
        assert not each.ready_to_use or any(map(oracle.ready, said)), each
        assert not each.restorable_for(None) or any(map(oracle.may_be_restorable, said)), each
