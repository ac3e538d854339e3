"""The calls to Palette that the exporter makes; of a list that comes in pages, all or nothing."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import structlog

from exporter.palette import wire
from exporter.palette.budget import MAIN_QUEUE
from exporter.palette.document import Report
from exporter.palette.errors import Expired, InvalidResponse, PaletteError
from exporter.palette.transport import RETRY_FOR, Transport
from exporter.palette.wire import Page
from exporter.single_flight import SingleFlight
from exporter.snapshot import Cluster, NamespacedName, Snapshot, VirtualMachine

SNAPSHOT = "/v1/spectroclusters/{uid}/vms/{vmName}/snapshot/{snapshotName}"
SNAPSHOTS = "/v1/spectroclusters/{uid}/vms/snapshot"
VIRTUAL_MACHINES = "/v1/spectroclusters/{uid}/vms"
CLUSTERS = "/v1/dashboard/spectroclusters/vms"

PAGE_SIZE = 50  # items on a page; Palette sends no more, whatever the request says
MOST_PAGES = 10_000
MOST_ITEMS = 100_000  # five times as many snapshots as the largest cluster has; so many take 250 MB

log = structlog.get_logger()

T = TypeVar("T", Snapshot, VirtualMachine)
R = TypeVar("R")
Fetch = Callable[[str | None], Awaitable[Page[T]]]
"""Fetches the page that a continue token stands for; the first for None."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Palette's API in values.

    report: called with each value that could not be read.
    project_uid: the scope of each call; "" is the tenant.
    retry_for: seconds in which each request can be sent again; at most 30.
    queue: where requests wait for the budget.
    Every call raises PaletteError.
    """

    transport: Transport
    report: Report
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
        return await self._list(SNAPSHOTS, decode, cluster_uid, namespace=namespaces, vmName=vms)

    async def virtual_machines(
        self, cluster_uid: str, *, namespaces: Sequence[str] = ()
    ) -> tuple[VirtualMachine, ...]:
        """Return a cluster's virtual machines; of these namespaces only, if any are named."""
        decode = partial(wire.virtual_machine_page, report=self.report, namespace=_only(namespaces))
        return await self._list(VIRTUAL_MACHINES, decode, cluster_uid, namespace=namespaces)

    async def clusters(self) -> tuple[Cluster, ...]:
        """Return the clusters that run virtual machines."""
        return await self._get(CLUSTERS, partial(wire.clusters, report=self.report))

    async def _list(
        self,
        endpoint: str,
        decode: Callable[[bytes], Page[T]],
        cluster_uid: str,
        **filters: Sequence[str],
    ) -> tuple[T, ...]:
        query = [(name, ",".join(values)) for name, values in filters.items() if values]
        query.append(("limit", str(PAGE_SIZE)))

        async def fetch(token: str | None) -> Page[T]:
            rest = [("continue", token)] if token else []
            return await self._get(endpoint, decode, path={"uid": cluster_uid}, query=query + rest)

        return await whole_list(fetch)

    async def _get(self, endpoint: str, decode: Callable[[bytes], R], **options: Any) -> R:
        return await self.transport.get(
            endpoint,
            decode,
            project_uid=self.project_uid,
            retry_for=self.retry_for,
            queue=self.queue,
            **options,
        )


def _only(values: Sequence[str]) -> str:
    """Return the one value of a filter, which an item that lacks it must have; "" for more."""
    return values[0] if len(values) == 1 else ""


async def whole_list(fetch: Fetch[T]) -> tuple[T, ...]:
    """Return each item once, as the last page that holds it shows it.

    A list whose continue token expires is read once more from its beginning.
    Raises PaletteError; InvalidResponse if the pages would not come to an end.
    """
    items: dict[NamespacedName, T] = {}
    try:
        try:
            await _read_pages(fetch, items)
        except Expired:
            if not items:
                raise
            items.clear()
            await _read_pages(fetch, items)
        return tuple(items.values())
    finally:
        # A traceback can keep this frame until the next pass of the garbage collector.
        items.clear()


async def _read_pages(fetch: Fetch[T], items: dict[NamespacedName, T]) -> None:
    tokens: set[str] = set()
    token: str | None = None
    for _ in range(MOST_PAGES):
        page = await fetch(token)
        known, token = len(items), page.continue_token
        items.update((item.key, item) for item in page.items)
        del page
        if len(items) > MOST_ITEMS:
            raise InvalidResponse(f"the list has more than {MOST_ITEMS} items")
        if token is None:
            return
        if token in tokens:
            raise InvalidResponse("a continue token was repeated")
        if len(items) == known:
            raise InvalidResponse("a page of a list, not its last, has no new item")
        tokens.add(token)
    raise InvalidResponse(f"the list has more than {MOST_PAGES} pages")


class ClusterDirectory:
    """Reads the dashboard once for all loops that need it at the same time; clock: seconds."""

    def __init__(self, palette: Palette, clock: Callable[[], float]) -> None:
        self._palette = palette
        self._clock = clock
        self._known: dict[str, dict[str, Cluster]] = {}
        self._asked_at: dict[str, float] = {}
        self._single_flight: SingleFlight[str, dict[str, Cluster]] = SingleFlight()

    async def ask(self, project_uid: str, *, retry_for: float) -> dict[str, Cluster]:
        """Return all clusters of a project ("": the tenant) as they are now, by their uids.

        Raises PaletteError.
        """
        return await self._single_flight.do(project_uid, lambda: self._ask(project_uid, retry_for))

    async def find(self, uid: str, project_uid: str, *, not_within: float) -> Cluster | None:
        """Return a cluster; None if it is not listed, or the dashboard cannot be read.

        not_within: seconds after a request in which an unknown name causes no other one.
        """
        known = self._known.get(project_uid, {})
        asked_at = self._asked_at.get(project_uid, -math.inf)
        if uid not in known and self._clock() >= asked_at + not_within:
            try:
                known = await self.ask(project_uid, retry_for=0)
            except PaletteError as error:
                log.debug("cluster names unknown", reason=error.reason, error=str(error))
        return known.get(uid)

    async def _ask(self, project_uid: str, retry_for: float) -> dict[str, Cluster]:
        palette = replace(self._palette, project_uid=project_uid, retry_for=retry_for)
        try:
            found = await palette.clusters()
        finally:
            self._asked_at[project_uid] = self._clock()
        self._known[project_uid] = {cluster.uid: cluster for cluster in found}
        return self._known[project_uid]
