"""What ``--config.check.live`` prints: one round, cluster by cluster, the result last; pure."""

from collections import defaultdict
from collections.abc import Iterator

from exporter.check.hints import hint
from exporter.check.round import Round
from exporter.check.text import printable, table
from exporter.snapshot import ClusterState, Unread
from exporter.wording import count, some

ROWS = 20
"""Clusters without a failure that are listed; more would hide those with one."""


def live_lines(found: Round) -> Iterator[str]:
    """Yield what could be read of each cluster, what to do about each failure, and the result."""
    return printable(_lines(found))


def _lines(found: Round) -> Iterator[str]:
    yield from _discovery(found)
    yield from _clusters(found)
    yield from _failures(found)
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


def _discovery(found: Round) -> Iterator[str]:
    if found.discovery_failure:
        yield f"Discovery: failed, {found.discovery_failure.reason}."
    elif state := found.discovery:
        yield f"Discovery: {state.selected} of {state.found} clusters selected."


def _clusters(found: Round) -> Iterator[str]:
    """Yield a table with the clusters that failed first."""
    states = sorted(found.states, key=lambda state: state.up)
    failed = sum(not state.up for state in states)
    shown = states[: failed + ROWS]
    if shown:
        heads = ("cluster", "name", "project", "VMs", "snapshots", "result")
        yield ""
        yield from table([heads, *map(_row, shown)])
        yield ""
    if len(states) > len(shown):
        yield f"and {len(states) - len(shown):,} more clusters, all ok"
        yield ""


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


def _failures(found: Round) -> Iterator[str]:
    """Yield each kind of failure once, with its first message and the clusters that have it."""
    kinds: defaultdict[tuple[str, str], list[tuple[str, Unread]]] = defaultdict(list)
    undiscovered = [("discovery", found.discovery_failure)] if found.discovery_failure else []
    for name, why in (*undiscovered, *found.failures):
        kinds[why.reason, why.kind].append((name, why))
    for failures in kinds.values():
        names, (_, why) = [name for name, _ in failures], failures[0]
        yield f"failed: {why.reason}: {some(names)}"
        yield f"  {why.message}"
        yield f"  hint: {hint(why)}"
        yield ""


def _result(found: Round) -> str:
    requests = f"({count(found.requests, 'request')})"
    if found.is_idle_shard and found.complete:
        return f"Result: other shards read all clusters {requests}."
    if found.complete:
        return f"Result: everything could be read {requests}."
    failed, missing = len(found.failures), len(found.unmatched)
    reasons = [
        *(["discovery failed"] if found.discovery_failure else []),
        *([f"{failed} of {count(len(found.states), 'cluster')} not read"] if failed else []),
        *([f"{missing} without a match"] if missing else []),
    ]
    return f"Result: failed: {', '.join(reasons)} {requests}."
