"""One live reading for whoever asks for it, beside the refreshes and out of the same budget."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from exporter.palette.client import Palette
from exporter.palette.transport import RETRY_FOR
from exporter.refresh.plan import plan
from exporter.refresh.reader import ClusterReader, Reading
from exporter.refresh.targets import ClusterTargets, Coverage, SnapshotTarget, keep
from exporter.single_flight import Flights
from exporter.snapshot import Cluster, ClusterState, Unread, VirtualMachineKey

QUEUE = "probes"
"""Where probes wait for the budget: in turns with the refreshes, so that neither starves."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
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
class Finding:
    """What a probe found; success: whether Palette answered, and what was asked for is there."""

    success: bool
    state: ClusterState


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """Asks Palette. monotonic: seconds."""

    palette: Palette
    monotonic: Callable[[], float]
    flights: Flights[Question, Reading]

    async def ask(self, question: Question, within: float) -> Finding:
        """Return what there is now; without success where it was not read in so many seconds.

        Who asks the same at the same time shares the requests and nothing of the deadline.
        """
        try:
            async with asyncio.timeout(within):
                reading = await self.flights.join(question, lambda: self._read(question))
        except TimeoutError:
            reading = Reading(failure=Unread("timeout", f"it was not read in {within:g} s"))
        state = _state(question, reading, self.monotonic())
        finding = Finding(success=_is_there(state), state=state)
        if not finding.success:
            _tell(question, reading)
        return finding

    async def _read(self, question: Question) -> Reading:
        reader = ClusterReader(
            palette=replace(self.palette, queue=QUEUE),
            uid=question.cluster.uid,
            project_uid=question.cluster.project_uid,
            # Whoever has less time leaves earlier, and with the last one the request ends.
            retry_for=RETRY_FOR,
            now=self.monotonic,
        )
        targets = question.targets
        return await reader.read(plan(targets), targets.coverage, lambda early: None)


def _state(question: Question, reading: Reading, now: float) -> ClusterState:
    return ClusterState(
        cluster=question.cluster,
        up=reading.failure is None,
        listing=reading.listing,
        named=tuple(
            keep(target, None, reading.outcomes.get(target), now)
            for target in question.targets.named
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


def _tell(question: Question, reading: Reading) -> None:
    failure = reading.failure or Unread("not_found", "it is not there")
    log.debug(
        "probe failed",
        cluster=question.cluster.name,
        cluster_uid=question.cluster.uid,
        namespace=question.namespace,
        vm=question.vm,
        snapshot=question.snapshot,
        reason=failure.reason,
        error=failure.message,
    )
