"""Changes that the cases of the demo make to documents of VMs and of snapshots.

The second argument of each function is the time, in seconds since the epoch.
"""

from exporter.demo import stages
from exporter.demo.documents import Document, object_uid, timestamp
from exporter.demo.machines import DAY

HOUR = 3600.0
UNSET = "0001-01-01T00:00:00.000Z"


def without_spec(document: Document, _now: float) -> None:
    """Remove the VM's specification."""
    document["spec"]["template"] = None


def without_volumes(document: Document, now: float) -> None:
    """Remove everything that names the VM's volumes."""
    without_spec(document, now)
    del document["status"]["volumeSnapshotStatuses"]


def of_unknown_age(document: Document, _now: float) -> None:
    """Remove the time of the VM's creation."""
    document["metadata"]["creationTimestamp"] = None


def being_deleted(document: Document, now: float) -> None:
    """Request the deletion of the VM; a finalizer keeps it."""
    document["metadata"] |= {
        "deletionTimestamp": timestamp(now - 3 * HOUR),
        "finalizers": ["kubevirt.io/virtualMachineControllerFinalize"],
    }


def being_restored(document: Document, _now: float) -> None:
    """Report a restore in progress."""
    document["status"]["restoreInProgress"] = f"{document['metadata']['name']}-restore"


# Changes to documents of snapshots.


def deletion_hangs(document: Document, now: float) -> None:
    """Request the deletion of new snapshots two hours ago."""
    if _age(document, now) > 2 * DAY:
        stages.deleting(document, now - 2 * HOUR)


def time_as_text(document: Document, now: float) -> None:
    """Write the time of the data in a form that is not RFC 3339."""
    day, clock = timestamp(now - 2 * HOUR).removesuffix("Z").split("T")
    document["status"]["creationTime"] = f"{day} {clock} +0000 UTC"


def time_unset(document: Document, _now: float) -> None:
    """Write the time of the data as unset."""
    document["status"]["creationTime"] = UNSET


def lost_at_unknown_time(document: Document, now: float) -> None:
    """Lose the data of a new snapshot, at a time that is not known."""
    if _age(document, now) > 2 * DAY:
        return
    stages.lost(document, now - 6 * HOUR)
    document["status"]["creationTime"] = UNSET


def source_indications_only(document: Document, _now: float) -> None:
    """Remove the deprecated field of the indications."""
    del document["status"]["indications"]


def of_clone(document: Document, now: float) -> None:
    """Make the newest snapshot the temporary one of a clone."""
    if _age(document, now) > 2 * HOUR:
        return
    uid = object_uid("clone", document["metadata"]["uid"])
    document["metadata"] |= {
        "name": f"tmp-snapshot-{uid}",
        "ownerReferences": [
            {
                "apiVersion": "clone.kubevirt.io/v1beta1",
                "kind": "VirtualMachineClone",
                "name": "report-copy",
                "uid": uid,
                "controller": True,
            }
        ],
    }


def uploading(document: Document, now: float) -> None:
    """Leave the newest snapshot not ready."""
    if _age(document, now) > 2 * HOUR:
        return
    requested_at, taken = now - _age(document, now), document.pop("status")
    stages.started(document, requested_at + 2, taken["sourceUID"])
    included = taken["snapshotVolumes"]["includedVolumes"]
    stages.taken(document, requested_at + 14, included=included, indications=taken["indications"])


def stuck_until_deadline(document: Document, now: float) -> None:
    """Let the snapshot fail at its deadline."""
    requested_at = now - _age(document, now)
    del document["status"]
    stages.started(document, requested_at + 2, None, stages.SOURCE_LOCKED)
    stages.failed(document, requested_at + 301, "2 matching VolumeSnapshotClasses for multi")


def _age(document: Document, now: float) -> float:
    return now - stages.requested_at(document)
