"""What ``--config.check.live`` prints: one round, cluster by cluster, the result last; pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from exporter.check.round import Round
from exporter.snapshot import ClusterState, Unread
from exporter.wording import count, printable, some, table

HINTS: Mapping[str, str] = {
    "unauthorized": "Palette refuses the credential. Check that the API key (or user name, "
    "password and org) is complete, has not expired, and belongs to the Palette of palette.url.",
    "forbidden": "The credential is valid, but its roles do not allow this. Give its user the "
    "roles Cluster Viewer and Virtual Machine Viewer in the project, and check project_uid.",
    "not_found": "Check cluster_uid, the project of the cluster (project_uid), and that "
    "palette.url is the URL of Palette.",
    "rate_limited": "Other clients behind this address use the rate limit too. Lower "
    "palette.requests_per_second and palette.burst.",
    "server_error": "Palette failed. It also answers a named snapshot this way if the virtual "
    "machine does not exist: check namespace and vm.",
    "timeout": "No complete answer within palette.timeout. Check firewalls and proxies "
    "(palette.proxy_url), or increase the timeout.",
    "Untrusted": "Set palette.tls.ca_file for a self-hosted Palette, and check that the host of "
    "palette.url is in the certificate and that the certificate has not expired.",
    "TlsFailed": "TLS handshake failed. Check that the port serves HTTPS, use http:// if it does "
    "not, or set palette.tls.cert_file.",
    "Unresolved": "DNS does not know this host. Check palette.url (SPECTROCLOUD_HOST) and "
    "palette.proxy_url, and whether this machine needs a proxy.",
    "Refused": "No server listens on this port. Check the host and port of palette.url "
    "(SPECTROCLOUD_HOST), and that Palette runs.",
    "ProxyFailed": "The proxy refuses or cannot be reached. Check palette.proxy_url, its user and "
    "password, and that it allows the host of Palette.",
    "connection": "The network between this machine and Palette failed. Check the host of "
    "palette.url, routes and firewalls.",
    "invalid_response": "The answer cannot be used. Palette answers like this for a cluster that "
    "is being created or deleted. For others, check palette.url, and whether a proxy answers in "
    "the place of Palette.",
}
"""The reason of a failure, or the kind of a failed connection -> what to do."""


def live_lines(found: Round) -> Iterator[str]:
    """Yield what could be read of each cluster, what to do about each failure, and the result."""
    return printable(_lines(found))


def _lines(found: Round) -> Iterator[str]:
    undiscovered = []
    if why := found.discovery_failure:
        yield f"Discovery: failed, {why.reason}."
        undiscovered = [("discovery", why)]
    elif state := found.discovery:
        yield f"Discovery: {state.selected} of {state.found} clusters selected."
    if found.states:
        heads = ("cluster", "name", "project", "VMs", "snapshots", "result")
        failed_first = sorted(found.states, key=lambda state: state.up)
        yield ""
        yield from table([heads, *map(_row, failed_first)])
    yield from _failures([*undiscovered, *found.failures])
    if found.unmatched or found.unreadable:
        yield ""
    for sentence in found.unmatched:
        yield f"failed: {sentence}"
    yield from unreadable_lines(found)
    yield ""
    yield _result(found)


def unreadable_lines(found: Round) -> Iterator[str]:
    """Yield a warning with the first values that could not be read."""
    if found.unreadable:
        yield f"warning: {count(len(found.unreadable), 'value')} could not be read:"
        yield from (f"  {each}" for each in found.unreadable[:3])


def _row(state: ClusterState) -> tuple[str, ...]:
    cluster, listing = state.cluster, state.listing
    return (
        cluster.uid,
        cluster.name,
        cluster.project_uid or "(tenant)",
        f"{len(listing.virtual_machines):,}" if listing else "-",
        f"{len(state.snapshots):,}" if state.up else "-",
        "ok" if state.up else _why(state),
    )


def _why(state: ClusterState) -> str:
    reason = state.last_failure[0].reason if state.last_failure else "failed"
    unusual = state.cluster.state not in {"", "Running"}
    return f"{reason} ({state.cluster.state})" if unusual else reason


def _failures(failures: list[tuple[str, Unread]]) -> Iterator[str]:
    """Yield each kind of failure once, with its first message and the clusters that have it."""
    kinds: defaultdict[tuple[str, str], list[tuple[str, Unread]]] = defaultdict(list)
    for name, why in failures:
        kinds[why.reason, why.kind].append((name, why))
    for alike in kinds.values():
        names, (_, why) = [name for name, _ in alike], alike[0]
        yield ""
        yield f"failed: {why.reason}: {some(names)}"
        yield f"  {why.message}"
        yield f"  hint: {hint(why)}"


def _result(found: Round) -> str:
    requests = f"({count(found.requests, 'request')})"
    if found.complete:
        what = (
            "other shards read all clusters" if found.is_idle_shard else "everything could be read"
        )
        return f"Result: {what} {requests}."
    failed, missing = len(found.failures), len(found.unmatched)
    reasons = {
        "discovery failed": found.discovery_failure,
        f"{failed} of {count(len(found.states), 'cluster')} not read": failed,
        f"{missing} without a match": missing,
    }
    return f"Result: failed: {', '.join(key for key in reasons if reasons[key])} {requests}."


def hint(why: Unread) -> str:
    """Return what to do about a failure, by its kind, or by its reason if the kind has no hint."""
    return HINTS.get(why.kind) or HINTS[why.reason]
