"""The objects of a cluster: documents as JSON, in the order in which Kubernetes lists them."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from exporter.demo.documents import Document, cluster_document

Key = tuple[str, str]
"""(namespace, name): identifies an object, and sorts lists."""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def json_bytes(value: object) -> bytes:
    """Return compact UTF-8 JSON; a lone surrogate, which UTF-8 cannot encode, stays escaped."""
    return _encode(value).encode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object: its key, the VM of a snapshot, and its JSON."""

    key: Key
    source: str | None
    body: bytes

    @property
    def document(self) -> Document:
        """Return a copy of the document."""
        document: Document = json.loads(self.body.decode())
        return document


class Objects:
    """Objects of one kind, sorted by key; each is encoded once, when it is put."""

    def __init__(self) -> None:
        self._items: dict[Key, Item] = {}
        self._order: list[Key] | None = []
        self.revision = 1

    def put(self, document: Any, key: Key | None = None) -> None:
        """Add or replace an object; `key`: for a document without valid metadata."""
        key = key or key_of(document)
        if key not in self._items:
            self._order = None
        self._items[key] = Item(key=key, source=source_of(document), body=json_bytes(document))
        self.revision += 1

    def remove(self, key: Key) -> bool:
        """Remove an object; return False if it does not exist."""
        if self._items.pop(key, None) is None:
            return False
        self._order = None
        self.revision += 1
        return True

    def get(self, key: Key) -> Item | None:
        """Return the object at `key`."""
        return self._items.get(key)

    def after(self, key: Key | None = None) -> Iterator[Item]:
        """Yield the objects after `key`, in order; None means all."""
        order = self._sorted()
        start = 0 if key is None else bisect_right(order, key)
        for index in range(start, len(order)):
            yield self._items[order[index]]

    def count_after(self, key: Key) -> int:
        """Return the number of objects that `after(key)` yields."""
        order = self._sorted()
        return len(order) - bisect_right(order, key)

    def __iter__(self) -> Iterator[Item]:
        return self.after()

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: Key) -> bool:
        return key in self._items

    def _sorted(self) -> list[Key]:
        if self._order is None:
            self._order = sorted(self._items)
        return self._order


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A VM-enabled cluster with its VMs and snapshots.

    `state`: the dashboard's clusterState. `outage`: the status, code and message with which
    every call for the cluster fails; None if it answers.
    """

    uid: str
    name: str
    project_uid: str
    cloud_type: str
    state: str = "Running"
    outage: tuple[int, str, str] | None = None
    vms: Objects = field(default_factory=Objects)
    snapshots: Objects = field(default_factory=Objects)

    @property
    def document(self) -> Document:
        """Return the cluster as the dashboard lists it."""
        return cluster_document(self.uid, self.name, self.project_uid, self.cloud_type, self.state)


def key_of(document: Any) -> Key:
    """Return the key in a document's metadata; a missing part is empty."""
    metadata = _child(document, "metadata")
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def source_of(document: Any) -> str | None:
    """Return the VM that a snapshot's document names as its source."""
    name = _child(_child(document, "spec"), "source").get("name")
    return name if isinstance(name, str) else None


def _child(value: Any, name: str) -> Document:
    child = value.get(name) if isinstance(value, dict) else None
    return child if isinstance(child, dict) else {}
