"""Valid payloads for each kind of answer."""

from __future__ import annotations

import json
import marshal
from typing import TYPE_CHECKING, Any

from tests.fuzz.mutations import mutated
from tests.payloads import FOLDER, SNAPSHOTS, payload

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_LIST_PAGE, _MACHINES = payload("list-page"), payload("vm-list-page")
_CLUSTERS, _ERROR = payload("vm-enabled-clusters"), payload("error-not-found")
_SITUATIONS = [json.loads(each.read_text()) for each in sorted(FOLDER.glob("verdict/*.json"))]
_DOCUMENTS = (*SNAPSHOTS.values(), *(each for of in _SITUATIONS for each in of["snapshots"]))
_VOLUMES = [{"name": "root", "dataVolume": {"name": "root"}}, {"name": "cd", "containerDisk": {}}]
_WITH_SPEC = {**_MACHINES["items"][0], "spec": {"template": {"spec": {"volumes": _VOLUMES}}}}
_VMS = (*_MACHINES["items"], _WITH_SPEC, *(each for of in _SITUATIONS for each in of["vms"]))

MOST_ITEMS = 3
"""Items on a page: faults need only two, and more are slower."""


def _snapshot(random: Random) -> Any:
    return random.choice(_DOCUMENTS)


def _page(head: dict[str, Any], items: tuple[Any, ...]) -> Callable[[Random], Any]:
    def page(random: Random) -> Any:
        return {**head, "items": random.choices(items, k=random.randint(0, MOST_ITEMS))}

    return page


def _login(random: Random) -> Any:
    return {"Authorization": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "isMfa": random.random() < 0.1}


def _error(random: Random) -> Any:
    return {**_ERROR, random.choice(("code", "message", "ref", "details")): CANARY}


CANARY = "canary-key-7f3a9c51"
"""A credential that the server repeats."""

SOUND: dict[str, Callable[[Random], Any]] = {
    "snapshot": _snapshot,
    "snapshot_page": _page(_LIST_PAGE, (*_DOCUMENTS, *_LIST_PAGE["items"])),
    "virtual_machine_page": _page(_MACHINES, _VMS),
    "clusters": _page(_CLUSTERS, tuple(_CLUSTERS["items"])),
    "login": _login,
    "error": _error,
}
"""Kind of answer -> a valid payload, which must not be changed."""


def spoiled(kind: str, random: Random, strength: int) -> bytes:
    """Return an answer of this kind, damaged in a number of places."""
    # The fastest way to copy plain data.
    copy = marshal.loads(marshal.dumps(SOUND[kind](random)))
    return mutated(copy, random, strength)
