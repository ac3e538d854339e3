"""What ``--config.check`` prints."""

import re
from collections.abc import Iterator

from exporter.check.meaning import REQUESTS_PER_CLUSTER, Meaning, meaning
from exporter.check.table import comment, table
from exporter.duration import format_duration
from exporter.settings import Settings

Patterns = tuple[re.Pattern[str], ...]


def report(settings: Settings) -> str:
    """Return the settings as they count, without secrets, and what they mean.

    All of it is YAML: what is no setting is a comment.
    """
    said = settings.effective_yaml()
    good = comment(["The configuration is good, and amounts to this:"])
    return f"{good}{said}\n{comment(_sentences(meaning(settings)))}"


def _sentences(found: Meaning) -> Iterator[str]:
    yield "What it means:"
    yield ""
    if found.clusters:
        yield from table(_rows(found))
        yield ""
    yield _round(found)
    yield from _names(found)
    yield _discovery(found)
    yield _shard(found)
    yield from _objectives(found)


def _rows(found: Meaning) -> list[tuple[str, ...]]:
    heads = ("cluster", "name", "covers", "requests a round")
    rows = [
        (
            cluster.uid,
            cluster.name or "(asked for)",
            cluster.covers,
            _at_least(cluster.requests, exact=cluster.exact) if cluster.ours else "another shard's",
        )
        for cluster in found.clusters
    ]
    return [heads, *rows]


def _at_least(requests: int, *, exact: bool) -> str:
    return str(requests) if exact else f"at least {requests}"


def _round(found: Meaning) -> str:
    if not found.ours:
        return "Requests: none for configured clusters."
    rate = found.settings.palette.requests_per_second
    interval = format_duration(found.settings.refresh.interval)
    fits = found.seconds <= found.settings.refresh.interval
    verdict = (
        f"which fits into refresh.interval ({interval})."
        if fits
        else f"longer than refresh.interval ({interval}): rounds are stretched. Give it a longer "
        "interval, or share the clusters among several exporters (shard.total)."
    )
    least = "" if found.exact else "at least "
    requests = _plural(found.requests, "request")
    return (
        f"Requests: a round takes {least}{requests}, {least}{_seconds(found.seconds)} s "
        f"at {rate:g} a second, {verdict}"
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _names(found: Meaning) -> Iterator[str]:
    if found.name_requests:
        yield (
            f"Names: {_plural(found.name_requests, 'request')} at the start for the names of "
            "clusters that have no cluster_name."
        )


def _discovery(found: Meaning) -> str:
    wanted = found.settings.discovery
    if not wanted.enabled:
        return "Discovery: off; what targets name is all there is."
    interval = format_duration(wanted.interval)
    clusters = _named(wanted.clusters, wanted.exclude_clusters)
    namespaces = _named(wanted.namespaces, wanted.exclude_namespaces)
    return (
        f"Discovery: on; one request every {interval} asks for the clusters that run virtual "
        f"machines, of which those {clusters} are read, in namespaces {namespaces}. Each takes at "
        f"least {REQUESTS_PER_CLUSTER} requests a round; at most {found.room} fit into "
        f"refresh.interval."
    )


def _named(include: Patterns, exclude: Patterns) -> str:
    wanted = _alternatives(include) or "(nothing: the list is empty)"
    unwanted = f" but not {_alternatives(exclude)}" if exclude else ""
    return f"named {wanted}{unwanted}"


def _alternatives(patterns: Patterns) -> str:
    return " or ".join(pattern.pattern for pattern in patterns)


def _shard(found: Meaning) -> str:
    shard = found.settings.shard
    if shard.total == 1:
        return "Shard: it reads all clusters by itself."
    return (
        f"Shard: {shard.index} of 0 to {shard.total - 1}; of {len(found.clusters)} configured "
        f"clusters, {len(found.ours)} are its own"
        + (", and of those discovered, its share." if found.settings.discovery.enabled else ".")
    )


def _objectives(found: Meaning) -> Iterator[str]:
    count = len(found.settings.objectives)
    if not count:
        yield "Objectives: none; no virtual machine can be overdue."
        return
    idle = len(found.idle_objectives)
    verdict = f"of which {idle} can match nothing" if idle else "all of which can match something"
    yield f"Objectives: {count}, {verdict}."
    for index, why in found.idle_objectives:
        yield f"warning: objectives[{index}] can match nothing: {why}."
