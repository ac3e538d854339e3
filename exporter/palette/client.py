"""The calls to Palette that the exporter makes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from exporter.palette import wire
from exporter.palette.decoding import Decoder
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

    report: told of each value that could not be read; decoder: shared with whom else it decodes.
    Every call takes the project's uid to send as its scope (None: the tenant) and how many
    seconds each of its requests may be retried, and raises PaletteError.
    """

    def __init__(
        self,
        transport: Transport,
        report: Callable[[wire.Fault], None],
        decoder: Decoder | None = None,
    ) -> None:
        self._transport = transport
        self._report = report
        self._decoded = decoder or Decoder()

    def in_queue(self, name: str) -> "Palette":
        """Return the same, whose requests wait for the same budget in another queue."""
        return Palette(self._transport.in_queue(name), self._report, self._decoded)

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
        decode = partial(wire.snapshot, report=self._report, namespace=namespace, vm=vm, name=name)
        return await self._decoded(body, decode)

    async def snapshots(
        self,
        cluster_uid: str,
        *,
        namespaces: Sequence[str] = (),
        vms: Sequence[str] = (),
        project_uid: str | None = None,
        retry_for: float = RETRY_FOR,
    ) -> tuple[Snapshot, ...]:
        """Return a cluster's snapshots, of these namespaces and VMs only where any are named."""
        scope = _Scope(cluster_uid, project_uid, retry_for)
        return await whole_list(lambda token: self._snapshot_page(scope, token, namespaces, vms))

    async def first_snapshots(
        self,
        cluster_uid: str,
        *,
        namespaces: Sequence[str] = (),
        vms: Sequence[str] = (),
        project_uid: str | None = None,
        retry_for: float = RETRY_FOR,
    ) -> wire.Page[Snapshot]:
        """Return the first page of what ``snapshots`` returns the whole of."""
        scope = _Scope(cluster_uid, project_uid, retry_for)
        return await self._snapshot_page(scope, None, namespaces, vms)

    async def virtual_machines(
        self,
        cluster_uid: str,
        *,
        namespaces: Sequence[str] = (),
        project_uid: str | None = None,
        retry_for: float = RETRY_FOR,
    ) -> tuple[VirtualMachine, ...]:
        """Return a cluster's virtual machines, of these namespaces only where any are named."""
        scope = _Scope(cluster_uid, project_uid, retry_for)
        return await whole_list(lambda token: self._machine_page(scope, token, namespaces))

    async def first_virtual_machines(
        self,
        cluster_uid: str,
        *,
        namespaces: Sequence[str] = (),
        project_uid: str | None = None,
        retry_for: float = RETRY_FOR,
    ) -> wire.Page[VirtualMachine]:
        """Return the first page of what ``virtual_machines`` returns the whole of."""
        scope = _Scope(cluster_uid, project_uid, retry_for)
        return await self._machine_page(scope, None, namespaces)

    async def clusters(
        self, *, project_uid: str | None = None, retry_for: float = RETRY_FOR
    ) -> tuple[Cluster, ...]:
        """Return the clusters that run virtual machines."""
        body = await self._transport.get(CLUSTERS, project_uid=project_uid, retry_for=retry_for)
        return await self._decoded(body, partial(wire.clusters, report=self._report))

    async def _snapshot_page(
        self,
        scope: "_Scope",
        token: str | None,
        namespaces: Sequence[str],
        vms: Sequence[str],
    ) -> wire.Page[Snapshot]:
        query = _query(token, namespace=namespaces, vmName=vms)
        body = await self._get(SNAPSHOTS, scope, query)
        decode = partial(
            wire.snapshot_page,
            report=self._report,
            namespace=_only(namespaces),
            vm=_only(vms),
        )
        return await self._decoded(body, decode)

    async def _machine_page(
        self,
        scope: "_Scope",
        token: str | None,
        namespaces: Sequence[str],
    ) -> wire.Page[VirtualMachine]:
        body = await self._get(VIRTUAL_MACHINES, scope, _query(token, namespace=namespaces))
        decode = partial(
            wire.virtual_machine_page,
            report=self._report,
            namespace=_only(namespaces),
        )
        return await self._decoded(body, decode)

    async def _get(self, endpoint: str, scope: "_Scope", query: list[tuple[str, str]]) -> bytes:
        return await self._transport.get(
            endpoint,
            path={"uid": scope.cluster_uid},
            query=query,
            project_uid=scope.project_uid,
            retry_for=scope.retry_for,
        )


class _Scope(NamedTuple):
    """Where a list is, and how many seconds each of its requests may be retried."""

    cluster_uid: str
    project_uid: str | None
    retry_for: float


def _query(token: str | None, **filters: Sequence[str]) -> list[tuple[str, str]]:
    query = [(name, ",".join(values)) for name, values in filters.items() if values]
    query.append(("limit", str(PAGE_SIZE)))
    return [*query, ("continue", token)] if token else query


def _only(values: Sequence[str]) -> str:
    """Return the one value of a filter, which an item that lacks it must have; "" for more."""
    return values[0] if len(values) == 1 else ""
