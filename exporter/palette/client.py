"""The calls to Palette that the exporter makes."""

from collections.abc import Callable, Sequence

from exporter.palette import wire
from exporter.palette.memory import Memory
from exporter.palette.paging import whole_list
from exporter.palette.transport import RETRY_FOR, Transport
from exporter.snapshot import Cluster, Snapshot, VirtualMachine

SNAPSHOT = "/v1/spectroclusters/{uid}/vms/{vmName}/snapshot/{snapshotName}"
SNAPSHOTS = "/v1/spectroclusters/{uid}/vms/snapshot"
VIRTUAL_MACHINES = "/v1/spectroclusters/{uid}/vms"
CLUSTERS = "/v1/dashboard/spectroclusters/vms"

PAGE_SIZE = 50
"""Palette serves no more on one page, whatever it is asked for."""


class Palette:
    """Palette's API in values.

    report: told of each value that could not be read.
    Every call takes the project's uid to send as its scope (None: the tenant) and how many
    seconds each of its requests may be retried, and raises PaletteError.
    """

    def __init__(self, transport: Transport, report: Callable[[wire.Fault], None]) -> None:
        self._transport = transport
        self._report = report

    def in_queue(self, name: str) -> "Palette":
        """Return the same, whose requests wait for the same budget in another queue."""
        return Palette(self._transport.in_queue(name), self._report)

    async def snapshot(
        self,
        cluster_uid: str,
        target: tuple[str, str, str],
        *,
        project_uid: str | None = None,
        retry_for: float = RETRY_FOR,
    ) -> Snapshot:
        """Return one snapshot; target: its namespace, VM and name."""
        namespace, vm, name = target
        body = await self._transport.get(
            SNAPSHOT,
            path={"uid": cluster_uid, "vmName": vm, "snapshotName": name},
            query=[("namespace", namespace)],
            project_uid=project_uid,
            retry_for=retry_for,
        )
        return wire.snapshot(body, self._report, namespace=namespace, vm=vm, name=name)

    async def snapshots(
        self,
        cluster_uid: str,
        *,
        namespaces: Sequence[str] = (),
        vms: Sequence[str] = (),
        project_uid: str | None = None,
        retry_for: float = RETRY_FOR,
        memory: Memory[Snapshot] | None = None,
    ) -> tuple[Snapshot, ...]:
        """Return a cluster's snapshots, of these namespaces and VMs only where any are named.

        memory: of this list with these filters; what did not change is taken from it.
        """
        memory = Memory() if memory is None else memory

        async def page(token: str | None) -> wire.Page[Snapshot]:
            body = await self._transport.get(
                SNAPSHOTS,
                path={"uid": cluster_uid},
                query=_query(token, namespace=namespaces, vmName=vms),
                project_uid=project_uid,
                retry_for=retry_for,
            )
            return wire.snapshot_page(
                body, self._report, namespace=_only(namespaces), vm=_only(vms), memory=memory
            )

        snapshots = await whole_list(page)
        memory.turn()
        return snapshots

    async def virtual_machines(
        self,
        cluster_uid: str,
        *,
        namespaces: Sequence[str] = (),
        project_uid: str | None = None,
        retry_for: float = RETRY_FOR,
        memory: Memory[VirtualMachine] | None = None,
    ) -> tuple[VirtualMachine, ...]:
        """Return a cluster's virtual machines, of these namespaces only where any are named.

        memory: of this list with these filters; what did not change is taken from it.
        """
        memory = Memory() if memory is None else memory

        async def page(token: str | None) -> wire.Page[VirtualMachine]:
            body = await self._transport.get(
                VIRTUAL_MACHINES,
                path={"uid": cluster_uid},
                query=_query(token, namespace=namespaces),
                project_uid=project_uid,
                retry_for=retry_for,
            )
            return wire.virtual_machine_page(
                body, self._report, namespace=_only(namespaces), memory=memory
            )

        machines = await whole_list(page)
        memory.turn()
        return machines

    async def clusters(
        self, *, project_uid: str | None = None, retry_for: float = RETRY_FOR
    ) -> tuple[Cluster, ...]:
        """Return the clusters that run virtual machines."""
        body = await self._transport.get(CLUSTERS, project_uid=project_uid, retry_for=retry_for)
        return wire.clusters(body, self._report)


def _query(token: str | None, **filters: Sequence[str]) -> list[tuple[str, str]]:
    query = [(name, ",".join(values)) for name, values in filters.items() if values]
    query.append(("limit", str(PAGE_SIZE)))
    return [*query, ("continue", token)] if token else query


def _only(values: Sequence[str]) -> str:
    """Return the one value of a filter, which an item that lacks it must have; "" for more."""
    return values[0] if len(values) == 1 else ""
