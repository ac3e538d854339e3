"""The objects of a cluster: documents as JSON, in the order in which Kubernetes lists them."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.demo.documents import Document, cluster_document

if TYPE_CHECKING:
    from collections.abc import Iterator

Key = tuple[str, str]
"""(namespace, name): both what identifies an object and what lists are sorted by."""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def json_bytes(value: object) -> bytes:
    """`value` as compact UTF-8 JSON; a lone surrogate, which UTF-8 cannot say, stays escaped."""
    return _encode(value).encode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object: its key, the VM it is of (for snapshots), and its JSON."""

    key: Key
    source: str | None
    body: bytes

    @property
    def document(self) -> Document:
        """A fresh copy of the document; changing it changes nothing here."""
        document: Document = json.loads(self.body.decode())
        return document


class Objects:
    """Objects of one kind, sorted by key, each serialised once when it is put."""

    def __init__(self) -> None:
        self._items: dict[Key, Item] = {}
        self._order: list[Key] | None = []
        self.revision = 1

    def put(self, document: Any, key: Key | None = None) -> Key:
        """Add or replace an object; `key` places one whose own metadata cannot say where."""
        key = key or key_of(document)
        if key not in self._items:
            self._order = None
        self._items[key] = Item(key=key, source=source_of(document), body=json_bytes(document))
        self.revision += 1
        return key

    def remove(self, key: Key) -> bool:
        """Take an object away; False if it was not there."""
        if self._items.pop(key, None) is None:
            return False
        self._order = None
        self.revision += 1
        return True

    def get(self, key: Key) -> Item | None:
        """The object at `key`."""
        return self._items.get(key)

    def after(self, key: Key | None = None) -> Iterator[Item]:
        """The objects whose keys are greater than `key`, in order; None means all."""
        order = self._sorted()
        start = 0 if key is None else bisect_right(order, key)
        for index in range(start, len(order)):
            yield self._items[order[index]]

    def count_after(self, key: Key) -> int:
        """How many objects `after(key)` would give."""
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
    """A VM-enabled cluster and what it holds.

    `state`: the dashboard's clusterState. `outage`: the status, code and message with which
    every call for the cluster fails; None where it answers.
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
        """The cluster as the dashboard lists it."""
        return cluster_document(self.uid, self.name, self.project_uid, self.cloud_type, self.state)


def key_of(document: Any) -> Key:
    """Where a document belongs by its own metadata; what is missing counts as empty."""
    metadata = _child(document, "metadata")
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def source_of(document: Any) -> str | None:
    """The VM that a snapshot's document names as its source."""
    name = _child(_child(document, "spec"), "source").get("name")
    return name if isinstance(name, str) else None


def _child(value: Any, name: str) -> Document:
    child = value.get(name) if isinstance(value, dict) else None
    return child if isinstance(child, dict) else {}
