"""What the status page shows of the fleet; see ``vm_views``."""

from collections.abc import Mapping, Sequence
from typing import Literal

from exporter.web.status.vm_views import ErrorView, Instant, Verdict, View, VmView

Reading = Literal["read", "stale", "unreadable", "waiting"]


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
