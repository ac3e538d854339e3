"""What the status page shows of virtual machines and their snapshots.

Frozen values, which the HTML and the JSON both render: field names are the keys of the JSON, and
the OpenAPI document is made from these types. None is what is not known: ``null`` in JSON,
"unknown" on the page.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

Instant = Annotated[datetime, Meta(tz=True, extra_json_schema={"format": "date-time"})]
"""In UTC, to the second; RFC 3339 in JSON."""

Verdict = Literal["protected", "not_protected", "unknown", "exempt"]
Severity = Literal["critical", "warning", "info"]


class View(Struct, frozen=True, kw_only=True):
    """A value that JSON shows as an object with the same keys."""


class ErrorView(View, frozen=True, kw_only=True):
    """Why something failed. reason: as in the metrics; message: from Palette or the network."""

    reason: str
    meaning: str
    message: str
    time: Instant | None


class ProblemView(View, frozen=True, kw_only=True):
    """A problem of a VM. since: null where it is not known; runbook: a path below the page."""

    problem: str
    title: str
    severity: Severity
    since: Instant | None
    text: str
    quote: str
    runbook: str


class ObjectiveView(View, frozen=True, kw_only=True):
    """What the configuration promises of a VM; null where it promises nothing of that kind."""

    exempt: bool
    max_age_seconds: float | None
    min_snapshots: int | None
    max_snapshots: int | None
    max_snapshot_age_seconds: float | None
    quiesced: bool


class VmView(View, frozen=True, kw_only=True):
    """A virtual machine, or snapshots without one.

    verdict: unknown where its data is too old or incomplete; exempt VMs need no snapshots.
    reasons: of the verdict, most of them problems.
    listed: it is in the VM list; orphaned: the VM list was read, and it is not in it.
    as_of: when it was read last; stale: not by the last refresh.
    last_restorable: the recovery point, as ``recovery_point``.
    """

    cluster_uid: str
    cluster_name: str
    namespace: str
    vm: str
    owner: str | None
    path: str | None
    listed: bool
    orphaned: bool
    status: str
    verdict: Verdict
    reasons: Sequence[str]
    problems: Sequence[ProblemView]
    as_of: Instant | None
    stale: bool
    snapshots: int
    snapshots_ready: int
    snapshots_restorable: int
    snapshots_failed: int
    recovery_point: Instant | None
    last_restorable: Instant | None
    recovery_point_age_seconds: float | None
    objective_seconds: float | None
    objective_missed_by_seconds: float | None
    objective: ObjectiveView | None
    unprotected_volumes: Mapping[str, Sequence[str]] | None


class SnapshotErrorView(View, frozen=True, kw_only=True):
    """The last error of a snapshot; it can be old."""

    message: str
    time: Instant | None


class ConditionView(View, frozen=True, kw_only=True):
    """A condition of a snapshot."""

    type: str
    status: str
    reason: str
    since: Instant | None


class SnapshotView(View, frozen=True, kw_only=True):
    """A snapshot. state: one word for how far it has come; volumes are null while unknown."""

    name: str
    uid: str
    state: str
    phase: str | None
    ready: bool
    restorable: bool
    scheduled: bool
    content: str
    deletion_policy: str
    failure_deadline_seconds: float | None
    requested: Instant | None
    taken: Instant | None
    deletion_requested: Instant | None
    conditions: Sequence[ConditionView]
    error: SnapshotErrorView | None
    indications: Sequence[str]
    included_volumes: Sequence[str] | None
    excluded_volumes: Sequence[str] | None


class NamedSnapshotView(View, frozen=True, kw_only=True):
    """A snapshot that a target names.

    read: by the last refresh; known: some state of it is shown.
    missing: Palette says that it does not exist.
    """

    name: str
    read: bool
    known: bool
    missing: bool
    error: ErrorView | None


class VmDetailView(VmView, frozen=True, kw_only=True):
    """A virtual machine with all of its snapshots, the newest first."""

    time: Instant
    uid: str
    created: Instant | None
    unsnapshottable_volumes: Sequence[str]
    named_snapshots: Sequence[NamedSnapshotView]
    snapshot_list: Sequence[SnapshotView]
