"""The verdict on the fleet in one sentence, with what is not known; pure."""

from collections.abc import Sequence
from datetime import datetime

from exporter.web.status.values import Verdict
from exporter.web.status.views import ClusterView, DiscoveryView, FleetView
from exporter.web.status.words import exact
from exporter.wording import count


def headline(
    fleet: FleetView,
    clusters: Sequence[ClusterView],
    discovery: DiscoveryView | None,
    named: tuple[int, int],
    started: datetime,
) -> tuple[str, Verdict]:
    """Return the sentence, and the verdict that it gives.

    named: how many snapshots targets name, and how many of those are not restorable.
    started: when the exporter began.
    """
    bad = bool(fleet.vms_not_protected or named[1])
    gaps = [*_unknown_vms(fleet, clusters), *_unread(clusters)]
    gaps += _discovery(discovery, started)
    known = [*_vms(fleet, whole=not gaps), *_named(*named)]
    parts = known + gaps if known or clusters else [*_nothing(discovery), *gaps]
    if not known and not gaps:
        parts = parts or [
            f"No VM is watched: {count(len(clusters), 'cluster')} read, and no VM listed"
        ]
    verdict: Verdict = "not_protected" if bad else "unknown" if gaps or not known else "protected"
    return "; ".join(parts), verdict


def _vms(fleet: FleetView, *, whole: bool) -> list[str]:
    bad, good = fleet.vms_not_protected or 0, fleet.vms_protected or 0
    watched = bad + good + (fleet.vms_unknown or 0)
    if bad:
        is_not = "is not protected" if bad == 1 else "are not protected"
        return [f"{bad:,} of {count(watched, 'VM')} {is_not}"]
    if good:
        every = f"All {count(good, 'VM')}" if whole and good > 1 else f"{count(good, 'VM')}"
        of = "" if good == watched else f" of {watched:,}"
        return [f"{every}{of} {'is' if good == watched == 1 else 'are'} protected"]
    if watched:
        return []  # none of them is known to be protected, which is among the gaps
    exempt = fleet.vms_exempt or 0
    return [f"No VM has to be protected: {count(exempt, 'VM')} exempt"] if exempt else []


def _named(number: int, bad: int) -> list[str]:
    if bad:
        cannot = "cannot be restored"
        return [f"{bad:,} of {count(number, 'named snapshot')} {cannot}"]
    return [f"{count(number, 'named snapshot')} can be restored"] if number else []


def _unknown_vms(fleet: FleetView, clusters: Sequence[ClusterView]) -> list[str]:
    unknown = fleet.vms_unknown or 0
    if not unknown:
        return []
    lost = [each.last_success for each in clusters if each.expired and each.last_success]
    since = f" since {exact(min(lost))}" if lost else ""
    if fleet.vms_not_protected or fleet.vms_protected:
        is_not = "more is not known" if unknown == 1 else "more are not known"
        return [f"{unknown:,} {is_not} to be protected{since}"]
    return [f"None of {count(unknown, 'VM')} is known to be protected{since}"]


def _unread(clusters: Sequence[ClusterView]) -> list[str]:
    never = [each for each in clusters if each.state in ("waiting", "unreadable")]
    if not never:
        return []
    have = "has" if len(never) == 1 else "have"
    return [f"{count(len(never), 'cluster')} {have} never been read"]


def _discovery(discovery: DiscoveryView | None, started: datetime) -> list[str]:
    if discovery is None or discovery.up is not False:
        return []
    return [f"discovery has failed since {exact(discovery.last_success or started)}"]


def _nothing(discovery: DiscoveryView | None) -> list[str]:
    """Say why there is no cluster at all."""
    if discovery is None:
        return ["No VM is watched: this exporter has no cluster to read"]
    if discovery.up is None:
        return ["Nothing is known yet: the first discovery is running"]
    if discovery.up is False:
        return ["Nothing is known"]
    if discovery.clusters:
        found = count(discovery.clusters, "cluster")
        return [f"No VM is watched: discovery selects none of {found} for this exporter"]
    return ["No VM is watched: Palette lists no cluster with virtual machines"]
