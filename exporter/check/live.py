"""What ``--config.check.live`` prints: one round, cluster by cluster, the result last; pure."""

from collections import defaultdict
from collections.abc import Iterator

from exporter.check.hints import hint
from exporter.check.round import Round
from exporter.check.text import printable, table
from exporter.snapshot import ClusterState, Unread
from exporter.wording import count, some


def live_lines(found: Round) -> Iterator[str]:
    """Yield what could be read of each cluster, what to do about each failure, and the result."""
    return printable(_lines(found))


def _lines(found: Round) -> Iterator[str]:
    failures = found.failures
    if why := found.discovery_failure:
        yield f"Discovery: failed, {why.reason}."
        failures.insert(0, ("discovery", why))
    elif state := found.discovery:
        yield f"Discovery: {state.selected} of {state.found} clusters selected."
    if found.states:
        heads = ("cluster", "name", "project", "VMs", "snapshots", "result")
        failed_first = sorted(found.states, key=lambda state: state.up)
        yield ""
        yield from table([heads, *map(_row, failed_first)])
        yield ""
    yield from _failures(failures)
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
        yield f"failed: {why.reason}: {some(names)}"
        yield f"  {why.message}"
        yield f"  hint: {hint(why)}"
        yield ""


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
