"""The snapshots that the demo's fleet has at the start."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from random import Random

from exporter.demo import stages
from exporter.demo.documents import Document, requested
from exporter.demo.machines import DAY, Habit, Machine, new_uid

OLD_ERROR = "Failed to check and update snapshot content: the object has been modified"
DEADLINE_ERROR = "snapshot deadline exceeded while waiting for the guest agent to freeze"

SOURCE_INDICATIONS_SINCE = (1, 7)
"""The KubeVirt version that first writes `sourceIndications`."""

# Seconds: the youngest and the oldest snapshot that a machine of this habit can have.
_AGES: Mapping[Habit, tuple[float, float]] = {
    "busy": (180, 20 * DAY),
    "quiet": (3600, 35 * DAY),
    "neglected": (10 * DAY, 40 * DAY),
}


def snapshots(machine: Machine, rng: Random, now: float) -> Iterator[Document]:
    """Yield the finished snapshots of a machine: successful ones, of all ages."""
    if machine.habit not in _AGES:
        return
    low, high = (math.log(age) for age in _AGES[machine.habit])
    ages = sorted(math.exp(rng.uniform(low, high)) for _ in range(machine.keep))
    for serial, age in enumerate(ages):
        yield finished(machine, rng, now - age, tag=f"{serial}")


def finished(machine: Machine, rng: Random, at: float, tag: str = "") -> Document:
    """Return a successful snapshot, requested at `at`, of the volumes that can be snapshotted."""
    document = ask(machine, rng, at, tag=tag)
    stages.started(document, at + 2, machine.uid)
    take(document, machine, at + rng.uniform(8, 20), machine.printable_status, rng)
    return stages.ready(document, at + rng.uniform(21, 40))


def ask(
    machine: Machine, rng: Random, at: float, *, deadline: str | None = "5m0s", tag: str = ""
) -> Document:
    """Return a snapshot of the machine, requested at `at`, mostly by its schedule."""
    scheduled = rng.random() < 0.7
    kind = "nightly" if scheduled else rng.choice(("adhoc", "before-upgrade", "monthly"))
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(at))
    return requested(
        name="-".join(filter(None, (machine.name, kind, stamp, tag))),
        vm=machine.name,
        namespace=machine.namespace,
        at=at,
        uid=new_uid(rng),
        scheduled=scheduled,
        failure_deadline=deadline if scheduled or deadline != "5m0s" else None,
        deletion_policy="Retain" if kind == "monthly" else "Delete",
    )


def take(
    document: Document, machine: Machine, at: float, printable_status: str, rng: Random
) -> Document:
    """Take the data, as the machine's volumes, guest agent and state allow."""
    stages.taken(
        document,
        at,
        included=machine.included,
        excluded=machine.excluded,
        indications=machine.indications(printable_status, quiesced=rng.random() > 0.1),
    )
    return with_source_indications(document, machine)


def with_source_indications(document: Document, machine: Machine) -> Document:
    """Repeat the indications in the field that replaces them from KubeVirt 1.7 on."""
    found = document["status"].get("indications", ())
    if found and machine.kubevirt >= SOURCE_INDICATIONS_SINCE:
        document["status"]["sourceIndications"] = [
            {"indication": each, "message": ""} for each in found
        ]
    return document


def lost(machine: Machine, rng: Random, now: float) -> Document:
    """Return a snapshot whose volume snapshots were deleted after it succeeded."""
    return stages.lost(finished(machine, rng, now - 5 * DAY, "weekly"), now - 0.6 * DAY)


def failed_silently(machine: Machine, rng: Random, now: float) -> Document:
    """Return a snapshot that failed at its deadline, without an error text."""
    return _failed(machine, rng, now - 7 * 3600, None)


def failed_with_error(machine: Machine, rng: Random, now: float) -> Document:
    """Return a snapshot that failed at its deadline, with an error text."""
    return _failed(machine, rng, now - 3 * 3600, DEADLINE_ERROR)


def ready_with_old_error(machine: Machine, rng: Random, now: float) -> Document:
    """Return a ready snapshot with an error from an earlier attempt."""
    at = now - 9 * 3600
    document = ask(machine, rng, at, tag="retried")
    stages.with_error(stages.started(document, at + 2, machine.uid), at + 10, OLD_ERROR)
    take(document, machine, at + 14, machine.printable_status, rng)
    return stages.ready(document, at + 21)


def source_missing(machine: Machine, rng: Random, now: float) -> Document:
    """Return a snapshot that never ends: its VM does not exist, and it has no deadline."""
    document = requested(
        name="ghost-nightly",
        vm="ghost",
        namespace=machine.namespace,
        at=now - 2 * DAY,
        uid=new_uid(rng),
        scheduled=True,
        failure_deadline="0s",
    )
    return stages.started(document, now - 2 * DAY + 2, None, stages.SOURCE_MISSING)


def orphan(machine: Machine, rng: Random, now: float) -> Document:
    """Return a ready snapshot whose VM was deleted."""
    return stages.snapshot_document(
        name="retired-01-last",
        vm="retired-01",
        namespace=machine.namespace,
        requested_at=now - 21 * DAY,
        uid=new_uid(rng),
    )


def partial(machine: Machine, rng: Random, now: float) -> Document:
    """Return a snapshot without one of the disks, and not quiesced in time."""
    return stages.snapshot_document(
        name=f"{machine.name}-partial",
        vm=machine.name,
        namespace=machine.namespace,
        requested_at=now - 11 * 3600,
        uid=new_uid(rng),
        source_uid=machine.uid,
        scheduled=True,
        failure_deadline="0s",
        included=["rootdisk"],
        excluded=["scratch"],
        indications=("Online", "GuestAgent", "QuiesceTimeout", "PartialSnapshot"),
    )


def offline(machine: Machine, rng: Random, now: float) -> Document:
    """Return a snapshot of a stopped VM, with the deletion policy Retain."""
    return stages.snapshot_document(
        name=f"{machine.name}-offline",
        vm=machine.name,
        namespace=machine.namespace,
        requested_at=now - 30 * DAY,
        uid=new_uid(rng),
        source_uid=machine.uid,
        deletion_policy="Retain",
        indications=(),
    )


SETTLED: tuple[Callable[[Machine, Random, float], Document], ...] = (
    lost,
    failed_silently,
    partial,
    failed_with_error,
    ready_with_old_error,
    offline,
    orphan,
    source_missing,
)
"""The snapshots of which every fleet with a machine has one each."""


def _failed(machine: Machine, rng: Random, at: float, error: str | None) -> Document:
    document = ask(machine, rng, at, tag="failed")
    reason = stages.SOURCE_NOT_LOCKED
    return stages.failed(stages.started(document, at + 2, machine.uid, reason), at + 301, error)
