"""The published state of every cluster; each is swapped whole."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.snapshot import ClusterState

Text = TypeVar("Text")

Render = Callable[[ClusterState, Text | None], Generator[None, None, Text]]
Expire = Callable[[ClusterState, float], ClusterState]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Published(Generic[Text]):
    """A cluster's state and the text of its series.

    state: what the series show: without what has expired.
    last_known: the same with everything that was read last, however old; for the status page.
    """

    state: ClusterState
    last_known: ClusterState
    text: Text


Rerendered = dict[Published[Text], Text]
"""What is published -> its text from another renderer."""


class Store(Generic[Text]):
    """Holds the published states; nothing in it is changed in place.

    render: returns the text of a state, given the text that it replaces, in steps between which
        other tasks can run.
    expire: removes from a state what was kept too long, at a time on the monotonic clock (seconds).
    """

    def __init__(
        self, *, render: Render[Text], expire: Expire, monotonic: Callable[[], float]
    ) -> None:
        self._render = render
        self._expire = expire
        self._monotonic = monotonic
        self._published: dict[str, Published[Text]] = {}

    def publish(self, state: ClusterState) -> None:
        """Replace the cluster's last state."""
        for _ in self.publishing(state):
            pass

    def publishing(self, state: ClusterState) -> Generator[None, None, None]:
        """Replace the cluster's last state in the last of some steps of milliseconds."""
        render = None
        while render is not self._render:
            # Repeated if a reload has replaced the renderer between two steps.
            render, last = self._render, self._published.get(state.cluster.uid)
            shown = self._current(state)
            text = yield from render(shown, last.text if last else None)
        self._published[state.cluster.uid] = Published(state=shown, last_known=state, text=text)

    def rerendering(self, render: Render[Text]) -> Generator[None, None, Rerendered[Text]]:
        """Return everything that is published, also between two steps, from another renderer."""
        ready: Rerendered[Text] = {}
        while waiting := [each for each in self._published.values() if each not in ready]:
            for published in waiting:
                ready[published] = yield from render(published.state, published.text)
        return ready

    def adopt(
        self,
        *,
        render: Render[Text],
        expire: Expire,
        reschedule: Callable[[ClusterState], ClusterState],
        ready: Rerendered[Text],
    ) -> None:
        """Use another renderer and another expiry for everything, in one step.

        reschedule: updates the time at which a state expires.
        ready: what ``rerendering`` returned for the same renderer.
        """
        self._render, self._expire = render, expire
        for uid, published in tuple(self._published.items()):
            last_known = reschedule(published.last_known)
            if published in ready:
                self._published[uid] = Published(
                    state=reschedule(published.state), last_known=last_known, text=ready[published]
                )
            else:
                self.publish(last_known)

    def get(self, uid: str) -> ClusterState | None:
        """Return a cluster's last known state, None before its first refresh has ended."""
        published = self._published.get(uid)
        return published.last_known if published else None

    def remove(self, uid: str) -> None:
        """Remove a cluster with all its series."""
        self._published.pop(uid, None)

    def view(self) -> tuple[Published[Text], ...]:
        """Return all clusters as they are now, in the order of their uids.

        Series that were kept too long end here: no scrape shows them, even during a refresh.
        """
        for published in tuple(self._published.values()):
            if self._current(published.state) is not published.state:
                self.publish(published.last_known)
        return tuple(self._published[uid] for uid in sorted(self._published))

    def _current(self, state: ClusterState) -> ClusterState:
        """Return the state without what has expired."""
        now = self._monotonic()
        return self._expire(state, now) if state.expires_at <= now else state
