"""A fleet that tests look into and change."""

from random import Random
from typing import Self

from exporter.demo import world as demo
from exporter.demo.documents import Document, vm_document
from exporter.demo.machines import cluster_identity
from exporter.demo.stages import snapshot_document
from exporter.demo.storage import Key


class World(demo.World):
    """The demo's World, with fleets for tests, copies of all documents, and deletions."""

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
        world, rng = cls.empty(now=now), Random(seed)
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

    def vms(self, cluster_uid: str) -> list[Document]:
        """Return copies of the cluster's VMs, in the order of lists."""
        return [item.document for item in self._clusters[cluster_uid].vms]

    def snapshots(self, cluster_uid: str) -> list[Document]:
        """Return copies of the cluster's snapshots, in the order of lists."""
        return [item.document for item in self._clusters[cluster_uid].snapshots]

    def remove_cluster(self, uid: str) -> None:
        """Remove a cluster with its VMs and snapshots; its project stays."""
        del self._clusters[uid]

    def delete_vm(self, cluster_uid: str, namespace: str, name: str) -> None:
        """Remove a virtual machine at once; its snapshots stay."""
        _removed(self._clusters[cluster_uid].vms.remove((namespace, name)), namespace, name)

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


def _plain(index: int, clusters: int) -> tuple[str, Key]:
    number = index // clusters
    return cluster_identity(index % clusters)[0], (f"team-{number % 8}", f"vm-{number:04d}")


def _removed(done: bool, namespace: str, name: str) -> None:
    if not done:
        raise KeyError(f"{namespace}/{name}")
