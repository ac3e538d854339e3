"""All clusters together, at a moment: what is wrong then, and the machines in its order."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from exporter.snapshot import ClusterState
from exporter.web.status.board import Board, Counts, Row
from exporter.web.status.machine import lost_from
from exporter.web.status.problems import ALWAYS, PROBLEMS, RANKS, Onset

STEP = 256
"""Rows looked at between turns."""

FINE = len(PROBLEMS)
"""The rank of a machine with which nothing is wrong."""

_MISSED = next(problem for problem in PROBLEMS if problem.key == "objective_missed")
_NO_RESTORABLE = next(problem for problem in PROBLEMS if problem.key == "no_restorable")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """How the machines of a cluster stand at a moment.

    at: the moment, in seconds since the epoch; until: when the next problem begins.
    by_rank: the machines by what is wrong with them first, then those that are fine.
    no_restorable, missed, lost: how many machines have none, how many miss their objective, and
        how many snapshots have lost their data.
    """

    board: Board
    at: float
    until: float
    by_rank: tuple[tuple[Row, ...], ...]
    no_restorable: int
    missed: int
    lost: int


def moment(state: ClusterState, now: float) -> float:
    """Return the moment for which to tell how the machines of a cluster stand.

    While a cluster cannot be read, nobody knows what has become of its snapshots: time that
    passes then makes no machine look worse.
    """
    if state.up or state.last_success is None:
        return now
    return min(now, state.last_success)


def begun(row: Row, at: float) -> tuple[Onset, ...]:
    """Return what is wrong with a machine at a moment, the worst first."""
    return tuple(onset for onset in row.onsets if onset.since <= at)


def standing(board: Board, at: float) -> Generator[None, None, Standing]:
    """Work out how a cluster's machines stand, in steps between which others have their turn."""
    ranked: list[list[Row]] = [[] for _ in range(FINE + 1)]
    until, no_restorable, missed, lost = float("inf"), 0, 0, 0
    for index, row in enumerate(board.troubled):
        if index % STEP == 0:
            yield
        if row.soonest > at:
            ranked[FINE].append(row)
            until = min(until, row.soonest)
            continue
        wrong = [onset.problem for onset in begun(row, at)]
        ranked[RANKS[wrong[0]] if wrong else FINE].append(row)
        no_restorable += _NO_RESTORABLE in wrong
        missed += _MISSED in wrong
        lost_at = [since for each in row.machine.remarkable if (since := lost_from(each))]
        lost += sum(since <= at for since in lost_at)
        to_come = chain(lost_at, (onset.since for onset in row.onsets))
        until = min([until, *(since for since in to_come if since > at)])
    fine = sorted(chain(ranked[FINE], board.fine), key=_by_name) if ranked[FINE] else board.fine
    return Standing(
        board=board,
        at=at,
        until=until,
        by_rank=(*map(tuple, ranked[:FINE]), tuple(fine)),
        no_restorable=no_restorable,
        missed=missed,
        lost=lost,
    )


class Standings:
    """How all clusters stand, worked out anew only where something changed."""

    def __init__(self) -> None:
        self._known: dict[str, Standing] = {}

    def of(self, boards: Sequence[Board], now: float) -> Generator[None, None, list[Standing]]:
        """Return the standing of each board, in steps between which others have their turn."""
        found = []
        for board in boards:
            uid, at = board.state.cluster.uid, moment(board.state, now)
            last = self._known.get(uid)
            if last is None or last.board is not board or not last.at <= at < last.until:
                last = yield from standing(board, at)
            found.append(last)
        self._known = {each.board.state.cluster.uid: each for each in found}
        return found


def worst_first(standings: Iterable[Standing]) -> Iterator[tuple[Standing, Row]]:
    """Yield all machines: by what is wrong first, then by since when, then by their names."""
    ordered = sorted(standings, key=_by_cluster)
    for rank in range(FINE):
        rows = [(each, row) for each in ordered for row in each.by_rank[rank]]
        rows.sort(key=lambda pair: _since(pair[1], rank))
        yield from rows
    for each in ordered:
        for row in each.by_rank[FINE]:
            yield each, row


def total(standings: Iterable[Standing]) -> Counts:
    """Return the counts of all clusters together."""
    return Counts(*map(sum, zip(Counts(), *(each.board.counts for each in standings), strict=True)))


def _since(row: Row, rank: int) -> float:
    return next((onset.since for onset in row.onsets if RANKS[onset.problem] == rank), ALWAYS)


def _by_name(row: Row) -> tuple[str, str]:
    return row.machine.namespace, row.machine.name


def _by_cluster(standing: Standing) -> tuple[str, str]:
    cluster = standing.board.state.cluster
    return cluster.name, cluster.uid
