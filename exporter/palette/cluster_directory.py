"""The clusters that Palette's dashboard lists, by the scope that was asked."""

import asyncio
from collections.abc import Callable

import structlog

from exporter.palette.client import Palette
from exporter.palette.errors import PaletteError
from exporter.snapshot import Cluster

log = structlog.get_logger()


class ClusterDirectory:
    """Asks the dashboard once for all loops, one request per scope at a time.

    clock: seconds.
    ask_again_after: seconds after which a name that is still unknown is asked for again.
    """

    def __init__(
        self, palette: Palette, *, clock: Callable[[], float], ask_again_after: float
    ) -> None:
        self._palette = palette
        self._clock = clock
        self._ask_again_after = ask_again_after
        self._known: dict[str, dict[str, Cluster]] = {}
        self._ask_again_at: dict[str, float] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def ask(self, project_uid: str, *, retry_for: float) -> tuple[Cluster, ...]:
        """Return all clusters of a scope ("": the tenant) as they are now; each uid once.

        Raises PaletteError.
        """
        async with self._turn(project_uid):
            return tuple((await self._ask(project_uid, retry_for)).values())

    async def find(self, uid: str, project_uid: str) -> Cluster | None:
        """Return what is known of a cluster; None where it is not listed, or nobody answers."""
        async with self._turn(project_uid):
            known = self._known.get(project_uid, {})
            if uid not in known and self._clock() >= self._ask_again_at.get(project_uid, 0.0):
                self._ask_again_at[project_uid] = self._clock() + self._ask_again_after
                try:
                    known = await self._ask(project_uid, retry_for=0)
                except PaletteError as error:
                    log.debug("cluster names unknown", reason=error.reason, error=str(error))
        return known.get(uid)

    def _turn(self, project_uid: str) -> asyncio.Lock:
        return self._turns.setdefault(project_uid, asyncio.Lock())

    async def _ask(self, project_uid: str, retry_for: float) -> dict[str, Cluster]:
        found = await self._palette.clusters(project_uid=project_uid or None, retry_for=retry_for)
        self._known[project_uid] = {cluster.uid: cluster for cluster in found}
        return self._known[project_uid]
