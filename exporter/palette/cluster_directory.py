"""The clusters that Palette's dashboard lists, by project."""

import math
from collections.abc import Callable
from dataclasses import replace

import structlog

from exporter.palette.client import Palette
from exporter.palette.errors import PaletteError
from exporter.single_flight import SingleFlight
from exporter.snapshot import Cluster

log = structlog.get_logger()


class ClusterDirectory:
    """Reads the dashboard once for all loops that need it at the same time; clock: seconds."""

    def __init__(self, palette: Palette, clock: Callable[[], float]) -> None:
        self._palette = palette
        self._clock = clock
        self._known: dict[str, dict[str, Cluster]] = {}
        self._asked_at: dict[str, float] = {}
        self._single_flight: SingleFlight[str, dict[str, Cluster]] = SingleFlight()

    async def ask(self, project_uid: str, *, retry_for: float) -> tuple[Cluster, ...]:
        """Return all clusters of a project ("": the tenant) as they are now; each uid once.

        Raises PaletteError.
        """
        return tuple((await self._read(project_uid, retry_for)).values())

    async def find(self, uid: str, project_uid: str, *, not_within: float) -> Cluster | None:
        """Return a cluster; None if it is not listed, or the dashboard cannot be read.

        not_within: seconds after a request in which an unknown name causes no other one.
        """
        known = self._known.get(project_uid, {})
        asked_at = self._asked_at.get(project_uid, -math.inf)
        if uid not in known and self._clock() >= asked_at + not_within:
            try:
                known = await self._read(project_uid, retry_for=0)
            except PaletteError as error:
                log.debug("cluster names unknown", reason=error.reason, error=str(error))
        return known.get(uid)

    async def _read(self, project_uid: str, retry_for: float) -> dict[str, Cluster]:
        async def read() -> dict[str, Cluster]:
            palette = replace(self._palette, project_uid=project_uid, retry_for=retry_for)
            try:
                found = await palette.clusters()
            finally:
                self._asked_at[project_uid] = self._clock()
            self._known[project_uid] = {cluster.uid: cluster for cluster in found}
            return self._known[project_uid]

        return await self._single_flight.do(project_uid, read)
