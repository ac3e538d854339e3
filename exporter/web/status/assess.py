"""How every VM stands at a moment, by the table of problems."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from exporter.findings import Finding, Judgement, findings, judge
from exporter.findings.subject import Subject, subjects
from exporter.rollup import Objective
from exporter.store import Published
from exporter.verdict import RANKS, Severity, Verdict

SUBJECTS_KEPT, ASSESSED_KEPT = 600.0, 5.0
"""Seconds. See ``Assessments``."""

_SEVERITIES = {severity: index for index, severity in enumerate(Severity)}

Rank = tuple[int, int]
"""By severity and problem; VMs without a problem come last, those of unknown verdict first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assessed:
    """A VM at a moment, or snapshots whose VM is not listed.

    findings: its problems, the worst first.
    at: the moment, in seconds since the epoch; stale: the last refresh of its cluster failed.
    rank: of its worst problem; since: when that began, 0 if that is not known.
    """

    subject: Subject
    findings: Sequence[Finding]
    judgement: Judgement
    at: float
    stale: bool
    rank: Rank
    since: float

    @property
    def verdict(self) -> Verdict:
        """Whether the VM's snapshots would save it."""
        return self.judgement.verdict


@dataclass(frozen=True, slots=True)
class _Kept:
    name: str
    uid: str
    key: tuple[object, ...]
    built_at: float
    subjects: Sequence[Subject]
    at: float
    assessed: Sequence[Assessed]


@dataclass(slots=True)
class Assessments:
    """Assesses the VMs of all clusters, and keeps what the next page can use again.

    Without that, a page of 20,000 VMs takes three times as long. The snapshots of a VM are rolled
    up again when they change, and assessed again after ASSESSED_KEPT seconds.
    """

    _kept: dict[str, _Kept] = field(default_factory=dict)

    def of_all(
        self, published: Iterable[Published[Any]], objectives: Sequence[Objective], now: float
    ) -> list[Assessed]:
        """Return the VMs of all clusters: by problem, by how long it has been there, by name.

        now: seconds since the epoch.
        """
        kept = {
            each.last_known.cluster.uid: self._of(each, tuple(objectives), now)
            for each in published
        }
        self._kept = kept
        # One sort of the whole fleet would hold the interpreter for longer than a time slice.
        ranked: defaultdict[Rank, list[Assessed]] = defaultdict(list)
        for cluster in sorted(kept.values(), key=_cluster):
            for vm in cluster.assessed:
                ranked[vm.rank].append(vm)
        return [vm for rank in sorted(ranked) for vm in sorted(ranked[rank], key=_since)]

    def _of(
        self, published: Published[Any], objectives: tuple[Objective, ...], now: float
    ) -> _Kept:
        state = published.last_known
        # Named snapshots are never equal: each knows when it was read.
        content = getattr(published.text, "content", None) if not state.named else None
        key = (content, state.up, state.cluster, objectives, expired(published))
        last = self._kept.get(state.cluster.uid)
        if last is None or content is None or last.key != key:
            last = None
        elif 0 <= now - last.at < ASSESSED_KEPT:
            return last
        if last and 0 <= now - last.built_at < SUBJECTS_KEPT:
            found, built_at = last.subjects, last.built_at
        else:
            found, built_at = tuple(subjects(state, objectives)), now
        cluster = state.cluster
        return _Kept(
            cluster.name,
            cluster.uid,
            key,
            built_at,
            found,
            now,
            tuple(assess(published, found, now)),
        )


def expired(published: Published[Any]) -> bool:
    """Return True if the data of a cluster is too old to count, so that it has no series."""
    shown, known = published.state, published.last_known
    if (shown.listing is None) != (known.listing is None):
        return True
    return [each.snapshot is None for each in shown.named] != [
        each.snapshot is None for each in known.named
    ]


def assess(published: Published[Any], found: Iterable[Subject], now: float) -> Iterator[Assessed]:
    """Yield how the VMs of a cluster stand, those of an expired one as they did when it was read.

    Whether VMs of an expired cluster are protected now is unknown.
    """
    state, too_old = published.last_known, expired(published)
    at = min(now, state.last_success or now) if too_old else now
    for subject in found:
        judgement, problems = judge(subject, at), findings(subject, at)
        if too_old and judgement.verdict != Verdict.EXEMPT:
            judgement = Judgement(Verdict.UNKNOWN, ("cluster_unread",))
        yield Assessed(
            subject=subject,
            findings=problems,
            judgement=judgement,
            at=at,
            stale=not state.up,
            rank=_rank(problems, judgement),
            since=(problems[0].since or 0.0) if problems else 0.0,
        )


def _rank(problems: Sequence[Finding], judgement: Judgement) -> Rank:
    if not problems:
        return len(_SEVERITIES), int(judgement.verdict != Verdict.UNKNOWN)
    worst = problems[0]
    return _SEVERITIES[worst.severity], RANKS[worst.problem.name]


def _since(each: Assessed) -> float:
    return each.since


def _cluster(kept: _Kept) -> tuple[str, str]:
    return kept.name, kept.uid
