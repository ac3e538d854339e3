"""Documents are decoded value by value: a bad value affects nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.palette import wire
from exporter.palette.errors import InvalidResponse
from exporter.snapshot import Snapshot, SnapshotError
from exporter.volumes import Volumes
from tests.payloads import SNAPSHOTS, payload

ASKED = {"namespace": "vms", "vm": "db-01", "name": "db-01-nightly"}


def decode(document: Any, **asked: str) -> tuple[Snapshot, list[str]]:
    """Return a document as a snapshot, and the fields that could not be read."""
    faults: list[wire.Fault] = []
    snapshot = wire.snapshot(json.dumps(document).encode(), faults.append, **(ASKED | asked))
    return snapshot, [fault.field for fault in faults]


def listed(items: object, **rest: object) -> tuple[wire.Page[Snapshot], list[str]]:
    faults: list[wire.Fault] = []
    body = json.dumps({"metadata": {}, "items": items, **rest}).encode()
    return wire.snapshot_page(body, faults.append), [fault.field for fault in faults]


def changed(path: str, value: object, name: str = "succeeded-online") -> dict[str, Any]:
    """Return a valid document with one value replaced."""
    document: dict[str, Any] = payload(name)
    *parents, last = path.split(".")
    inner = document
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return document


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_document_reads_the_same_alone_and_in_a_list_and_without_a_fault(name: str) -> None:
    document = payload(name)
    identity = {
        "namespace": document["metadata"]["namespace"],
        "vm": document["spec"]["source"]["name"],
        "name": document["metadata"]["name"],
    }
    alone, faults = decode(document, **identity)
    page, more_faults = listed([document])
    assert page.items == (alone,)
    assert faults == more_faults == []


def test_a_page_of_every_document_brings_all_of_them_and_the_token() -> None:
    faults: list[wire.Fault] = []
    page = wire.snapshot_page(json.dumps(payload("list-page")).encode(), faults.append)
    assert {item.name for item in page.items} == {
        document["metadata"]["name"] for document in SNAPSHOTS.values()
    }
    assert page.continue_token == "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ"
    assert faults == []


UNREADABLE: list[tuple[str, object, str, Callable[[Snapshot], object], object]] = [
    ("status.readyToUse", "true", "status.readyToUse", lambda s: s.ready_to_use, False),
    ("status.readyToUse", 1, "status.readyToUse", lambda s: s.restorable_for(None), False),
    ("status.creationTime", "soon", "status.creationTime", lambda s: s.creation_time, None),
    ("status.creationTime", 17, "status.creationTime", lambda s: s.creation_time, None),
    ("status.phase", 3, "status.phase", lambda s: s.phase, ""),
    ("status", [], "status", lambda s: (s.phase, s.ready_to_use), (None, False)),
    ("status", "fine", "status", lambda s: (s.phase, s.ready_to_use), (None, False)),
    ("metadata.deletionTimestamp", "x", "metadata.deletionTimestamp", lambda s: s.deleting, True),
    (
        "metadata.deletionTimestamp",
        5,
        "metadata.deletionTimestamp",
        lambda s: s.restorable_for(None),
        False,
    ),
    ("metadata.labels", [], "metadata.labels", lambda s: s.scheduled, False),
    ("metadata.uid", {}, "metadata.uid", lambda s: s.uid, ""),
    ("spec", 7, "spec", lambda s: (s.vm, s.failure_deadline), ("db-01", None)),
    ("spec.source", "db", "spec.source", lambda s: s.vm, "db-01"),
    ("spec.failureDeadline", "", "spec.failureDeadline", lambda s: s.failure_deadline, None),
    ("spec.failureDeadline", 300, "spec.failureDeadline", lambda s: s.failure_deadline, None),
    ("status.error", "boom", "status.error", lambda s: s.error, SnapshotError()),
    (
        "status.snapshotVolumes",
        "rootdisk",
        "status.snapshotVolumes",
        lambda s: (s.volumes, s.restorable_for(None)),
        (Volumes(included=None, excluded=None), False),
    ),
    (
        "status.snapshotVolumes.includedVolumes",
        "rootdisk",
        "status.snapshotVolumes.includedVolumes",
        lambda s: (s.volumes and s.volumes.included, s.restorable_for(None)),
        (None, False),
    ),
    ("status.conditions", {}, "status.conditions", lambda s: s.conditions, ()),
    ("status.indications", "Online", "status.indications", lambda s: s.indications, ()),
    (
        "status.indications",
        ["Online", 5],
        "status.indications",
        lambda s: s.indications,
        ("Online",),
    ),
]


@pytest.mark.parametrize(("path", "value", "field", "read", "expected"), UNREADABLE)
def test_an_unreadable_value_costs_that_value_and_is_reported(
    path: str, value: object, field: str, read: Callable[[Snapshot], object], expected: object
) -> None:
    snapshot, faults = decode(changed(path, value))
    assert read(snapshot) == expected
    assert faults == [field]


@pytest.mark.parametrize(
    ("path", "value", "read", "expected"),
    [
        ("metadata", None, lambda s: (s.namespace, s.name), ("vms", "db-01-nightly")),
        ("spec", None, lambda s: (s.vm, s.failure_deadline), ("db-01", 300.0)),
        ("spec.failureDeadline", None, lambda s: s.failure_deadline, 300.0),
        ("spec.failureDeadline", "-1m30s", lambda s: s.failure_deadline, -90.0),
        ("spec.failureDeadline", "0s", lambda s: s.failure_deadline, 0.0),
        ("status", None, lambda s: s.phase, None),
        ("status", {}, lambda s: (s.phase, s.ready_to_use), ("", False)),
        (
            "status.snapshotVolumes",
            None,
            lambda s: (s.volumes, s.restorable_for(None)),
            (None, True),
        ),
        (
            "status.snapshotVolumes",
            {},
            lambda s: (s.volumes, s.restorable_for(None)),
            (Volumes(), False),
        ),
        ("status.error", {}, lambda s: s.error, SnapshotError()),
        ("status.error", {"time": None}, lambda s: s.error, SnapshotError()),
        ("status.phase", "Failed", lambda s: s.restorable_for(None), False),
        ("status.phase", "Deleting", lambda s: s.restorable_for(None), False),
        (
            "metadata.deletionTimestamp",
            "0001-01-01T00:00:00Z",
            lambda s: s.restorable_for(None),
            True,
        ),
        (
            "metadata.deletionTimestamp",
            "2026-11-20T05:00:00Z",
            lambda s: s.restorable_for(None),
            False,
        ),
        ("spec.source.kind", "Anything", lambda s: s.vm, "db-01"),
    ],
)
def test_missing_null_and_unset_values_are_valid(
    path: str, value: object, read: Callable[[Snapshot], object], expected: object
) -> None:
    snapshot, faults = decode(changed(path, value))
    assert read(snapshot) == expected
    assert faults == []


def condition(status: str, at: str | None, name: object = "Ready") -> dict[str, object]:
    return {"type": name, "status": status, "lastTransitionTime": at, "reason": "x"}


def test_of_conditions_that_repeat_the_latest_instant_wins_in_any_order() -> None:
    early = condition("False", "2026-11-20T09:00:00+09:00")
    late = condition("TRUE", "2026-11-20T01:00:00Z")
    for entries in ([early, late], [late, early]):
        snapshot, faults = decode(changed("status.conditions", entries))
        assert [(c.type, c.status) for c in snapshot.conditions] == [("Ready", "true")]
        assert faults == []


def test_a_condition_without_a_type_is_skipped_and_an_odd_status_is_unknown() -> None:
    entries = [condition("True", None, None), condition("Maybe", None), "no condition"]
    snapshot, faults = decode(changed("status.conditions", entries))
    assert [(c.type, c.status) for c in snapshot.conditions] == [("Ready", "unknown")]
    assert faults == ["status.conditions"]


def test_an_item_that_cannot_be_read_costs_only_itself() -> None:
    sound = payload("succeeded-online")
    page, faults = listed([None, 5, "x", [], {"metadata": {"name": None}}, {}, sound])
    assert [item.name for item in page.items] == ["db-01-nightly"]
    assert faults == ["items"] * 4 + ["metadata.name"] * 2


def test_half_a_surrogate_pair_in_one_item_spoils_neither_the_page_nor_the_text() -> None:
    broken = json.dumps(changed("status.error", {"message": "\ud800"})).encode()
    sound = json.dumps(payload("in-progress")).encode()
    faults: list[wire.Fault] = []
    page = wire.snapshot_page(b'{"items":[' + broken + b"," + sound + b"]}", faults.append)
    assert [item.name for item in page.items] == ["db-01-nightly", "web-02-nightly"]
    assert page.items[0].error == SnapshotError()
    assert [fault.field for fault in faults] == ["status.error.message"]


def test_endless_digits_in_one_item_spoil_neither_the_page_nor_the_item() -> None:
    broken = json.dumps(changed("status.readyToUse", "digits")).replace('"digits"', "9" * 5_000)
    body = f'{{"items":[{broken},{json.dumps(payload("in-progress"))}]}}'
    faults: list[wire.Fault] = []
    page = wire.snapshot_page(body.encode(), faults.append)
    assert [item.name for item in page.items] == ["db-01-nightly", "web-02-nightly"]
    assert [fault.field for fault in faults] == ["status.readyToUse"]


NOT_A_LIST = [
    b"",
    b"<html>Bad gateway</html>",
    b'{"items":[{"metadata":',
    b"[]",
    b"null",
    b"5",
    b'"items"',
    b'{"items":{}}',
    b'{"items":"none"}',
    b"{}",
    b'{"code":"X","message":"an error with status 200"}',
    b'{"items":[],"metadata":{"continue":7}}',
    b'{"items":[],"metadata":[]}',
    b"[" * 100_000,
    b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","code":410}',
    b'{"kind":"VirtualMachineSnapshot","metadata":{"name":"a"}}',
    b'{"metadata":{"name":"a"},"spec":{}}',
]


@pytest.mark.parametrize("body", NOT_A_LIST)
def test_an_invalid_list_is_never_an_empty_one(body: bytes) -> None:
    for decode_page in (wire.snapshot_page, wire.virtual_machine_page):
        with pytest.raises(InvalidResponse):
            decode_page(body, lambda _: None)
    with pytest.raises(InvalidResponse):
        wire.clusters(body, lambda _: None)


@pytest.mark.parametrize("body", [b'{"items":null}', b'{"items":[]}', b'{"metadata":{}}'])
def test_a_list_of_nothing_is_empty(body: bytes) -> None:
    assert wire.snapshot_page(body, lambda _: None).items == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"metadata":',
        b"[]",
        b"null",
        b"{}",
        b'"x"',
        b'{"kind":"VirtualMachineSnapshotList","metadata":{},"items":null}',
        b'{"metadata":{},"items":[]}',
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","code":404}',
    ],
)
def test_an_answer_that_is_not_a_snapshot_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidResponse):
        wire.snapshot(body, lambda _: None, **ASKED)


def test_another_snapshot_than_the_requested_one_is_no_answer() -> None:
    with pytest.raises(InvalidResponse):
        decode(payload("in-progress"))


def test_a_virtual_machine_has_all_values_of_its_rows() -> None:
    faults: list[wire.Fault] = []
    body = json.dumps(payload("vm-list-page")).encode()
    machines = {vm.name: vm for vm in wire.virtual_machine_page(body, faults.append).items}
    assert machines["legacy"].unsnapshottable_volumes == ("rootdisk",)
    assert machines["db-01"].status == "Running"
    assert machines["fresh"].status == ""
    assert machines["fresh"].created_at == 1795139940.0
    assert faults == []


def test_a_cluster_brings_its_name_its_scope_and_its_kind() -> None:
    body = json.dumps(payload("vm-enabled-clusters")).encode()
    found = wire.clusters(body, lambda _: None)
    assert [(c.name, c.project_uid, c.cloud_type) for c in found] == [
        ("prod-east", "65f0c0ffee00000000000001", "edge-native"),
        ("prod-west", "65f0c0ffee00000000000002", "maas"),
    ]


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Return a document in which some values, at any depth, are replaced or removed."""
    document = payload(draw(st.sampled_from(sorted(SNAPSHOTS))))
    for _ in range(draw(st.integers(1, 4))):
        inner: Any = document
        while isinstance(inner, dict | list) and inner:
            keys = sorted(inner) if isinstance(inner, dict) else range(len(inner))
            key = draw(st.sampled_from(list(keys)))
            if draw(st.booleans()) or not isinstance(inner[key], dict | list):
                inner[key] = draw(junk)
                break
            inner = inner[key]
    return document


