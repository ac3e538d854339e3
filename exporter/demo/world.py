"""A fleet of clusters, virtual machines and snapshots that changes as time passes."""

from collections.abc import Sequence
from random import Random
from typing import Any, Self

from exporter.demo import history
from exporter.demo.cases import CASES, CLUSTER_CASES, documents
from exporter.demo.life import Life
from exporter.demo.machines import Machine, cluster_identity, machine
from exporter.demo.storage import Cluster, Key


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

    def put_vm(self, cluster_uid: str, document: Any, key: Key | None = None) -> None:
        """Add or replace a virtual machine.

        Any JSON value is accepted; `key` (namespace, name): for one without valid metadata.
        """
        self._clusters[cluster_uid].vms.put(document, key)

    def put_snapshot(self, cluster_uid: str, document: Any, key: Key | None = None) -> None:
        """Add or replace a snapshot; as for `put_vm`, any JSON value is accepted."""
        self._clusters[cluster_uid].snapshots.put(document, key)

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
