"""The text of a scrape or a probe: ready pieces, by family. now: seconds since the epoch."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from exporter.metrics.deflate import Ages, Block, deflate, gzip, inflate
from exporter.metrics.exposition import FAMILIES, RenderedCluster
from exporter.metrics.families import CLUSTER_FAMILIES
from exporter.metrics.family import AnyFamily
from exporter.metrics.own_families import PROBE_DURATION, PROBE_SUCCESS
from exporter.metrics.telemetry import END_OF_FILE

BLOCK_SIZE = 256 * 1024  # bytes of text that a scrape deflates in one step, at least


def help_text(family: AnyFamily[Any]) -> str:
    """Return what a family means, and the fields that it comes from."""
    fields = family.source.partition(";")[0]
    return f"{family.help} Source: {fields}." if fields else family.help


def header(family: AnyFamily[Any], *, openmetrics: bool) -> str:
    """Return the HELP and TYPE lines of a family."""
    text = help_text(family).replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} gauge\n"


def exposition(
    clusters: Sequence[RenderedCluster],
    now: float,
    *,
    openmetrics: bool,
    families: Sequence[AnyFamily[Any]] = FAMILIES,
) -> Iterator[Block | bytes]:
    """Yield the text of all clusters, family by family; a family without samples is left out."""
    for family in families:
        found = [cluster.texts[family.name] for cluster in clusters if family.name in cluster.texts]
        if any(text.samples for text in found):
            yield header(family, openmetrics=openmetrics).encode()
            for text in found:
                for piece in text.pieces:
                    yield piece.text(now) if isinstance(piece, Ages) else piece


def probe_exposition(
    read: RenderedCluster, now: float, *, success: bool, duration: float, openmetrics: bool
) -> Iterator[Block | bytes]:
    """Yield the text of a probe and of what it read, without the cluster families.

    success: whether the requested snapshot or virtual machine exists and was read in time.
    duration: in seconds.
    """
    for family, value in ((PROBE_SUCCESS, success), (PROBE_DURATION, duration)):
        if read.options.allows(family.name):
            yield family.text(value).encode()
    families = FAMILIES[: -len(CLUSTER_FAMILIES)]
    yield from exposition([read], now, openmetrics=openmetrics, families=families)
    if openmetrics:
        yield END_OF_FILE


def plain(parts: Iterable[Block | bytes]) -> Iterator[bytes]:
    """Yield the text of the parts of a scrape."""
    return (inflate(part) if isinstance(part, Block) else part for part in parts)


def gzipped(parts: Iterable[Block | bytes]) -> Iterator[bytes]:
    """Yield the text of the parts of a scrape as a gzip file."""
    return gzip(_deflated(parts))


def _deflated(parts: Iterable[Block | bytes]) -> Iterator[Block]:
    """Yield blocks as they are, and the text between them as one block."""
    waiting: list[bytes] = []
    length = 0
    for part in parts:
        if isinstance(part, bytes):
            waiting.append(part)
            length += len(part)
        if waiting and (isinstance(part, Block) or length >= BLOCK_SIZE):
            yield deflate(b"".join(waiting))
            waiting, length = [], 0
        if isinstance(part, Block):
            yield part
    if waiting:
        yield deflate(b"".join(waiting))
