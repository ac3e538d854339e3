"""The calls to Palette that the exporter makes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from exporter.palette import wire
from exporter.palette.budget import MAIN_QUEUE
from exporter.palette.paging import Item, whole_list
from exporter.palette.transport import RETRY_FOR, Transport
from exporter.snapshot import Cluster, Snapshot, VirtualMachine

SNAPSHOT = "/v1/spectroclusters/{uid}/vms/{vmName}/snapshot/{snapshotName}"
SNAPSHOTS = "/v1/spectroclusters/{uid}/vms/snapshot"
VIRTUAL_MACHINES = "/v1/spectroclusters/{uid}/vms"
CLUSTERS = "/v1/dashboard/spectroclusters/vms"

PAGE_SIZE = 50
"""Items on a page; Palette sends no more, whatever the request says."""

T = TypeVar("T", bound=Item)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Palette:
    """Palette's API in values.

    report: called with each value that could not be read.
    project_uid: the scope of each call; "" is the tenant.
    retry_for: seconds in which each request can be retried.
    queue: where requests wait for the budget.
    Every call raises PaletteError.
    """

    transport: Transport
    report: Callable[[wire.Fault], None]
    project_uid: str = ""
    retry_for: float = RETRY_FOR
    queue: str = MAIN_QUEUE

    async def snapshot(self, cluster_uid: str, target: tuple[str, str, str]) -> Snapshot:
        """Return one snapshot; target: its namespace, VM and name."""
        namespace, vm, name = target
        return await self._get(
            SNAPSHOT,
            partial(wire.snapshot, report=self.report, namespace=namespace, vm=vm, name=name),
            path={"uid": cluster_uid, "vmName": vm, "snapshotName": name},
            query=[("namespace", namespace)],
        )

    async def snapshots(
        self, cluster_uid: str, *, namespaces: Sequence[str] = (), vms: Sequence[str] = ()
    ) -> tuple[Snapshot, ...]:
        """Return a cluster's snapshots; of these namespaces and VMs only, if any are named."""
        decode = partial(
            wire.snapshot_page, report=self.report, namespace=_only(namespaces), vm=_only(vms)
        )
        filters = {"namespace": namespaces, "vmName": vms}
        return await self._list(SNAPSHOTS, decode, cluster_uid, filters)

    async def virtual_machines(
        self, cluster_uid: str, *, namespaces: Sequence[str] = ()
    ) -> tuple[VirtualMachine, ...]:
        """Return a cluster's virtual machines; of these namespaces only, if any are named."""
        decode = partial(wire.virtual_machine_page, report=self.report, namespace=_only(namespaces))
        return await self._list(VIRTUAL_MACHINES, decode, cluster_uid, {"namespace": namespaces})

    async def clusters(self) -> tuple[Cluster, ...]:
        """Return the clusters that run virtual machines."""
        return await self._get(CLUSTERS, partial(wire.clusters, report=self.report))

    async def _list(
        self,
        endpoint: str,
        decode: Callable[[bytes], wire.Page[T]],
        cluster_uid: str,
        filters: Mapping[str, Sequence[str]],
    ) -> tuple[T, ...]:
        async def fetch(token: str | None) -> wire.Page[T]:
            return await self._get(
                endpoint, decode, path={"uid": cluster_uid}, query=_query(token, filters)
            )

        return await whole_list(fetch)

    async def _get(self, endpoint: str, decode: Callable[[bytes], R], **options: Any) -> R:
        return await self.transport.get(
            endpoint,
            decode,
            project_uid=self.project_uid or None,
            retry_for=self.retry_for,
            queue=self.queue,
            **options,
        )


def _query(token: str | None, filters: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    query = [(name, ",".join(values)) for name, values in filters.items() if values]
    query.append(("limit", str(PAGE_SIZE)))
    return [*query, ("continue", token)] if token else query


def _only(values: Sequence[str]) -> str:
    """Return the one value of a filter, which an item that lacks it must have; "" for more."""
    return values[0] if len(values) == 1 else ""
