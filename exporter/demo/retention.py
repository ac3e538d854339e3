"""The choice of snapshots to delete when a machine has too many."""

from collections.abc import Sequence
from datetime import datetime

from exporter.demo.documents import Document, timestamp

OLDEST = 45 * 86_400
"""Seconds: older snapshots are deleted if their machine has enough younger ones."""

GRACE = 600
"""Seconds: failed and lost snapshots stay at least this long, so that they are seen."""


def surplus(documents: Sequence[Document], keep: int, now: float) -> list[Document]:
    """Return the snapshots to delete so that `keep` finished ones are left.

    First come those that cannot be restored, then very old ones, then those closest in age to
    their neighbours, so that the ages stay spread from minutes to weeks.
    """
    kept = sorted((document for document in documents if _is_finished(document)), key=_requested_at)
    gone = []
    while len(kept) > max(keep, 1):
        victim = _victim(kept, now)
        kept.remove(victim)
        gone.append(victim)
    return gone


def _victim(kept: Sequence[Document], now: float) -> Document:
    useless = timestamp(now - GRACE)
    for document in kept:
        if not document["status"]["readyToUse"] and _requested_at(document) < useless:
            return document
    if len(kept) < 3 or _requested_at(kept[0]) < timestamp(now - OLDEST):
        return kept[0]
    ages = [max(1.0, now - _seconds(document)) for document in kept]
    closeness = {index: ages[index - 1] / ages[index + 1] for index in range(1, len(kept) - 1)}
    return kept[min(closeness, key=lambda index: closeness[index])]


def _is_finished(document: Document) -> bool:
    status = document.get("status") or {}
    if "deletionTimestamp" in document["metadata"]:
        return False
    return status.get("phase") == "Failed" or bool(status.get("readyToUse") or status.get("error"))


def _requested_at(document: Document) -> str:
    return str(document["metadata"]["creationTimestamp"])


def _seconds(document: Document) -> float:
    return datetime.fromisoformat(_requested_at(document)).timestamp()
