"""What a published state is made into: text for scrapes, and a board for people."""

from collections.abc import Generator
from dataclasses import dataclass

from exporter.metrics.exposition import RenderedCluster, Renderer
from exporter.snapshot import ClusterState
from exporter.web.status.board import Board, Boards


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rendered:
    """A cluster's state in both forms."""

    exposition: RenderedCluster
    board: Board


class Rendering:
    """Makes both forms of clusters' states."""

    def __init__(self, exposition: Renderer, boards: Boards) -> None:
        self.objectives = exposition.objectives
        self._exposition = exposition
        self._boards = boards

    def __call__(
        self, state: ClusterState, previous: Rendered | None
    ) -> Generator[None, None, Rendered]:
        """Return both, in steps of some milliseconds between which others may have their turn."""
        text, board = (previous.exposition, previous.board) if previous else (None, None)
        if text and text.objectives != self.objectives:
            # The text knows what to use again; of a board, each row holds its objective.
            board = None
        return Rendered(
            exposition=(yield from self._exposition(state, text)),
            board=(yield from self._boards(state, board)),
        )
