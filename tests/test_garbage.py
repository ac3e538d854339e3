"""A full pass of the garbage collector holds the event loop, so it must have little to visit."""

import gc
import json
import time
from typing import Any

from exporter.metrics.exposition import Renderer
from exporter.palette import wire
from exporter.rollup import Objective
from exporter.snapshot import Cluster, ClusterState, Listing
from exporter.store import Store
from exporter.web.status.assess import Assessments
from tests.palette_server.world import World

SNAPSHOTS, VMS = 3_000, 1_000


def page(documents: list[Any]) -> bytes:
    return json.dumps({"metadata": {}, "items": documents}).encode()


def test_a_large_fleet_adds_few_objects_to_visit() -> None:
    world = World.fleet(clusters=1, vms=VMS, snapshots=SNAPSHOTS, seed=1, now=time.time())
    (cluster,) = world.clusters()
    bodies = page(world.snapshots(cluster.uid)), page(world.vms(cluster.uid))
    store = Store(render=Renderer(), expire=lambda state, _: state, monotonic=time.monotonic)
    kept = Assessments()
    gc.collect()
    before = len(gc.get_objects())
    snapshots = wire.snapshot_page(bodies[0], print).items
    vms = wire.virtual_machine_page(bodies[1], print).items
    listing = Listing(
        snapshots=tuple(snapshots),
        virtual_machines=tuple(vms),
        known_machines=frozenset(vm.key for vm in vms),
        namespaces=frozenset(),
        read_at=0.0,
    )
    store.publish(ClusterState(cluster=Cluster(uid=cluster.uid, name=""), up=True, listing=listing))
    assessed = kept.of_all(store.view(), [Objective(max_age=86_400.0)], time.time())
    assert (len(snapshots), len(assessed)) == (SNAPSHOTS, VMS)
    del snapshots, vms, assessed
    gc.collect()
    gc.collect()  # The first pass stops tracking tuples, this one those that hold others.
    assert len(gc.get_objects()) - before < VMS / 10
