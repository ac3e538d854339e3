"""Problems of a VM's snapshots: failed, lost, late, too many or too old; pure.

Times are seconds since the epoch. A time that is not known never makes a problem disappear.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from exporter.findings.snapshots import (
    LONG_PAST,
    deletion_hangs_since,
    hangs_since,
    lost_since,
    not_ready_since,
)
from exporter.findings.subject import Moment, Subject
from exporter.rollup import data_time, newest_requests
from exporter.snapshot import Snapshot
from exporter.verdict import (
    MISSED_INTERVALS,
    MOST_SNAPSHOTS,
    OLDEST_SNAPSHOT,
    SCHEDULE_STOPPED,
)
from exporter.wording import count, span


class Found(NamedTuple):
    """The fields of a Finding after its severity; since: LONG_PAST if it is not known."""

    since: float
    text: str
    quote: str = ""
    snapshots: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


Since = Callable[[Snapshot], float | None]
Finder = Callable[[Subject, Moment], Found | None]


def _due(snapshots: Sequence[Snapshot], since: Since, now: Moment, text: str) -> Found | None:
    """Return the snapshots for which a time has passed; text: about their number, as ``{}``."""
    due = [(at, each) for each in snapshots if (at := since(each)) is not None and now.reached(at)]
    if not due:
        return None
    due.sort(key=lambda pair: pair[0])
    first = due[0][1]
    quote = first.error.message if first.error else ""
    names = tuple(each.name for _, each in due)
    return Found(due[0][0], text.format(count(len(due), "snapshot")), quote, names)


def _data_lost(subject: Subject, now: Moment) -> Found | None:
    return _due(
        subject.unsettled,
        lambda each: lost_since(each, now),
        now,
        "{} succeeded and can no longer be restored.",
    )


def _last_failed(subject: Subject, now: Moment) -> Found | None:
    if subject.vm is None or not subject.row.last_failed:
        return None
    failed = [each for each in newest_requests(subject.counted) if each.failed]
    return _failures(failed, "The newest snapshot failed.")


def _older_failure(subject: Subject, now: Moment) -> Found | None:
    if not subject.row.failed:
        return None
    newest = newest_requests(subject.counted) if subject.vm else []
    failed = [
        each for each in subject.counted if each.failed and each not in newest and not each.deleting
    ]
    return _failures(failed, f"{count(len(failed), 'older snapshot')} failed.")


def _failures(failed: Sequence[Snapshot], text: str) -> Found | None:
    if not failed:
        return None
    quote = next((each.error.message for each in failed if each.error), "")
    since = min(data_time(each) or LONG_PAST for each in failed)
    return Found(since, text, quote, tuple(each.name for each in failed))


def _schedule_stopped(subject: Subject, now: Moment) -> Found | None:
    if subject.vm is None or subject.row.objective.max_age is not None:
        return None
    scheduled = [each for each in subject.counted if each.scheduled]
    times = [at for each in scheduled if (at := each.requested_at or each.creation_time)]
    if not times:
        text = "The times of the scheduled snapshots are not known."
        return Found(LONG_PAST, text) if scheduled else None
    last = max(times)
    interval = (last - min(times)) / max(1, len(times) - 1)
    due = last + max(MISSED_INTERVALS * interval, SCHEDULE_STOPPED)
    if not now.reached(due):
        return None
    return Found(due, f"The last scheduled snapshot was requested {span(now - last)} ago.")


def _hanging(subject: Subject, now: Moment) -> Found | None:
    return _due(subject.unsettled, hangs_since, now, "{} did not finish in time.")


def _not_ready_yet(subject: Subject, now: Moment) -> Found | None:
    return _due(
        subject.unsettled,
        lambda each: None if lost_since(each, now) is not None else not_ready_since(each),
        now,
        "{} succeeded and did not become ready.",
    )


def _deletion_hangs(subject: Subject, now: Moment) -> Found | None:
    return _due(subject.unsettled, deletion_hangs_since, now, "The deletion of {} hangs.")


def _piling_up(subject: Subject, now: Moment) -> Found | None:
    number, most = subject.row.snapshots, subject.row.objective.max_snapshots or MOST_SNAPSHOTS
    text = f"The VM has {count(number, 'snapshot')}; the limit is {most}."
    return Found(LONG_PAST, text) if number > most else None


def _too_old(subject: Subject, now: Moment) -> Found | None:
    most = subject.row.objective.max_snapshot_age or OLDEST_SNAPSHOT
    # The newest restorable snapshot can be the only one.
    newest = subject.row.newest
    old = [each for each in subject.counted if not each.deleting and each is not newest]

    def since(each: Snapshot) -> float | None:
        taken = data_time(each)
        return None if taken is None else taken + most

    return _due(old, since, now, f"Older than {span(most)}: {{}}.")


FINDERS: dict[str, Finder] = {
    "data_lost": _data_lost,
    "last_failed": _last_failed,
    "older_failure": _older_failure,
    "schedule_stopped": _schedule_stopped,
    "hanging": _hanging,
    "not_ready_yet": _not_ready_yet,
    "deletion_hangs": _deletion_hangs,
    "piling_up": _piling_up,
    "too_old": _too_old,
}
"""The name of a problem -> its function."""
