"""What a refresh costs: processor time per snapshot that changed, and per one that did not.

Measured from the bytes of the answers to the text that is published, without HTTP. As a program
it takes the number of snapshots, and prints both.
"""

import gc
import json
import sys
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.documents import large
from exporter.demo.world import World
from exporter.metrics.exposition import Renderer
from exporter.palette import wire
from exporter.refresh.garbage import FullPasses
from exporter.refresh.targets import ALL_NAMES, Coverage, listing
from exporter.snapshot import Cluster, ClusterState
from exporter.store import Store

PAGE = 50
REPEATS = 3
EVERYTHING = Coverage(everywhere=ALL_NAMES)


class Costs(NamedTuple):
    """Processor seconds per snapshot, its VM's share included."""

    changed: float
    unchanged: float


@dataclass
class Answers:
    """The bodies that Palette sends of one cluster."""

    cluster: Cluster
    snapshots: list[bytes]
    machines: list[bytes]


def costs(snapshots: int) -> Costs:
    """Return the least that was seen in some rounds: other programs only add to it."""
    fleets = [fleet(snapshots, seed) for seed in (1, 2)]
    # Two states of the same fleet, so that going from one to the other changes every snapshot.
    store = Store(render=Renderer(), expire=lambda state, _: state, monotonic=time.monotonic)
    refreshed(fleets[1], store)
    before = gc.get_threshold()
    gc.collect()
    FullPasses(time.monotonic).spare_what_is_there()
    rounds = [
        (refreshed(answers, store), refreshed(answers, store)) for answers in fleets * REPEATS
    ]
    gc.unfreeze()
    gc.set_threshold(*before)
    return Costs(*(min(seconds) / snapshots for seconds in zip(*rounds, strict=True)))


def fleet(snapshots: int, seed: int) -> list[Answers]:
    """Return the answers of all clusters."""
    world = World.fleet(vms=snapshots // 3, snapshots=snapshots, seed=seed, now=time.time())
    return [
        Answers(
            cluster=Cluster(uid=cluster.uid, name=cluster.name),
            snapshots=pages(world.snapshots(cluster.uid)),
            machines=pages([large(vm) for vm in world.vms(cluster.uid)]),
        )
        for cluster in world.clusters()
    ]


def pages(documents: list[Any]) -> list[bytes]:
    """Return documents as the bodies of a list's pages, as compact as Palette writes them."""
    return [
        json.dumps(
            {"metadata": {}, "items": documents[start : start + PAGE]}, separators=(",", ":")
        ).encode()
        for start in range(0, len(documents), PAGE)
    ]


def ignore(fault: wire.Fault) -> None:
    """Take no note of what cannot be read: all of it can."""


def refreshed(fleet: list[Answers], store: Store[Any]) -> float:
    """Decode and publish all clusters once; return the processor seconds that took."""
    started = time.process_time()
    for each in fleet:
        found = [item for body in each.snapshots for item in wire.snapshot_page(body, ignore).items]
        vms = [
            item for body in each.machines for item in wire.virtual_machine_page(body, ignore).items
        ]
        told = listing(EVERYTHING, found, vms, namespaces=(), now=0.0)
        store.publish(ClusterState(cluster=each.cluster, up=True, listing=told))
    return time.process_time() - started


if __name__ == "__main__":
    print(*costs(int(sys.argv[1])))
