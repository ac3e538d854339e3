"""Live readings for /probe, next to the refreshes and within the same budget."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from exporter.palette.client import Palette
from exporter.refresh.plan import plan
from exporter.refresh.reader import ClusterReader, Reading
from exporter.refresh.state import MISSING, keep
from exporter.refresh.targets import ClusterTargets, Coverage, SnapshotTarget
from exporter.single_flight import SingleFlight
from exporter.snapshot import Cluster, ClusterState, Unread

QUEUE = "probes"  # for the budget; it alternates with that of refreshes: neither starves

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What a probe reads: one snapshot, or with snapshot "" all of a virtual machine.

    cluster: with the project in whose scope it is read.
    """

    cluster: Cluster
    namespace: str
    vm: str
    snapshot: str = ""

    @property
    def targets(self) -> ClusterTargets:
        """The targets of a configuration with the same meaning."""
        if self.snapshot:
            named = SnapshotTarget(self.namespace, self.vm, self.snapshot)
            return ClusterTargets(uid=self.cluster.uid, named=(named,))
        vm = (self.namespace, self.vm)
        return ClusterTargets(uid=self.cluster.uid, coverage=Coverage(vms=frozenset({vm})))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What a probe found.

    failure: why it failed; None if Palette answered, and what was requested exists.
    requests: how many requests it took.
    """

    state: ClusterState
    failure: Unread | None = None
    requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """Asks Palette. monotonic: seconds."""

    palette: Palette
    monotonic: Callable[[], float]
    _single_flight: SingleFlight[ProbeRequest, Reading] = field(default_factory=SingleFlight)

    async def probe(self, request: ProbeRequest, within: float) -> ProbeResult:
        """Return what there is now; without success where it was not read in so many seconds.

        Who asks the same at the same time shares the requests and nothing of the deadline.
        """
        try:
            async with asyncio.timeout(within):
                reading = await self._single_flight.do(request, lambda: self._read(request))
        except TimeoutError:
            reading = Reading(failure=Unread("timeout", f"it was not read in {within:g} s"))
        state = ClusterState(
            cluster=request.cluster,
            up=reading.failure is None,
            listing=reading.listing,
            named=tuple(
                keep(target, None, reading.outcomes.get(target), self.monotonic())
                for target in request.targets.named
            ),
        )
        failure = reading.failure or _missing(state)
        if failure:
            log.debug(
                "probe failed",
                cluster=request.cluster.name,
                cluster_uid=request.cluster.uid,
                namespace=request.namespace,
                vm=request.vm,
                snapshot=request.snapshot,
                reason=failure.reason,
                error=failure.message,
            )
        return ProbeResult(state=state, failure=failure, requests=reading.requests)

    async def _read(self, request: ProbeRequest) -> Reading:
        reader = ClusterReader(
            # A probe with less time leaves earlier. When the last one leaves, the request ends.
            palette=replace(self.palette, queue=QUEUE, project_uid=request.cluster.project_uid),
            uid=request.cluster.uid,
            now=self.monotonic,
        )
        targets = request.targets
        return await reader.read(plan(targets), targets.coverage)


def _missing(state: ClusterState) -> Unread | None:
    """Return why what was requested is not there; None if it is.

    A virtual machine that is deleted is there as long as snapshots of it are: these are orphans.
    """
    if state.named:
        return next((named.unread or MISSING for named in state.named if not named.up), None)
    listing = state.listing
    return None if listing and (listing.virtual_machines or listing.snapshots) else MISSING
