"""How every VM stands at a moment, by the table of problems; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.findings import Finding, Judgement, findings, judge
from exporter.rollup import Objective
from exporter.snapshot import ClusterState
from exporter.subject import Subject, subjects
from exporter.verdict import RANKS, Severity, Verdict

_SEVERITIES = tuple(Severity)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assessed:
    """A VM at a moment, or snapshots whose VM is not listed.

    findings: its problems, the worst first.
    at: the moment, in seconds since the epoch; stale: the last refresh of its cluster failed.
    """

    subject: Subject
    findings: Sequence[Finding]
    judgement: Judgement
    at: float
    stale: bool

    @property
    def verdict(self) -> Verdict:
        """Whether the VM's snapshots would save it."""
        return self.judgement.verdict

    @property
    def rank(self) -> tuple[float, float, float, str, str, str]:
        """The order of VMs: by the worst problem, by how long it has been there, by name."""
        subject = self.subject
        names = subject.cluster.name, subject.namespace, subject.name
        if not self.findings:
            return len(_SEVERITIES), self.verdict != Verdict.UNKNOWN, 0.0, *names
        worst = self.findings[0]
        severity = _SEVERITIES.index(worst.severity)
        return severity, RANKS[worst.problem.name], worst.since or 0.0, *names


def assess(
    state: ClusterState, objectives: Sequence[Objective], now: float, *, expired: bool
) -> Iterator[Assessed]:
    """Yield the VMs of a cluster, and snapshots whose VM is not listed.

    expired: the data is too old. It shows how the VMs stood when they were read, and whether they
    are protected now is unknown.
    """
    at = min(now, state.last_success or now) if expired else now
    for subject in subjects(state, objectives):
        judgement = judge(subject, at)
        if expired and judgement.verdict != Verdict.EXEMPT:
            judgement = Judgement(Verdict.UNKNOWN, ("cluster_unread",))
        yield Assessed(
            subject=subject,
            findings=findings(subject, at),
            judgement=judgement,
            at=at,
            stale=not state.up,
        )
