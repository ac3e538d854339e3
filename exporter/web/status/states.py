"""The states that machines can be filtered by."""

from collections.abc import Callable
from dataclasses import dataclass

from exporter.web.status.board import Row
from exporter.web.status.fleet import Standing, begun
from exporter.web.status.machine import in_progress
from exporter.web.status.problems import PROBLEMS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """One answer to how a machine stands. key: its word in URLs."""

    key: str
    title: str
    matches: Callable[[Standing, Row], bool]


def _has(key: str) -> Callable[[Standing, Row], bool]:
    def matches(standing: Standing, row: Row) -> bool:
        return any(onset.problem.key == key for onset in begun(row, standing.at))

    return matches


def is_bad(standing: Standing, row: Row) -> bool:
    """Tell whether something is wrong with a machine that is more than worth knowing."""
    return any(onset.problem.severity != "info" for onset in begun(row, standing.at))


_STATES = (
    State(key="bad", title="Anything wrong", matches=is_bad),
    State(key="fine", title="Nothing wrong", matches=lambda *row: not is_bad(*row)),
    *(State(key=each.key, title=each.title, matches=_has(each.key)) for each in PROBLEMS),
    State(
        key="restorable",
        title="Some snapshot restorable",
        matches=lambda _, row: row.machine.row.restorable > 0,
    ),
    State(
        key="ready",
        title="Some snapshot ready",
        matches=lambda _, row: row.machine.row.ready > 0,
    ),
    State(
        key="failed",
        title="Some snapshot failed",
        matches=lambda _, row: row.machine.row.failed > 0,
    ),
    State(
        key="in_progress",
        title="Snapshot in progress",
        matches=lambda _, row: any(map(in_progress, row.machine.remarkable)),
    ),
    State(
        key="stale",
        title="Not read lately",
        matches=lambda standing, row: not standing.board.state.up or bool(row.machine.unread),
    ),
)

STATES = {state.key: state for state in _STATES}
