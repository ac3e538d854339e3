"""A fleet of constant size, a tenth of which changes, and an API that fails sometimes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count, cycle
from random import Random
from typing import TYPE_CHECKING

from exporter.demo.documents import vm_document
from exporter.demo.stages import deleting, failed, lost, snapshot_document, with_error
from tests.palette_server import faults
from tests.palette_server.faultbook import Match
from tests.palette_server.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.demo.documents import Document
    from tests.palette_server.faults import Fault
    from tests.palette_server.server import PaletteServer

CLUSTERS, VMS, SNAPSHOTS = 6, 240, 960
"""The size of the whole fleet at any time."""

CHANGING = 0.1
"""The share of the snapshots and machines that changes with every refresh."""

LIVES = 40
"""Number of changes after which a cluster is replaced by another one."""

FAULTS = (
    faults.status(500),
    faults.status(503),
    faults.status(429, retry_after="0.1"),
    faults.status(429),
    faults.html(),
    faults.respond(200, b""),
    faults.respond(200, {"items": [{"metadata": {"name": 5}}, 7, {"metadata": {}}]}),
    faults.reset(),
    faults.reset("middle"),
    faults.truncate(),
    faults.hang(),
    faults.hang("middle"),
    faults.drip(0.5),
    faults.endless_pages(),
    faults.gzip_bomb(64 << 20),
    faults.redirect("http://elsewhere.invalid/"),
)
"""In turn: each stage of a soak of ten minutes has them all. Without faults whose text differs each
time: these would also be logged each time."""


@dataclass(slots=True)
class Fleet:
    """Changes a world; wall: its time in seconds since the epoch."""

    world: World
    random: Random = field(default_factory=lambda: Random(1))
    changes: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _faults: Iterator[Fault] = field(default_factory=lambda: cycle(FAULTS))

    @classmethod
    def new(cls, now: float) -> Fleet:
        """Return a fleet of full size."""
        fleet = cls(World.empty(now=now))
        for _ in range(CLUSTERS):
            fleet._set_up(now)
        return fleet

    def change(self, now: float) -> None:
        """Change a tenth of everything, and sometimes replace a cluster."""
        self.changes += 1
        if self.changes % LIVES == 0:
            self.world.remove_cluster(self.world.clusters()[0].uid)
            self._set_up(now)
        for cluster in self.world.clusters():
            self._change_snapshots(cluster.uid, now)
            self._change_machines(cluster.uid, now)

    def spoil(self, palette: PaletteServer) -> None:
        """Make one cluster or the dashboard fail in the next way, instead of the one before."""
        palette.faults.clear()
        uid = self.random.choice((*(cluster.uid for cluster in self.world.clusters()), None))
        where = Match(cluster_uid=uid) if uid else Match(endpoint="list_clusters")
        palette.faults.add(where, next(self._faults))

    def _set_up(self, now: float) -> None:
        uid = f"6540c{next(self._numbers)}"
        self.world.add_cluster(uid, f"name-of-{uid}", f"65f0c{self.changes % 7}")
        for _ in range(VMS // CLUSTERS):
            self._add_machine(uid, now)

    def _add_machine(self, uid: str, now: float) -> None:
        name = f"vm-{next(self._numbers)}"
        self.world.put_vm(uid, vm_document(name=name, namespace="vms"))
        for _ in range(SNAPSHOTS // VMS):
            self._add_snapshot(uid, name, now)

    def _add_snapshot(self, uid: str, vm: str, now: float) -> None:
        document = snapshot_document(
            name=f"{vm}-{next(self._numbers)}", vm=vm, namespace="vms", requested_at=now - 60
        )
        turn = self.random.choice((failed, lost, deleting, _in_trouble, None, None, None))
        self.world.put_snapshot(uid, turn(document, now) if turn else document)

    def _change_snapshots(self, uid: str, now: float) -> None:
        documents = self.world.snapshots(uid)
        for document in self._some(documents):
            metadata = document["metadata"]
            self.world.delete_snapshot(uid, metadata["namespace"], metadata["name"])
            self._add_snapshot(uid, document["spec"]["source"]["name"], now)

    def _change_machines(self, uid: str, now: float) -> None:
        going = [document["metadata"]["name"] for document in self._some(self.world.vms(uid))]
        for snapshot in self.world.snapshots(uid):
            if snapshot["spec"]["source"]["name"] in going:
                self.world.delete_snapshot(uid, "vms", snapshot["metadata"]["name"])
        for name in going:
            self.world.delete_vm(uid, "vms", name)
            self._add_machine(uid, now)

    def _some(self, documents: list[Document]) -> list[Document]:
        return self.random.sample(documents, k=round(len(documents) * CHANGING))


def _in_trouble(document: Document, now: float) -> Document:
    return with_error(document, now, "the volume is busy")
