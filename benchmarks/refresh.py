"""What a refresh costs: processor time per snapshot that changed, and per one that did not.

Measured from the bytes of the answers to the text that is published, without HTTP.
"""

import gc
import json
import time
from dataclasses import dataclass, field
from typing import Any

from exporter.demo.world import World
from exporter.metrics.exposition import Renderer
from exporter.palette import wire
from exporter.plan import Filter
from exporter.reading import Memories
from exporter.snapshot import Cluster, ClusterState
from exporter.store import Store
from exporter.targets import ALL_NAMES, Coverage, listing

PAGE = 50
NO_FILTER = Filter()
EVERYTHING = Coverage(everywhere=ALL_NAMES)


@dataclass
class Answers:
    """The bodies that Palette sends of one cluster."""

    cluster: Cluster
    snapshots: list[bytes]
    machines: list[bytes]
    memory: Memories = field(default_factory=Memories)


def costs(snapshots: int) -> tuple[float, float]:
    """Return processor seconds per changed and per unchanged snapshot, its VM's share included."""
    world = World.fleet(vms=snapshots // 3, snapshots=snapshots, now=time.time())
    store = Store(render=Renderer(), expire=lambda state, _: state, monotonic=time.monotonic)
    fleet = [answers(world, cluster) for cluster in world.clusters()]
    changed = refreshed(fleet, store) / snapshots
    unchanged = refreshed(fleet, store) / snapshots
    return changed, unchanged


def answers(world: World, cluster: Any) -> Answers:
    """Return what the lists of a cluster are answered with."""
    return Answers(
        cluster=Cluster(uid=cluster.uid, name=cluster.name),
        snapshots=pages(world.snapshots(cluster.uid)),
        machines=pages(world.vms(cluster.uid)),
    )


def pages(documents: list[Any]) -> list[bytes]:
    """Return documents as the bodies of a list's pages."""
    return [
        json.dumps({"metadata": {}, "items": documents[start : start + PAGE]}).encode()
        for start in range(0, len(documents), PAGE)
    ]


def ignore(fault: wire.Fault) -> None:
    """Take no note of what cannot be read: all of it can."""


def refreshed(fleet: list[Answers], store: Store[Any]) -> float:
    """Decode and publish all clusters once; return the processor seconds that took."""
    gc.collect()
    started = time.process_time()
    for each in fleet:
        known, machines = each.memory.snapshots[NO_FILTER], each.memory.machines[NO_FILTER]
        found = [
            item
            for body in each.snapshots
            for item in wire.snapshot_page(body, ignore, memory=known).items
        ]
        vms = [
            item
            for body in each.machines
            for item in wire.virtual_machine_page(body, ignore, memory=machines).items
        ]
        known.turn()
        machines.turn()
        told = listing(EVERYTHING, found, vms, namespaces=(), now=0.0)
        store.publish(ClusterState(cluster=each.cluster, up=True, listing=told))
    return time.process_time() - started
