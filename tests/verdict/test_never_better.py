"""Properties: a lost or unreadable value never improves a verdict."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.rollup import Objective
from exporter.verdict import Verdict
from tests.verdict.judged import DAY, HOUR, NOW, Judged, judged, snapshot_document, vm_document

DATA = ("dataVolume", "persistentVolumeClaim", "hostDisk")
KINDS = (*DATA, "containerDisk", "memoryDump", "cloudInitNoCloud", "emptyDisk")
NAMES = ("root", "data", "logs", "cdrom", "persistent-state-for-db")
REASONS = (
    "Snapshot is not supported for this volumeSource type [x]",
    "No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass [x] [x]",
    "PVC not found",
)

OBJECTIVES = (
    Objective(exempt=True, labels=(("tier", re.compile("scratch")),)),
    Objective(max_age=26 * HOUR, quiesced=True, labels=(("tier", re.compile("gold")),)),
    Objective(min_snapshots=2, ignore_volumes=(re.compile("logs"),)),
)

volumes = st.lists(
    st.builds(
        lambda name, kind: {"name": name, kind: {}}, st.sampled_from(NAMES), st.sampled_from(KINDS)
    ),
    max_size=4,
    unique_by=lambda volume: str(volume["name"]),
)
statuses = st.lists(
    st.one_of(
        st.builds(lambda name: {"name": name, "enabled": True}, st.sampled_from(NAMES)),
        st.builds(
            lambda name, reason: {"name": name, "enabled": False, "reason": reason},
            st.sampled_from(NAMES),
            st.sampled_from(REASONS),
        ),
    ),
    max_size=4,
    unique_by=lambda status: str(status["name"]),
)


@st.composite
def vms(draw: st.DrawFn) -> dict[str, Any]:
    labels = draw(st.sampled_from([{}, {"tier": "gold"}, {"tier": "scratch"}]))
    vm = vm_document(
        draw(st.none() | volumes),
        draw(st.none() | statuses),
        age=draw(st.sampled_from([None, HOUR, 90 * DAY])),
        labels=labels,
    )
    if draw(st.integers(0, 9)) == 0:
        vm["metadata"]["deletionTimestamp"] = "2026-11-25T20:00:00Z"
    return vm


@st.composite
def snapshots(draw: st.DrawFn) -> dict[str, Any]:
    included = draw(st.none() | st.lists(st.sampled_from(NAMES), unique=True))
    excluded = [name for name in NAMES if included is not None and name not in included]
    snapshot = snapshot_document(
        included,
        draw(st.sampled_from([excluded, []])),
        age=draw(st.sampled_from([2 * HOUR, 50 * HOUR])),
        indications=draw(st.sampled_from([["Online", "GuestAgent"], ["Online"], []])),
        phase=draw(st.sampled_from(["Succeeded", "Failed", "InProgress"])),
        readyToUse=draw(st.booleans()),
    )
    if draw(st.integers(0, 5)) == 0:
        owner = {"kind": "VirtualMachineClone", "name": "c"}
        snapshot["metadata"]["ownerReferences"] = [owner]
    return snapshot


def judge(vm: Any, snapshot: Any) -> Judged:
    return judged(vm, snapshot, objectives=OBJECTIVES)


def is_good(found: Judged) -> bool:
    return found.verdict in (Verdict.PROTECTED, Verdict.EXEMPT)


@given(vms(), snapshots(), st.sampled_from(DATA))
def test_another_unprotected_data_volume_never_improves_a_verdict(
    vm: dict[str, Any], snapshot: dict[str, Any], kind: str
) -> None:
    before = judge(vm, snapshot)
    more = deepcopy(vm)
    listed = more.setdefault("spec", {"template": {"spec": {"volumes": []}}})
    listed["template"]["spec"]["volumes"].append({"name": "more", kind: {}})
    after = judge(more, snapshot)
    assert is_good(before) or not is_good(after)
    if after.subject.row.newest and after.verdict != Verdict.EXEMPT:
        assert after.verdict == Verdict.NOT_PROTECTED
        assert "more" in sum((after.unprotected or {}).values(), ())


IDENTITY = {
    ("metadata",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("spec", "source"),
    ("spec", "source", "name"),
    ("spec", "source", "kind"),
}


def paths(document: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything in a document."""
    pairs: Any = ()
    if isinstance(document, dict):
        pairs = document.items()
    elif isinstance(document, list):
        pairs = enumerate(document)
    return [
        path for key, value in pairs for path in ((*prefix, key), *paths(value, (*prefix, key)))
    ]


UNREADABLE: tuple[object, ...] = (7, [7], {"odd": 7}, "\ud800", True)


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Any, Any, Any, Any]:
    """Return a VM and its snapshot, and the same with one value that cannot be read."""
    documents = [draw(vms()), draw(snapshots())]
    changed = deepcopy(documents)
    which = draw(st.integers(0, 1))
    known = [path for path in paths(documents[which]) if path not in IDENTITY]
    (*parents, last) = draw(st.sampled_from(known))
    inner = changed[which]
    for parent in parents:
        inner = inner[parent]
    kind_of = {
        bool: (7, "yes"),
        str: (7, [7], {"odd": 7}, "\ud800"),
        dict: (7, "x", [7]),
        list: (7, "x", {"odd": 7}),
    }
    inner[last] = draw(st.sampled_from(kind_of.get(type(inner[last]), UNREADABLE)))
    return documents[0], documents[1], changed[0], changed[1]


@given(spoiled())
def test_a_value_that_cannot_be_read_never_improves_a_verdict(
    documents: tuple[Any, Any, Any, Any],
) -> None:
    vm, snapshot, unreadable_vm, unreadable_snapshot = documents
    before, after = judge(vm, snapshot), judge(unreadable_vm, unreadable_snapshot)
    assert is_good(before) or not is_good(after), (before.judgement, after.judgement)


@given(vms(), snapshots(), st.floats(0, 200 * HOUR))
def test_time_that_passes_never_improves_a_verdict(vm: Any, snapshot: Any, later: float) -> None:
    before = judged(vm, snapshot, objectives=OBJECTIVES)
    after = judged(vm, snapshot, objectives=OBJECTIVES, now=NOW + later)
    assert is_good(before) or not is_good(after)
