"""What ``--report`` prints: one row for each virtual machine, and a summary; pure."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from exporter.check.live import unreadable_lines
from exporter.check.round import Round
from exporter.findings import findings, is_current, judge
from exporter.findings.subject import Moment, Subject, subjects
from exporter.snapshot import ClusterState
from exporter.verdict import Verdict
from exporter.wording import count, printable, table

WORST_FIRST = (Verdict.NOT_PROTECTED, Verdict.UNKNOWN, Verdict.PROTECTED, Verdict.EXEMPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One virtual machine. The names are the columns of the CSV and the keys of the JSON.

    vm: "" in the row of a cluster that could not be read, of which no virtual machine is known.
    owner: "" where it is not known. reasons: why the verdict is what it is.
    problems: all problems, the worst first. recovery_point: RFC 3339; None where it is not known.
    """

    cluster: str
    cluster_uid: str
    namespace: str = ""
    vm: str = ""
    owner: str = ""
    verdict: Verdict = Verdict.UNKNOWN
    reasons: tuple[str, ...] = ()
    recovery_point: str | None = None
    recovery_point_age_seconds: int | None = None
    objective_seconds: int | None = None
    snapshots: int | None = None
    restorable_snapshots: int | None = None
    unprotected_volumes: tuple[str, ...] | None = None
    problems: tuple[str, ...] = ()


COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The rows of a round, the worst first, and what they amount to."""

    found: Round
    rows: Sequence[Row]

    @property
    def vms(self) -> list[Row]:
        """The rows of virtual machines."""
        return [row for row in self.rows if row.vm]

    @property
    def good(self) -> bool:
        """Whether every VM that is not exempt is protected, and everything could be read."""
        known = {row.verdict for row in self.rows} <= {Verdict.PROTECTED, Verdict.EXEMPT}
        return known and self.found.complete and not self.found.unreadable

    @property
    def summary(self) -> dict[str, Any]:
        """What the rows amount to, as the JSON has it."""
        counts = Counter(row.verdict for row in self.vms)
        undiscovered = self.found.discovery_failure
        return {
            "time": _time(self.found.now),
            "complete": self.found.complete and not self.found.unreadable,
            "all_protected": self.good,
            "clusters": len(self.found.clusters),
            "unread_clusters": sum(not state.up for state in self.found.states),
            "vms": len(self.vms),
            **{verdict.value: counts[verdict] for verdict in Verdict},
            "vms_without_max_age": sum(
                row.objective_seconds is None and row.verdict != Verdict.EXEMPT for row in self.vms
            ),
            "unreadable_values": list(self.found.unreadable),
            "discovery_error": undiscovered.message if undiscovered else None,
            "failures": [
                {"what": name, "reason": why.reason, "error": why.message}
                for name, why in self.found.failures
            ],
            "without_match": self.found.unmatched,
        }


def report(found: Round, owner_label: str | None) -> Report:
    """Return the report of a round.

    owner_label: the label of virtual machines that names their owner.
    """
    rows = [row for state in found.states for row in _rows(state, found, owner_label)]
    return Report(found=found, rows=sorted(rows, key=_rank))


def _rank(row: Row) -> tuple[object, ...]:
    age = row.recovery_point_age_seconds
    oldest_first = -math.inf if age is None else -age
    where = (row.cluster, row.namespace, row.vm)
    return WORST_FIRST.index(row.verdict), -len(row.reasons), oldest_first, where


def _rows(state: ClusterState, found: Round, owner_label: str | None) -> Iterator[Row]:
    cluster = state.cluster
    if not state.up:
        yield Row(cluster=cluster.name, cluster_uid=cluster.uid, reasons=("cluster_unread",))
    current = is_current(state, found.now)
    for subject in subjects(state, found.objectives):
        if not subject.orphan:
            yield _row(subject, owner_label, Moment(found.now), current=current)


def _row(subject: Subject, owner_label: str | None, now: Moment, *, current: bool) -> Row:
    verdict, reasons = judge(subject, now, current=current)
    row, point, objective = subject.row, subject.row.recovery_point, subject.row.objective.max_age
    return Row(
        cluster=subject.cluster.name,
        cluster_uid=subject.cluster.uid,
        namespace=subject.namespace,
        vm=subject.name,
        owner=row.vm.owner(owner_label) or "",
        verdict=verdict,
        reasons=reasons,
        recovery_point=None if point is None else _time(point),
        recovery_point_age_seconds=None if point is None else max(0, round(now - point)),
        objective_seconds=None if objective is None else round(objective),
        snapshots=row.snapshots,
        restorable_snapshots=row.restorable,
        unprotected_volumes=row.unprotected.names if row.unprotected else None,
        problems=tuple(each.problem.name for each in findings(subject, now)),
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_json(found: Report) -> Iterator[str]:
    """Yield the report as JSON."""
    vms = [asdict(row) for row in found.vms]
    yield json.dumps({"summary": found.summary, "vms": vms}, indent=2)


def as_csv(found: Report) -> Iterator[str]:
    """Yield the rows as CSV. A cluster that could not be read has a row without ``vm``."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([_cell(getattr(row, name)) for name in COLUMNS] for row in found.rows)
    yield text.getvalue().rstrip("\n")


def _cell(value: Any) -> Any:
    return " ".join(value) if isinstance(value, tuple) else value


def as_text(found: Report) -> Iterator[str]:
    """Yield a table, the worst first, and the summary at the end."""
    heads = ("verdict", "cluster", "virtual machine", "owner", "newest", "objective", "why")
    rows = table([heads, *map(_text_row, found.rows)]) if found.rows else ()
    return printable((*rows, "", *_summary_lines(found)))


def _text_row(row: Row) -> tuple[str, ...]:
    return (
        row.verdict.replace("_", " "),
        row.cluster,
        f"{row.namespace}/{row.vm}" if row.vm else "(all)",
        row.owner or "-",
        _span(row.recovery_point_age_seconds),
        _span(row.objective_seconds),
        ", ".join(row.reasons or row.problems) or "-",
    )


def _span(seconds: float | None) -> str:
    """Return a duration in the largest unit that leaves three: ``45m``, ``26h``, ``8d``."""
    if seconds is None:
        return "-"
    unit, size = next((each for each in _UNITS if seconds >= 3 * each[1]), _UNITS[-1])
    return f"{seconds / size:.3g}{unit}"


_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


def _summary_lines(found: Report) -> Iterator[str]:
    summary = found.summary
    counts = ", ".join(f"{summary[each.value]:,} {each.replace('_', ' ')}" for each in WORST_FIRST)
    yield f"{count(summary['vms'], 'virtual machine')}: {counts}."
    if summary["vms_without_max_age"]:
        vms = count(summary["vms_without_max_age"], "virtual machine")
        yield f"{vms} without an objective for max_age: a snapshot of any age protects."
    if summary["discovery_error"]:
        yield f"Discovery failed: {summary['discovery_error']}"
    if summary["unread_clusters"]:
        yield (
            f"{summary['unread_clusters']:,} of {count(summary['clusters'], 'cluster')} could "
            "not be read. Their virtual machines are not counted."
        )
    for each in summary["failures"]:
        yield f"  {each['what']}: {each['reason']}"
    yield from summary["without_match"]
    yield from unreadable_lines(found.found)
    verdict = "every virtual machine is protected" if found.good else "not everything is protected"
    yield f"Result: {verdict}."


FORMATS = {"text": as_text, "json": as_json, "csv": as_csv}
"""The value of ``--report`` -> what prints it."""
