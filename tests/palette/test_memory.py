"""What did not change is not decoded again, and nothing is remembered for too long."""

import json
from typing import Any

from exporter.palette import wire
from exporter.palette.memory import Memory
from exporter.snapshot import Snapshot
from tests.payloads import payload


def page(documents: list[Any], memory: Memory[Snapshot]) -> tuple[list[Snapshot], list[str]]:
    faults: list[wire.Fault] = []
    body = json.dumps({"items": documents}).encode()
    found = wire.snapshot_page(body, faults.append, memory=memory)
    return list(found.items), [fault.field for fault in faults]


def test_an_unchanged_item_is_the_very_value_of_before_and_a_changed_one_is_not() -> None:
    memory: Memory[Snapshot] = Memory()
    documents = [payload("succeeded-online"), payload("in-progress")]
    before, _ = page(documents, memory)
    memory.turn()
    documents[1]["status"]["readyToUse"] = True
    after, _ = page(documents, memory)
    assert after[0] is before[0]
    assert after[1] != before[1]
    assert after[1].ready_to_use


def test_what_was_not_in_the_last_list_is_forgotten() -> None:
    memory: Memory[Snapshot] = Memory()
    page([payload("succeeded-online"), payload("in-progress")], memory)
    memory.turn()
    assert len(memory) == 2
    page([payload("in-progress")], memory)
    memory.turn()
    assert len(memory) == 1


def test_an_unreadable_value_is_counted_each_time() -> None:
    memory: Memory[Snapshot] = Memory()
    document = payload("succeeded-online")
    document["status"]["creationTime"] = "soon"
    for _ in range(2):
        _, faults = page([document], memory)
        memory.turn()
        assert faults == ["status.creationTime"]
