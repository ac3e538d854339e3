"""What the status page shows: frozen values, which the HTML and the JSON both render.

Field names are the keys of the JSON, and the OpenAPI document is made from these types. None is
what is not known: ``null`` in JSON, "unknown" on the page.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

Instant = Annotated[datetime, Meta(tz=True, extra_json_schema={"format": "date-time"})]
"""In UTC, to the second; RFC 3339 in JSON."""

Reading = Literal["read", "stale", "unreadable", "waiting"]
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


class DiscoveryView(View, frozen=True, kw_only=True):
    """How discovery stands. up: null before the first attempt has ended.

    clusters, clusters_selected: as listed by the last attempt that succeeded.
    """

    up: bool | None
    last_success: Instant | None
    last_error: ErrorView | None
    clusters: int | None
    clusters_selected: int | None


class ExporterView(View, frozen=True, kw_only=True):
    """How the exporter itself stands.

    started: when this process began; reload_error: why the last reload was refused, or null.
    round_seconds, interval_seconds: how long one round takes by plan, and how long it should.
    rate_in_use: part of the configured rate of requests; below 1 after Palette answered 429.
    """

    version: str
    started: Instant
    shard: int
    shards: int
    reload_error: str | None
    round_seconds: float
    interval_seconds: float
    rate_in_use: float


class VmCounts(View, frozen=True, kw_only=True):
    """How many VMs there are of each verdict."""

    vms: int | None
    vms_protected: int | None
    vms_not_protected: int | None
    vms_unknown: int | None
    vms_exempt: int | None


class ClusterView(VmCounts, frozen=True, kw_only=True):
    """A cluster. palette_state: as Palette's dashboard calls it.

    state: read, stale (the last refresh failed; older data is shown), unreadable (nothing was ever
    read) or waiting (for its first refresh).
    expired: the data is too old to count. It has no series any more, and its VMs are unknown.
    """

    uid: str
    name: str
    project_uid: str
    cloud_type: str
    palette_state: str
    state: Reading
    expired: bool
    last_refresh: Instant | None
    last_success: Instant | None
    data_age_seconds: float | None
    refresh_duration_seconds: float | None
    requests: int | None
    last_error: ErrorView | None
    snapshots: int | None

    @property
    def at_risk(self) -> int:
        """VMs that are not known to be protected and not exempt."""
        return (self.vms_not_protected or 0) + (self.vms_unknown or 0)

    @property
    def reason(self) -> str:
        """Why it is not read, in one sentence; "" while it is."""
        if self.state == "read":
            return ""
        return self.last_error.meaning if self.last_error else "Its first refresh is running."


class ChangeView(View, frozen=True, kw_only=True):
    """What began within so many seconds.

    vms_with_new_problem: with a critical problem or a warning; null if no cluster was read since.
    clusters_unknown: not read within that time.
    """

    within_seconds: float
    vms_with_new_problem: int | None
    vms_with_new_recovery_point: int | None
    clusters_lost: int
    clusters_unknown: int


class FleetView(VmCounts, frozen=True, kw_only=True):
    """Numbers of the whole fleet, whatever the filter.

    clusters_read: of those, the last refresh succeeded; clusters_never_read: no data at all.
    problems: how many VMs have each problem.
    """

    clusters: int
    clusters_read: int
    clusters_stale: int
    clusters_never_read: int
    vms_without_restorable_snapshot: int | None
    objectives_missed: int | None
    snapshots: int | None
    snapshots_ready: int | None
    snapshots_restorable: int | None
    snapshots_failed: int | None
    problems: Mapping[str, int] | None

    @property
    def by_state(self) -> dict[str, int | None]:
        """The number of VMs for each verdict, and for each problem that some VM has."""
        return {
            "not_protected": self.vms_not_protected,
            "unknown": self.vms_unknown,
            "protected": self.vms_protected,
            "exempt": self.vms_exempt,
            **(self.problems or {}),
        }


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


class PageView(View, frozen=True, kw_only=True):
    """Which part of a list is shown. number: of the page, from 1; items: of all pages."""

    number: int
    pages: int
    items: int
    size: int

    @classmethod
    def of(cls, items: int, number: int, size: int) -> "PageView":
        """Return the page of that number, the last one where there are fewer."""
        pages = max(1, -(-items // size))
        return cls(number=min(number, pages), pages=pages, items=items, size=size)

    @property
    def slice(self) -> slice:
        """Which of the items are on the page."""
        return slice((self.number - 1) * self.size, self.number * self.size)


class StatusView(View, frozen=True, kw_only=True):
    """The status page. headline: the verdict in one sentence, with what is not known.

    verdict: of the fleet: unknown as soon as anything is; notes: what a filter did not find.
    vms: those on the page.
    """

    time: Instant
    version: str
    ready: bool
    headline: str
    verdict: Verdict
    exporter: ExporterView
    discovery: DiscoveryView | None
    fleet: FleetView
    changes: Sequence[ChangeView]
    clusters: Sequence[ClusterView]
    filter: Mapping[str, str]
    notes: Sequence[str]
    page: PageView
    vms: Sequence[VmView]
