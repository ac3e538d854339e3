"""Answers /probe: one live fetch for each request, in the formats of /metrics."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from exporter.cooperative import TimeSlices
from exporter.metrics.exposition import Renderer
from exporter.metrics.scrape import probe_exposition
from exporter.refresh.probe import Prober, ProbeRequest, ProbeResult
from exporter.snapshot import Cluster
from exporter.web.handlers import respond

PATH = "/probe"
TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"

REQUIRED = ("cluster_uid", "namespace", "vm")
PARAMETERS = (*REQUIRED, "snapshot", "project_uid", "debug")

LONGEST_NAME = 253  # characters; Kubernetes' longest names have as many

# Seconds.
RESERVE = 0.5  # of a scrape's timeout, left for the network
LEAST = 0.1  # that a probe takes, where the reserve would be the whole timeout
DEFAULT_TIMEOUT = 10.0  # Prometheus' own, for clients that send no timeout
LONGEST_TIMEOUT = 120.0  # of any probe

FAULTS = {
    r"": "not be empty.",
    rf".{{{LONGEST_NAME + 1},}}": f"have at most {LONGEST_NAME} characters.",
    r"\.\.?": "be a name, not '.' or '..'.",
    # A proxy in between that normalises paths would turn these into a path to another object.
    r".*[/\\%].*": "have no '/', '\\' or '%'.",
    r".*[\x00-\x1f\x7f-\x9f\ud800-\udfff].*": "have no control characters.",
}
"""Pattern of a whole value -> what the parameter should be instead."""


class QueryError(ValueError):
    """An invalid query; the message repeats nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeQuery:
    """A valid query; "" for what it leaves out. debug: whether the answer explains itself."""

    cluster_uid: str
    namespace: str
    vm: str
    snapshot: str = ""
    project_uid: str = ""
    debug: bool = False


def parse(query: Sequence[tuple[str, str]]) -> ProbeQuery:
    """Return the query of decoded names and values. Raises QueryError."""
    _check_names([name for name, _ in query])
    values = dict(query)
    for name, value in values.items():
        for pattern, fault in FAULTS.items():
            if re.fullmatch(pattern, value, re.DOTALL):
                raise QueryError(f"{name} should {fault}")
    for name in ("namespace", "vm"):
        # The list calls separate names by commas.
        if "," in values[name] and "snapshot" not in values:
            raise QueryError(f"{name} should have no comma, unless snapshot is given.")
    if not re.fullmatch(r"[\x21-\x7e]+", values.get("project_uid", "none")):
        raise QueryError("project_uid should be printable ASCII without spaces.")
    debug = values.pop("debug", "false")
    if debug not in ("true", "false"):
        raise QueryError("debug should be true or false.")
    return ProbeQuery(**values, debug=debug == "true")


def _check_names(names: Sequence[str]) -> None:
    if not {*names} <= {*PARAMETERS}:
        raise QueryError(f"Unknown parameter. The parameters are {', '.join(PARAMETERS)}.")
    for name in PARAMETERS:
        if names.count(name) > 1:
            raise QueryError(f"{name} should be given once.")
        if name in REQUIRED and name not in names:
            raise QueryError(f"{name} is missing; a probe needs {', '.join(REQUIRED)}.")


def time_limit(headers: Sequence[str]) -> float:
    """Return for how many seconds a probe can read, by X-Prometheus-Scrape-Timeout-Seconds.

    headers: its values; if it is missing, repeated or not a number, the default counts.
    """
    said = headers[0].strip() if len(headers) == 1 else ""
    timeout = float(said) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", said) else 0.0
    timeout = min(timeout or DEFAULT_TIMEOUT, LONGEST_TIMEOUT)
    return max(timeout - RESERVE, min(LEAST, timeout / 2))


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
            raise web.HTTPNotFound(text="Probes are disabled. Set probe.enabled to enable them.\n")
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
        found = result.failure is None
        parts = partial(probe_exposition, read, self.wall(), success=found, duration=took)
        return await respond(request, parts, self.slices)

    def _cluster(self, uid: str, project_uid: str) -> Cluster:
        known = self.cluster(uid)
        if known is None:
            if not self.allow_unconfigured:
                raise web.HTTPForbidden(
                    text="Unknown cluster_uid. Add the cluster to the configuration, or set "
                    "probe.allow_unconfigured.\n"
                )
            return Cluster(uid=uid, name=uid, project_uid=project_uid or self.project_uid)
        # It is read in its own project only, whatever else the credential would open.
        if project_uid not in ("", known.project_uid):
            raise web.HTTPForbidden(
                text="project_uid is not the project in which this exporter reads the cluster.\n"
            )
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
        "success": int(failure is None),
    }
    if failure:
        facts |= {"reason": failure.reason, "error": failure.message}
    return "".join(f"{name}: {value}\n" for name, value in facts.items())
