"""The one word for how far a snapshot has come, at a moment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from exporter.snapshot import Snapshot
from exporter.web.status.machine import hangs_from, in_progress, lost_from, without_disks

Tone = Literal["good", "bad", "warning", "quiet"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """A word for a snapshot. applies: to a snapshot, at an instant."""

    key: str
    title: str
    tone: Tone
    applies: Callable[[Snapshot, float], bool]


def _is_past(instant: float | None, now: float) -> bool:
    return instant is not None and instant <= now


STAGES = (
    Stage(
        key="deleting",
        title="Being deleted",
        tone="quiet",
        applies=lambda snapshot, _: snapshot.deleting,
    ),
    Stage(key="failed", title="Failed", tone="bad", applies=lambda snapshot, _: snapshot.failed),
    Stage(
        key="lost",
        title="Data lost",
        tone="bad",
        applies=lambda snapshot, now: _is_past(lost_from(snapshot), now),
    ),
    Stage(
        key="without_disks",
        title="Ready, without disks",
        tone="warning",
        applies=lambda snapshot, _: without_disks(snapshot),
    ),
    Stage(
        key="ready",
        title="Ready",
        tone="good",
        applies=lambda snapshot, _: snapshot.ready_to_use,
    ),
    Stage(
        key="succeeded",
        title="Succeeded, not ready",
        tone="quiet",
        applies=lambda snapshot, _: snapshot.phase == "Succeeded",
    ),
    Stage(
        key="hanging",
        title="Hangs",
        tone="warning",
        applies=lambda snapshot, now: _is_past(hangs_from(snapshot), now),
    ),
    Stage(
        key="in_progress",
        title="In progress",
        tone="quiet",
        applies=lambda snapshot, _: in_progress(snapshot),
    ),
    Stage(key="unknown", title="Unknown phase", tone="warning", applies=lambda *_: True),
)
"""The first that applies counts."""


def stage(snapshot: Snapshot, now: float) -> Stage:
    """Return how far a snapshot has come."""
    return next(each for each in STAGES if each.applies(snapshot, now))
