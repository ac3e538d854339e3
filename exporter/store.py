"""The published state of every cluster; each is swapped whole."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.snapshot import ClusterState

Text = TypeVar("Text")


Render = Callable[[ClusterState, Text | None], Generator[None, None, Text]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published(Generic[Text]):
    """A cluster's state and the text of its series.

    state: what the series show: without what has expired.
    last_known: the same with everything that was read last, however old; for the status page.
    """

    state: ClusterState
    last_known: ClusterState
    text: Text


Aside = dict[str, tuple[Published[Text], Text]]
"""The uid of a cluster -> what is published of it, and that rendered otherwise."""


class Store(Generic[Text]):
    """Holds what scrapes are answered from; nothing in it is ever changed in place.

    render: makes text of a state, given the text that it replaces, in steps between which others
        may have their turn.
    expire: takes out of a state what has been kept too long; the time is in seconds on the
        monotonic clock.
    """

    def __init__(
        self,
        *,
        render: Render[Text],
        expire: Callable[[ClusterState, float], ClusterState],
        monotonic: Callable[[], float],
    ) -> None:
        self._render = render
        self._expire = expire
        self._monotonic = monotonic
        self._published: dict[str, Published[Text]] = {}

    def publish(self, state: ClusterState) -> None:
        """Put a state in the place of the cluster's last one."""
        for _ in self.publishing(state):
            pass

    def publishing(self, state: ClusterState) -> Generator[None, None, None]:
        """Do the same in steps of some milliseconds; nothing is seen of it before the last."""
        render = None
        while render is not self._render:
            # In the meantime, others may have been told to render otherwise.
            render, last = self._render, self._published.get(state.cluster.uid)
            shown = self._current(state)
            text = yield from render(shown, last.text if last else None)
        self._published[state.cluster.uid] = Published(state=shown, last_known=state, text=text)

    def rendering(self, render: Render[Text]) -> Generator[None, None, Aside[Text]]:
        """Render aside, in steps, all that is published, and what is published meanwhile."""
        ready: Aside[Text] = {}
        while stale := [
            (uid, published)
            for uid, published in self._published.items()
            if uid not in ready or ready[uid][0] is not published
        ]:
            for uid, published in stale:
                text = yield from render(published.state, published.text)
                ready[uid] = (published, text)
        return ready

    def adopt(
        self,
        *,
        render: Render[Text],
        expire: Callable[[ClusterState, float], ClusterState],
        reschedule: Callable[[ClusterState], ClusterState],
        ready: Aside[Text],
    ) -> None:
        """Render and expire otherwise from now on, and show all that is published that way.

        reschedule: sets anew when a state expires.
        ready: what ``rendering`` made, with the same render.
        """
        same, self._render, self._expire = render is self._render, render, expire
        for uid, published in tuple(self._published.items()):
            state, last_known = reschedule(published.state), reschedule(published.last_known)
            source, text = ready.get(uid, (None, published.text))
            if same or source is published:
                self._published[uid] = Published(state=state, last_known=last_known, text=text)
            else:
                self.publish(last_known)

    def get(self, uid: str) -> ClusterState | None:
        """Return a cluster's last known state, None before its first refresh has ended."""
        published = self._published.get(uid)
        return published.last_known if published else None

    def remove(self, uid: str) -> None:
        """Forget a cluster with all its series."""
        self._published.pop(uid, None)

    def view(self) -> tuple[Published[Text], ...]:
        """Return all clusters as they are now, in the order of their uids.

        The series of what has been kept too long end here, so that no scrape shows them even while
        a refresh is running.
        """
        now = self._monotonic()
        for published in tuple(self._published.values()):
            expires_at = published.state.expires_at
            if expires_at is not None and expires_at <= now:
                self.publish(published.last_known)
        return tuple(self._published[uid] for uid in sorted(self._published))

    def _current(self, state: ClusterState) -> ClusterState:
        """Return the state without what has expired."""
        now = self._monotonic()
        expired = state.expires_at is not None and state.expires_at <= now
        return self._expire(state, now) if expired else state
