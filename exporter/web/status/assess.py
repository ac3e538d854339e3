"""How every VM stands at a moment, in seconds since the epoch, by the table of problems."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from msgspec import Struct

from exporter.findings import Finding, findings, is_current, judge, rank
from exporter.findings.subject import Moment, Subject, subjects
from exporter.rollup import Objective
from exporter.store import Published
from exporter.verdict import Severity, Verdict

Rank = tuple[int, int]
"""By severity and problem; VMs without a problem come last, those of unknown verdict first."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a cluster stands.

    stale: its last refresh failed; current: it was read so recently that its data is believed.
    expired: its data is too old to count; its VMs are shown as they were when it was read.
    read_at: when it was read last; not compared.
    """

    stale: bool
    current: bool
    expired: bool
    read_at: float | None = field(compare=False)


class Assessed(Struct, frozen=True, gc=False, kw_only=True, eq=False):
    """A VM at a moment, or snapshots whose VM is not listed.

    findings: its problems, the worst first.
    at: the moment; until changes_at, no problem begins or ends.
    rank: of its worst problem; since: when that began, 0 if that is not known.
    """

    subject: Subject
    findings: Sequence[Finding]
    verdict: Verdict
    reasons: tuple[str, ...]
    at: float
    changes_at: float
    standing: Standing
    rank: Rank
    since: float

    def holds(self, now: float, standing: Standing) -> bool:
        """Return True if another assessment would differ in its texts at most."""
        return self.at <= now < self.changes_at and self.standing == standing


Kept = dict[str, tuple[object, tuple[Objective, ...], Sequence[Assessed]]]
"""The uid of a cluster -> what its VMs were assessed from, content and objectives; and the VMs."""


@dataclass(slots=True)
class Assessments:
    """Assesses the VMs of all clusters, and keeps them for the next page.

    A VM is rolled up again when its cluster has changed, and assessed again when one of its
    problems begins or ends. Texts about the time that has passed are those of the last time.
    """

    _kept: Kept = field(default_factory=dict)

    def update(
        self, published: Iterable[Published[Any]], objectives: Sequence[Objective], now: float
    ) -> Kept:
        """Return the VMs of all clusters; only those of clusters that have changed are assessed."""
        promised = tuple(objectives)
        kept: Kept = {}
        for each in published:
            state = each.last_known
            # Named snapshots differ after each refresh, because each knows when it was read.
            content = state if state.named else each.text.content
            last, last_promised, vms = self._kept.get(state.cluster.uid, (None, (), ()))
            if last is not content or last_promised != promised:
                standing = standing_of(each, now)
                vms = [assess(vm, standing, now) for vm in subjects(state, promised)]
            kept[state.cluster.uid] = content, promised, vms
        self._kept = kept
        return kept

    def of_all(
        self, published: Sequence[Published[Any]], objectives: Sequence[Objective], now: float
    ) -> list[Assessed]:
        """Return the VMs of all clusters: by problem, by how long it has been there, by name."""
        # Not self._kept: a request that was cancelled still ends in its thread, and replaces it.
        kept = self.update(published, objectives, now)
        # One sort of the whole fleet would hold the interpreter for longer than a time slice.
        ranked: defaultdict[Rank, list[Assessed]] = defaultdict(list)
        for each in sorted(published, key=_name):
            uid, standing = each.last_known.cluster.uid, standing_of(each, now)
            content, promised, last = kept[uid]
            vms = [
                vm if vm.holds(now, standing) else assess(vm.subject, standing, now) for vm in last
            ]
            kept[uid] = content, promised, vms
            for vm in vms:
                ranked[vm.rank].append(vm)
        oldest_first = attrgetter("since")
        return [vm for rank in sorted(ranked) for vm in sorted(ranked[rank], key=oldest_first)]


def standing_of(published: Published[Any], now: float) -> Standing:
    """Return how a cluster stands."""
    state, shown = published.last_known, published.state
    return Standing(
        stale=not state.up,
        current=is_current(state, now),
        expired=(shown.listing, shown.named) != (state.listing, state.named),
        read_at=state.last_success,
    )


def assess(subject: Subject, standing: Standing, now: float) -> Assessed:
    """Return how a VM stands, one of an expired cluster as it did when that was read.

    Whether the VM of an expired cluster is protected now is unknown.
    """
    at = Moment(min(now, standing.read_at or now) if standing.expired else now)
    verdict, reasons = judge(subject, at, current=standing.current)
    problems = findings(subject, at)
    if standing.expired:
        at.changes_at = float("inf")
        if verdict != Verdict.EXEMPT:
            verdict, reasons = Verdict.UNKNOWN, ("cluster_unread",)
    return Assessed(
        subject=subject,
        findings=problems,
        verdict=verdict,
        reasons=reasons,
        at=float(at),
        changes_at=at.changes_at,
        standing=standing,
        rank=rank(problems[0]) if problems else (len(Severity), int(verdict != Verdict.UNKNOWN)),
        since=(problems[0].since or 0.0) if problems else 0.0,
    )


def _name(published: Published[Any]) -> tuple[str, str]:
    cluster = published.last_known.cluster
    return cluster.name, cluster.uid