@given(st.lists(mutated(), min_size=1, max_size=3))
def test_no_mutation_of_a_document_raises_or_lets_a_wrong_type_through(items: list[Any]) -> None:
    page, _ = listed(items)
    for item in page.items:
        assert all(isinstance(text, str) for text in (item.namespace, item.vm, item.name))
        assert isinstance(item.ready_to_use, bool)
        for number in (item.creation_time, item.requested_at, item.failure_deadline):
            assert number is None or isinstance(number, float)
        if item.restorable_for(None):
            assert item.ready_to_use
            assert not item.deleting
            assert not item.failed


@given(st.binary(max_size=200))
def test_no_body_raises_anything_but_invalid_response(body: bytes) -> None:
    try:
        wire.snapshot_page(body, lambda _: None)
    except InvalidResponse:
        return
    assert json.loads(body)


def test_a_token_that_no_url_can_hold_is_refused_before_it_is_sent() -> None:
    with pytest.raises(InvalidResponse, match="cannot be sent back"):
        listed([], metadata={"continue": "\ud800"})


def test_a_fault_says_where_it_is_in_few_words_that_can_be_written() -> None:
    for name in ("\ud800", "x" * 9_999, {"a": "b"}):
        faults: list[wire.Fault] = []
        document = {"metadata": {"name": "n", "namespace": name}, "status": {"readyToUse": "yes"}}
        wire.snapshot_page(json.dumps({"items": [document]}).encode(), faults.append)
        told = {fault.where for fault in faults}
        assert told <= {"/n", "x" * 253 + "/n"}, told
