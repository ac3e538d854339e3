"""A fleet of clusters, virtual machines and snapshots that changes as time passes."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Self

from exporter.demo import history
from exporter.demo.cases import CASES, CLUSTER_CASES, documents
from exporter.demo.documents import Document, vm_document
from exporter.demo.life import Life
from exporter.demo.machines import Machine, cluster_identity, machine
from exporter.demo.stages import snapshot_document
from exporter.demo.storage import Cluster, Key

if TYPE_CHECKING:
    from collections.abc import Sequence


class World:
    """`vms` machines with snapshots on a number of `clusters`, at the instant `now`.

    Instants are seconds since the epoch. The same `seed` gives the same fleet, and `advance` to
    the same instants the same changes. `pace`: 2 is twice as fast, at 0 nothing changes. Documents
    are copied on their way in and out.
    """

    def __init__(
        self, *, seed: int = 1, clusters: int = 3, vms: int = 42, now: float, pace: float = 1.0
    ) -> None:
        self._clusters: dict[str, Cluster] = {}
        self.projects: set[str] = set()
        self.forbidden_projects: set[str] = set()
        rng = Random(seed)  # noqa: S311
        for index in range(clusters):
            self.add_cluster(*cluster_identity(index))
        machines = [machine(rng, index, clusters, now) for index in range(vms if clusters else 0)]
        self._settle(machines, rng, now)
        alive = bool(machines) and pace > 0
        self._life = Life(self._clusters, machines, rng=rng, pace=pace, now=now) if alive else None

    @classmethod
    def demo(cls, *, now: float) -> Self:
        """Return the fleet of the demo: it changes, and has a case of each problem in addition."""
        world = cls(now=now)
        for case in CASES:
            vm, snapshots = documents(case, now)
            uid = cluster_identity(case.cluster)[0]
            world.put_vm(uid, vm)
            for snapshot in snapshots:
                world.put_snapshot(uid, snapshot)
        for index, each in enumerate(CLUSTER_CASES, start=90):
            uid, _, project_uid, cloud_type = cluster_identity(index)
            world.add_cluster(
                uid, each.name, project_uid, cloud_type, state=each.state, outage=each.outage
            )
            if each.forbidden:
                world.forbidden_projects.add(project_uid)
        return world

    @classmethod
    def empty(cls, *, now: float = 0.0) -> Self:
        """Return a tenant without a cluster, in which nothing changes on its own."""
        return cls(clusters=0, vms=0, now=now)

    @classmethod
    def fleet(
        cls,
        *,
        seed: int = 1,
        clusters: int = 40,
        vms: int = 6_600,
        snapshots: int = 20_000,
        now: float,
    ) -> Self:
        """Return a large fleet that never changes: good snapshots, at most five weeks old."""
        world, rng = cls.empty(now=now), Random(seed)  # noqa: S311
        for index in range(clusters):
            world.add_cluster(*cluster_identity(index))
        machines = [_plain(index, clusters) for index in range(vms)]
        for cluster_uid, key in machines:
            world.put_vm(cluster_uid, vm_document(namespace=key[0], name=key[1]))
        for index in range(snapshots):
            cluster_uid, (namespace, vm) = machines[index % len(machines)]
            document = snapshot_document(
                name=f"{vm}-nightly-{index // len(machines):03d}",
                vm=vm,
                namespace=namespace,
                requested_at=now - rng.uniform(60, 35 * 86_400),
            )
            world.put_snapshot(cluster_uid, document)
        return world

    def advance(self, now: float) -> None:
        """Apply all changes up to `now`; an earlier instant changes nothing."""
        if self._life is not None:
            self._life.advance(now)

    def clusters(self) -> list[Cluster]:
        """Return the clusters, in the order in which they were added."""
        return list(self._clusters.values())

    def cluster(self, uid: str) -> Cluster | None:
        """Return the cluster with this uid."""
        return self._clusters.get(uid)

    def vms(self, cluster_uid: str) -> list[Document]:
        """Return copies of the cluster's VMs, in the order of lists."""
        return [item.document for item in self._clusters[cluster_uid].vms]

    def snapshots(self, cluster_uid: str) -> list[Document]:
        """Return copies of the cluster's snapshots, in the order of lists."""
        return [item.document for item in self._clusters[cluster_uid].snapshots]

    def add_cluster(
        self,
        uid: str,
        name: str,
        project_uid: str,
        cloud_type: str = "edge-native",
        *,
        state: str = "Running",
        outage: tuple[int, str, str] | None = None,
    ) -> None:
        """Add an empty cluster, or replace one by an empty one; also add its project.

        `state` and `outage` are those of Cluster.
        """
        self._clusters[uid] = Cluster(
            uid=uid,
            name=name,
            project_uid=project_uid,
            cloud_type=cloud_type,
            state=state,
            outage=outage,
        )
        self.projects.add(project_uid)

    def remove_cluster(self, uid: str) -> None:
        """Remove a cluster with its VMs and snapshots; its project stays."""
        del self._clusters[uid]

    def put_vm(self, cluster_uid: str, document: Any, key: Key | None = None) -> None:
        """Add or replace a virtual machine.

        Any JSON value is accepted; `key` (namespace, name): for one without valid metadata.
        """
        self._clusters[cluster_uid].vms.put(document, key)

    def delete_vm(self, cluster_uid: str, namespace: str, name: str) -> None:
        """Remove a virtual machine at once; its snapshots stay."""
        _removed(self._clusters[cluster_uid].vms.remove((namespace, name)), namespace, name)

    def put_snapshot(self, cluster_uid: str, document: Any, key: Key | None = None) -> None:
        """Add or replace a snapshot; as for `put_vm`, any JSON value is accepted."""
        self._clusters[cluster_uid].snapshots.put(document, key)

    def delete_snapshot(self, cluster_uid: str, namespace: str, name: str) -> None:
        """Remove a snapshot at once."""
        _removed(self._clusters[cluster_uid].snapshots.remove((namespace, name)), namespace, name)

    def delete_namespace(self, cluster_uid: str, namespace: str) -> None:
        """Remove all VMs and snapshots of a namespace at once."""
        cluster = self._clusters[cluster_uid]
        for objects in (cluster.vms, cluster.snapshots):
            for item in list(objects):
                if item.key[0] == namespace:
                    objects.remove(item.key)

    def _settle(self, machines: Sequence[Machine], rng: Random, now: float) -> None:
        for each in machines:
            self.put_vm(each.cluster_uid, each.document)
            for document in history.snapshots(each, rng, now):
                self.put_snapshot(each.cluster_uid, document)
        # On machines that are seldom snapshotted, retention keeps these special snapshots.
        calm = [each for each in machines if each.habit == "neglected"] or machines[:1]
        for index, story in enumerate(history.SETTLED if calm else ()):
            each = calm[index % len(calm)]
            self.put_snapshot(each.cluster_uid, story(each, rng, now))


def _plain(index: int, clusters: int) -> tuple[str, Key]:
    number = index // clusters
    return cluster_identity(index % clusters)[0], (f"team-{number % 8}", f"vm-{number:04d}")


def _removed(done: bool, namespace: str, name: str) -> None:
    if not done:
        raise KeyError(f"{namespace}/{name}")
