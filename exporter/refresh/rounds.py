"""What is logged of the rounds over all clusters: changes, and how a long first one goes."""

from collections.abc import Sequence

import structlog

TELL_EVERY = 10.0
"""Seconds between two lines on how the first round goes."""

NAMED = 10
"""How many clusters a line names before it only counts them."""

log = structlog.get_logger()


class RoundNews:
    """Logs which clusters are watched, what a round takes, and when that changes.

    interval: seconds from one refresh to the next; rate: requests per second.
    complete: whether the first round is.
    """

    def __init__(self, *, interval: float, rate: float) -> None:
        self.complete = False
        self._interval = interval
        self._rate = rate
        self._stretched = False

    def adopt(self, *, interval: float, rate: float) -> None:
        """Compare rounds with another interval and rate."""
        self._interval, self._rate = interval, rate

    def watching(self, found: Sequence[str], gone: Sequence[str]) -> None:
        """Tell which clusters come and go, by their names."""
        if found:
            log.info("watching clusters", count=len(found), names=_some(found))
        if gone:
            log.info("no longer watching clusters", count=len(gone), names=_some(gone))

    def plan(self, *, clusters: int, requests: int) -> None:
        """Tell what a round takes."""
        log.info(
            "plan",
            clusters=clusters,
            requests_per_refresh=requests,
            seconds_at_configured_rate=round(requests / self._rate, 2),
        )

    def progress(self, *, clusters: int, waiting_for: Sequence[str]) -> None:
        """Tell how far the first round is."""
        if waiting_for:
            read = f"read {clusters - len(waiting_for)} of {clusters} clusters"
            log.info(read, waiting_for=_some(waiting_for))

    def first_round_ended(self, *, clusters: int, requests: int) -> None:
        """Tell that each cluster's first refresh has ended, well or badly."""
        self.complete = True
        log.info("first round complete", clusters=clusters, requests=requests)

    def takes(self, seconds: float) -> None:
        """Tell when a round comes to take longer than the interval, and when it fits again."""
        stretched = seconds > self._interval
        if stretched and not self._stretched:
            log.warning(
                "a round takes longer than the refresh interval and is stretched",
                round_seconds=round(seconds, 1),
                interval_seconds=self._interval,
            )
        elif self._stretched and not stretched:
            log.info("a round fits into the refresh interval again")
        self._stretched = stretched


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
