"""What the page shows, and its JSON says: the fleet at a glance, clusters, and machines."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from exporter.snapshot import Cluster, ClusterState
from exporter.web.status.board import Board, Counts, Row
from exporter.web.status.clusters import ClusterLine, lines
from exporter.web.status.fleet import Standing, Standings, begun, moment, total, worst_first
from exporter.web.status.machine import Machine
from exporter.web.status.problems import Problem, Why
from exporter.web.status.question import Question
from exporter.web.status.states import STATES, State

PAGE = 50
"""Machines, and clusters, on a page."""

STEP = 128
"""Machines compared with a question between turns."""


class Trouble(NamedTuple):
    """One thing that is wrong; since: None where nobody knows."""

    problem: Problem
    since: float | None
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A machine as it stood at a moment.

    at: seconds since the epoch; stale: whether that is not now, as its cluster cannot be read.
    """

    machine: Machine
    troubles: tuple[Trouble, ...]
    at: float
    stale: bool

    @property
    def missed_by(self) -> float | None:
        """By how many seconds the objective is missed; None where it is not."""
        since = {each.problem.key: each.since for each in self.troubles}.get("objective_missed")
        return None if since is None else self.at - since


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The fleet in numbers; clusters_read: of how many clusters the last refresh succeeded."""

    clusters: int
    clusters_read: int
    vms_without_restorable: int
    objectives_missed: int
    snapshots_lost: int
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of a long list that is on a page; number: of the page, from 1."""

    number: int
    pages: int
    items: int
    size: int = PAGE

    @classmethod
    def of(cls, items: int, number: int, size: int = PAGE) -> "Part":
        """Return the page of that number, the last where there are fewer."""
        pages = max(1, -(-items // size))
        return cls(number=min(number, pages), pages=pages, items=items, size=size)

    @property
    def slice(self) -> slice:
        """Which of the items are on the page."""
        return slice((self.number - 1) * self.size, self.number * self.size)

    @property
    def first(self) -> int:
        """The number of the first item on the page, 0 where there is none."""
        return min((self.number - 1) * self.size + 1, self.items)

    @property
    def last(self) -> int:
        """The number of the last item on the page."""
        return min(self.number * self.size, self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All of the page. notes: what of the question makes no sense."""

    now: float
    question: Question
    notes: tuple[str, ...]
    glance: Glance
    clusters: Sequence[ClusterLine]
    cluster_part: Part
    machines: Sequence[Line]
    machine_part: Part
    namespaces: Sequence[str]


class Fleet(NamedTuple):
    """What a question is answered from; known: the clusters that are refreshed."""

    boards: Sequence[Board]
    known: Iterable[Cluster]
    now: float


def overview(
    fleet: Fleet, standings: Standings, question: Question, notes: Sequence[str]
) -> Generator[None, None, Overview]:
    """Answer a question, in steps between which others have their turn."""
    found = yield from standings.of(fleet.boards, fleet.now)
    clusters = lines(fleet.known, fleet.boards, fleet.now)
    asked = [each for each in found if _names(question.cluster, each.board.state.cluster)]
    if question.narrows:
        matching = yield from _matching(asked, question)
        part = Part.of(len(matching), question.page)
        shown = matching[part.slice]
    else:
        part = Part.of(sum(len(each.board.rows) for each in asked), question.page)
        shown = [*islice(worst_first(asked), part.slice.start, part.slice.stop)]
    cluster_part = Part.of(len(clusters), question.clusters)
    return Overview(
        now=fleet.now,
        question=question,
        notes=(*notes, *_surprises(question, clusters, part, cluster_part)),
        glance=_glance(clusters, found),
        clusters=clusters,
        cluster_part=cluster_part,
        machines=[line(each.board.state, row, fleet.now) for each, row in shown],
        machine_part=part,
        namespaces=sorted(frozenset().union(*(each.board.namespaces for each in found))),
    )


def line(state: ClusterState, row: Row, now: float) -> Line:
    """Return a machine of a cluster as it stands now, or stood when the cluster was read last."""
    at = moment(state, now)
    return Line(
        machine=row.machine,
        troubles=tuple(
            Trouble(problem, since if since > 0 else None, problem.why(row.machine, at))
            for since, problem in begun(row, at)
        ),
        at=at,
        stale=not state.up,
    )


def _names(name: str, cluster: Cluster) -> bool:
    return name in ("", cluster.uid, cluster.name)


def _matching(
    standings: Iterable[Standing], question: Question
) -> Generator[None, None, list[tuple[Standing, Row]]]:
    state, text = STATES.get(question.state), question.q.casefold()
    found = []
    for index, (standing, row) in enumerate(worst_first(standings)):
        if index % STEP == 0:
            yield
        if _matches(standing, row, question.namespace, state, text):
            found.append((standing, row))
    return found


def _matches(standing: Standing, row: Row, namespace: str, state: State | None, text: str) -> bool:
    machine = row.machine
    if namespace and machine.namespace != namespace:
        return False
    if state and not state.matches(standing, row):
        return False
    if not text or text in f"{machine.namespace}/{machine.name}".casefold():
        return True
    return any(text in each.name.casefold() for each in machine.snapshots)


def _glance(clusters: Sequence[ClusterLine], standings: Sequence[Standing]) -> Glance:
    return Glance(
        clusters=len(clusters),
        clusters_read=sum(each.reading == "read" for each in clusters),
        vms_without_restorable=sum(each.no_restorable for each in standings),
        objectives_missed=sum(each.missed for each in standings),
        snapshots_lost=sum(each.lost for each in standings),
        counts=total(standings),
    )


def _surprises(
    question: Question, clusters: Sequence[ClusterLine], part: Part, cluster_part: Part
) -> list[str]:
    """Say what was asked for and is not there."""
    unknown = not any(_names(question.cluster, each.cluster) for each in clusters)
    checks = (
        (unknown, "No cluster of that name or uid is known."),
        (question.page > part.number, "There are fewer pages than that; the last is shown."),
        (
            question.clusters > cluster_part.number,
            "There are fewer pages of clusters than that; the last is shown.",
        ),
    )
    return [note for wrong, note in checks if wrong]
