"""One live reading for whoever asks for it, beside the refreshes and out of the same budget."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from exporter.palette.client import Palette
from exporter.palette.transport import RETRY_FOR
from exporter.refresh.plan import plan
from exporter.refresh.reader import ClusterReader, Reading
from exporter.refresh.state import keep
from exporter.refresh.targets import ClusterTargets, Coverage, SnapshotTarget
from exporter.single_flight import SingleFlight
from exporter.snapshot import Cluster, ClusterState, Unread, VirtualMachineKey

QUEUE = "probes"
"""Where probes wait for the budget: in turns with the refreshes, so that neither starves."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What a probe asks for: one snapshot, or with snapshot "" all of a virtual machine.

    cluster: with the project in whose scope it is read.
    """

    cluster: Cluster
    namespace: str
    vm: str
    snapshot: str = ""

    @property
    def targets(self) -> ClusterTargets:
        """The same as a configuration would say it."""
        if self.snapshot:
            named = SnapshotTarget(self.namespace, self.vm, self.snapshot)
            return ClusterTargets(uid=self.cluster.uid, named=(named,))
        vm = VirtualMachineKey(self.namespace, self.vm)
        return ClusterTargets(uid=self.cluster.uid, coverage=Coverage(vms=frozenset({vm})))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What a probe found; success: whether Palette answered, and what was asked for is there."""

    success: bool
    state: ClusterState


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
        state = _state(request, reading, self.monotonic())
        result = ProbeResult(success=_is_there(state), state=state)
        if not result.success:
            _log(request, reading)
        return result

    async def _read(self, request: ProbeRequest) -> Reading:
        reader = ClusterReader(
            palette=replace(self.palette, queue=QUEUE),
            uid=request.cluster.uid,
            project_uid=request.cluster.project_uid,
            # Whoever has less time leaves earlier, and with the last one the request ends.
            retry_for=RETRY_FOR,
            now=self.monotonic,
        )
        targets = request.targets
        return await reader.read(plan(targets), targets.coverage, lambda early: None)


def _state(request: ProbeRequest, reading: Reading, now: float) -> ClusterState:
    return ClusterState(
        cluster=request.cluster,
        up=reading.failure is None,
        listing=reading.listing,
        named=tuple(
            keep(target, None, reading.outcomes.get(target), now)
            for target in request.targets.named
        ),
    )


def _is_there(state: ClusterState) -> bool:
    """Tell whether what was asked for is there.

    A virtual machine that is gone is there as long as snapshots of it are: these are orphans.
    """
    if state.named:
        return all(named.up for named in state.named)
    listing = state.listing
    return listing is not None and bool(listing.virtual_machines or listing.snapshots)


def _log(request: ProbeRequest, reading: Reading) -> None:
    failure = reading.failure or Unread("not_found", "it is not there")
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
