"""What ``--config.check.live`` prints."""

from collections import defaultdict
from collections.abc import Iterator

from exporter.check.hints import hint
from exporter.check.live import ClusterSight, Outlook, Seen, Sight
from exporter.check.table import comment, table
from exporter.palette.errors import PaletteError


def outlook_report(found: Outlook) -> str:
    """Return what could be read, as comments in YAML like the rest of the check."""
    return comment(_lines(found))


def _lines(found: Outlook) -> Iterator[str]:
    yield ""
    yield "What Palette lets it read (first pages only):"
    yield ""
    yield from table([_HEADS, *_dashboard(found), *map(_row, found.clusters)])
    yield ""
    yield from _complaints(found)
    if found.unreadable:
        yield f"warning: {found.unreadable} kinds of values could not be read; see the log."
    yield _verdict(found)


_HEADS = ("cluster", "name", "project", "snapshots", "VMs", "result")


def _row(cluster: ClusterSight) -> tuple[str, ...]:
    return (
        cluster.cluster.uid,
        cluster.cluster.name,
        cluster.cluster.project_uid or "(tenant)",
        _cell(cluster.snapshots),
        _cell(cluster.virtual_machines),
        "failed" if cluster.errors else "ok",
    )


def _dashboard(found: Outlook) -> Iterator[tuple[str, ...]]:
    sight = found.dashboard
    if sight is None:
        return
    if isinstance(sight, Seen):
        said = f"ok, {found.discovered} of {sight.count} clusters wanted"
    else:
        said = sight.reason
    yield ("(dashboard)", "-", found.project_uid or "(tenant)", "-", "-", said)


def _cell(sight: Sight | None) -> str:
    if sight is None:
        return "-"
    if isinstance(sight, Seen):
        return f"{sight.count}+" if sight.more else str(sight.count)
    return sight.reason


def _complaints(found: Outlook) -> Iterator[str]:
    """Yield each kind of error with its first message: these differ in references only."""
    kinds: defaultdict[type[PaletteError], list[PaletteError]] = defaultdict(list)
    for error in _errors(found):
        kinds[type(error)].append(error)
    for errors in kinds.values():
        times = f" ({len(errors)} times)" if len(errors) > 1 else ""
        yield f"{errors[0].reason}{times}: {errors[0]}"
        yield f"  hint: {hint(errors[0])}"
        yield ""


def _errors(found: Outlook) -> Iterator[PaletteError]:
    if isinstance(found.dashboard, PaletteError):
        yield found.dashboard
    for cluster in found.clusters:
        yield from cluster.errors


def _verdict(found: Outlook) -> str:
    failed = sum(bool(cluster.errors) for cluster in found.clusters)
    count, requests = len(found.clusters), f"({found.requests} requests)"
    if isinstance(found.dashboard, PaletteError):
        return (
            f"Result: clusters cannot be discovered, and {failed} of {count} not read {requests}."
        )
    if failed:
        return f"Result: {failed} of {count} clusters could not be read {requests}."
    if not found.clusters:
        return f"Result: nothing failed, but there is no cluster to read {requests}."
    return f"Result: everything could be read {requests}."
