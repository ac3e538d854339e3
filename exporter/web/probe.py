"""Answers /probe: one live fetch for each request, in the formats of /metrics."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from exporter.cooperative import TimeSlices
from exporter.metrics.exposition import Renderer
from exporter.metrics.scrape import probe_exposition
from exporter.refresh.probe import Prober, ProbeRequest, ProbeResult
from exporter.snapshot import Cluster
from exporter.web.handlers import respond
from exporter.web.probe_query import QueryError, parse, time_limit

PATH = "/probe"
TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"

DISABLED = "Probes are disabled. Set probe.enabled to enable them.\n"
FOREIGN = (
    "Unknown cluster_uid. Add the cluster to the configuration, or set probe.allow_unconfigured.\n"
)
OTHER_PROJECT = "project_uid is not the project in which this exporter reads the cluster.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeHandler:
    """Answers the path. A request names what to read, and never where Palette is.

    allow_unconfigured: whether probes can read clusters that are not refreshed here.
    project_uid: the scope of those if the query gives none; "" is the tenant.
    cluster: returns a cluster that is refreshed here; None for any other.
    wall: seconds since the epoch.
    """

    enabled: bool
    allow_unconfigured: bool
    project_uid: str
    cluster: Callable[[str], Cluster | None]
    prober: Prober
    render: Renderer
    wall: Callable[[], float]
    slices: TimeSlices

    async def probe(self, request: web.Request) -> web.StreamResponse:
        """Answer 200 with what was read, and with palette_probe_success 0 if it was not read.

        Raises 400 for an invalid query, 403 for a foreign cluster, 404 if probes are disabled.
        """
        began = time.perf_counter()
        if not self.enabled:
            raise web.HTTPNotFound(text=DISABLED)
        try:
            query = parse([*request.query.items()])
        except QueryError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        wanted = ProbeRequest(
            cluster=self._cluster(query.cluster_uid, query.project_uid),
            namespace=query.namespace,
            vm=query.vm,
            snapshot=query.snapshot,
        )
        within = time_limit(request.headers.getall(TIMEOUT_HEADER, []))
        result = await self.prober.probe(wanted, within)
        took = time.perf_counter() - began
        if query.debug:
            return web.Response(text=_explained(wanted, result, within, took))
        read = await self.slices.run(self.render(result.state, None))
        parts = partial(probe_exposition, read, self.wall(), success=result.success, duration=took)
        return await respond(request, parts, self.slices)

    def _cluster(self, uid: str, project_uid: str) -> Cluster:
        known = self.cluster(uid)
        if known is None:
            if not self.allow_unconfigured:
                raise web.HTTPForbidden(text=FOREIGN)
            return Cluster(uid=uid, name=uid, project_uid=project_uid or self.project_uid)
        # It is read in its own project only, whatever else the credential would open.
        if project_uid not in ("", known.project_uid):
            raise web.HTTPForbidden(text=OTHER_PROJECT)
        return known


def _explained(wanted: ProbeRequest, result: ProbeResult, within: float, took: float) -> str:
    """Return how a probe went and why, one fact a line."""
    cluster, failure, listing = wanted.cluster, result.failure, result.state.listing
    facts = {
        "cluster": f"{cluster.name} ({cluster.uid})",
        "project": cluster.project_uid or "none: the scope is the tenant",
        "namespace": wanted.namespace,
        "vm": wanted.vm,
        "snapshot": wanted.snapshot or "all of the VM",
        "time limit": f"{within:g} s",
        "took": f"{took:.3f} s",
        "requests": result.requests,
        "vm found": "not requested" if listing is None else bool(listing.virtual_machines),
        "snapshots found": len(result.state.snapshots),
        "success": int(result.success),
    }
    if failure:
        facts |= {"reason": failure.reason, "error": failure.message}
    return "".join(f"{name}: {value}\n" for name, value in facts.items())
