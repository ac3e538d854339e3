"""Measures refreshes: processor time for each snapshot, and the longest step of publishing.

Measured from the bytes of the answers to the text that is published, without HTTP. As a program
it takes the numbers of snapshots, VMs and clusters, and prints the seconds for a snapshot that
changed, for one that did not, and of the longest step.
"""

import gc
import json
import sys
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.documents import large
from exporter.metrics.exposition import Renderer
from exporter.palette import wire
from exporter.refresh.state import listing
from exporter.refresh.targets import ALL_NAMES, Coverage
from exporter.snapshot import Cluster, ClusterState
from exporter.store import Store
from tests.palette_server.world import World

PAGE = 50
REPEATS = 3
EVERYTHING = Coverage(everywhere=ALL_NAMES)


class Costs(NamedTuple):
    """Processor seconds: for each snapshot, its VM's share included, and of the longest step."""

    changed: float
    unchanged: float
    longest_step: float


class Seconds(NamedTuple):
    """Processor seconds of one round, and of the longest step of publishing in it."""

    whole: float
    longest_step: float


@dataclass
class Answers:
    """The bodies that Palette sends of one cluster."""

    cluster: Cluster
    snapshots: list[bytes]
    machines: list[bytes]


def costs(snapshots: int, vms: int, clusters: int) -> Costs:
    """Return the least of some rounds, because other programs only add to it."""
    fleets = [fleet(snapshots, vms, clusters, seed) for seed in (1, 2)]
    # Two states of the same fleet, so that going from one to the other changes every snapshot.
    store = Store(render=Renderer(), expire=lambda state, _: state, monotonic=time.monotonic)
    refreshed(fleets[1], store)
    gc.collect()
    gc.freeze()
    rounds = [
        (refreshed(answers, store), refreshed(answers, store)) for answers in fleets * REPEATS
    ]
    gc.unfreeze()
    changed, unchanged = zip(*rounds, strict=True)
    return Costs(
        changed=min(each.whole for each in changed) / snapshots,
        unchanged=min(each.whole for each in unchanged) / snapshots,
        longest_step=min(each.longest_step for each in changed),
    )


def fleet(snapshots: int, vms: int, clusters: int, seed: int) -> list[Answers]:
    """Return the answers of all clusters."""
    world = World.fleet(clusters=clusters, vms=vms, snapshots=snapshots, seed=seed, now=time.time())
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


def refreshed(fleet: list[Answers], store: Store[Any]) -> Seconds:
    """Decode and publish all clusters once."""
    started, longest = time.process_time(), 0.0
    for each in fleet:
        found = [item for body in each.snapshots for item in wire.snapshot_page(body, ignore).items]
        vms = [
            item for body in each.machines for item in wire.virtual_machine_page(body, ignore).items
        ]
        read = listing(EVERYTHING, found, vms, namespaces=(), now=0.0)
        state = ClusterState(cluster=each.cluster, up=True, listing=read, refreshed_at=time.time())
        before = time.process_time()
        for _ in store.publishing(state):
            now = time.process_time()
            longest, before = max(longest, now - before), now
        longest = max(longest, time.process_time() - before)
    return Seconds(time.process_time() - started, longest)


if __name__ == "__main__":
    print(*costs(*map(int, sys.argv[1:])))
