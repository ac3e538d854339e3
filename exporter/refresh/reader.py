"""Reads one cluster: the calls of its plan, and what their answers amount to."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from exporter.palette.client import Palette
from exporter.palette.errors import NotFound, PaletteError, ServerError
from exporter.refresh.plan import Filter, Plan, pages
from exporter.refresh.state import MISSING, Outcome, Outcomes, listed, listing
from exporter.refresh.targets import Coverage, SnapshotTarget
from exporter.snapshot import Listing, NamespacedName, Snapshot, Unread, VirtualMachine

T = TypeVar("T", Snapshot, VirtualMachine)

PATIENCE = 1.0  # seconds after which what was read is handed out while other snapshots still hang


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one refresh read.

    outcomes: of the named snapshots.
    listing: None where there were no lists to read, or they could not be read.
    failure: why the refresh failed as a whole; None where it succeeded.
    requests: how many requests the same takes the next time.
    named_pages: how many pages the lists of named snapshots had; 0 where they were not read.
    """

    outcomes: Outcomes = field(default_factory=dict)
    listing: Listing | None = None
    failure: Unread | None = None
    requests: int = 0
    named_pages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReader:
    """Reads a cluster.

    palette: in the scope of the cluster's project.
    now: seconds on the monotonic clock.
    early: called with the outcomes so far where some named snapshots keep the others waiting.
    """

    palette: Palette
    uid: str
    now: Callable[[], float]
    early: Callable[[Outcomes], None] = lambda outcomes: None

    async def read(self, plan: Plan, coverage: Coverage) -> Reading:
        """Make the calls of the plan; raises nothing that Palette can cause."""
        async with asyncio.TaskGroup() as group:
            lists = group.create_task(self._read_lists(plan, coverage))
            named = group.create_task(self._read_named(plan))
        covered, others = lists.result(), named.result()
        return Reading(
            outcomes={**covered.outcomes, **others.outcomes},
            listing=covered.listing,
            failure=covered.failure or _overall(plan, others),
            requests=covered.requests + others.requests,
            named_pages=others.named_pages,
        )

    async def _read_lists(self, plan: Plan, coverage: Coverage) -> Reading:
        if not plan.snapshots:
            return Reading()
        failure = None
        try:
            async with asyncio.TaskGroup() as group:
                snapshots = group.create_task(self._lists(self.palette.snapshots, plan.snapshots))
                machines = group.create_task(
                    self._lists(self.palette.virtual_machines, plan.virtual_machines)
                )
        except* PaletteError as errors:
            first = errors.exceptions[0]
            assert isinstance(first, PaletteError)  # neither task raises a group
            failure = unread(first)
        if failure:
            return Reading(
                outcomes=dict.fromkeys(plan.listed, failure),
                failure=failure,
                requests=len(plan.snapshots) + len(plan.virtual_machines),
            )
        (found, snapshot_pages), (vms, machine_pages) = snapshots.result(), machines.result()
        return Reading(
            outcomes=listed(plan.listed, found),
            listing=listing(
                coverage,
                found.values(),
                vms.values(),
                namespaces=(name for each in plan.virtual_machines for name in each.namespaces),
                now=self.now(),
            ),
            requests=snapshot_pages + machine_pages,
        )

    async def _read_named(self, plan: Plan) -> Reading:
        if plan.named:
            try:
                found, count = await self._lists(self.palette.snapshots, plan.named)
            except PaletteError as error:
                # A list that names a deleted VM can answer 500, as the call for one
                # snapshot does: read one by one, that VM hinders no other.
                if not isinstance(error, ServerError) or error.retryable:
                    failure = unread(error)
                    outcomes = dict.fromkeys(plan.one_by_one, failure)
                    return Reading(outcomes=outcomes, failure=failure, requests=len(plan.named))
            else:
                return Reading(
                    outcomes=listed(plan.one_by_one, found), requests=count, named_pages=count
                )
        reading = await self._read_one_by_one(plan)
        # Lists that failed are tried again next time.
        return replace(reading, requests=reading.requests + len(plan.named[:1]))

    async def _read_one_by_one(self, plan: Plan) -> Reading:
        async with asyncio.TaskGroup() as group:
            tasks = {
                target: group.create_task(self._read_snapshot(target)) for target in plan.one_by_one
            }
            if tasks:
                await asyncio.wait(tasks.values(), timeout=PATIENCE)
            done = {target: task.result() for target, task in tasks.items() if task.done()}
            answered = any(isinstance(o, Snapshot) or o == MISSING for o in done.values())
            if answered and len(done) < len(tasks):
                self.early(done)
        outcomes = {target: task.result() for target, task in tasks.items()}
        return Reading(outcomes=outcomes, requests=len(outcomes))

    async def _read_snapshot(self, target: SnapshotTarget) -> Outcome:
        try:
            return await self.palette.snapshot(self.uid, target)
        except NotFound:
            return MISSING
        except PaletteError as error:
            return unread(error)

    async def _lists(
        self, call: Callable[..., Awaitable[Collection[T]]], filters: Iterable[Filter]
    ) -> tuple[dict[NamespacedName, T], int]:
        """Return the items of several lists by their keys, and how many pages these had.

        call: of Palette's client.
        """
        found: dict[NamespacedName, T] = {}
        count = 0
        for each in filters:
            names = {"namespaces": each.namespaces, "vms": each.vms}
            items = await call(self.uid, **{kind: some for kind, some in names.items() if some})
            found.update((item.key, item) for item in items)
            count += pages(len(items))
        return found, count


def _overall(plan: Plan, named: Reading) -> Unread | None:
    """Return why a refresh failed though the lists of what is covered did not.

    Named snapshots stand each for itself; but where there is nothing else and none of them got
    an answer, nothing was read at all.
    """
    if named.failure:
        return named.failure
    unread = [o for o in named.outcomes.values() if isinstance(o, Unread) and o != MISSING]
    if plan.snapshots or not unread or len(unread) < len(named.outcomes):
        return None
    reasons = Counter(outcome.reason for outcome in unread)
    return max(unread, key=lambda outcome: reasons[outcome.reason])


def unread(error: PaletteError) -> Unread:
    """Return why something could not be read."""
    return Unread(error.reason, str(error), type(error).__name__)
