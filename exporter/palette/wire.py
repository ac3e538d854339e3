"""Palette's answers, decoded into values; no other module knows their spelling.

One bad child spoils nothing: an unreadable value is reported and left out, an unreadable item
is reported and skipped. Only what puts a whole answer in doubt raises InvalidResponse.
"""

from functools import partial

from exporter.palette.decoding import decode_document, decode_page
from exporter.palette.document import NO_METADATA, Document, Fault, Faults, Page, Part, Report
from exporter.palette.errors import InvalidResponse
from exporter.palette.machine_document import VirtualMachineDocument, read_virtual_machine
from exporter.palette.snapshot_document import SnapshotDocument, read_snapshot
from exporter.snapshot import Cluster, Snapshot, VirtualMachine

__all__ = ["Fault", "Page", "clusters", "snapshot", "snapshot_page", "virtual_machine_page"]


def snapshot(body: bytes, report: Report, *, namespace: str, vm: str, name: str) -> Snapshot:
    """Decode the answer to the snapshot call.

    namespace, vm, name: the requested identity; it completes a document that lacks one. A
        document that names another snapshot is no answer.
    Raises InvalidResponse if the body holds no such snapshot.
    """
    document, faults = decode_document(SnapshotDocument, body, report)
    if not (document.metadata or document.spec or document.status):
        raise InvalidResponse("the answer is an object, but not a snapshot")
    found = read_snapshot(document, faults, namespace=namespace, vm=vm, name=name)
    if found is None or (found.namespace, found.name) != (namespace, name):
        raise InvalidResponse("the answer is a snapshot other than the requested one")
    return found


def snapshot_page(
    body: bytes, report: Report, *, namespace: str = "", vm: str = ""
) -> Page[Snapshot]:
    """Decode a page of the snapshot list; namespace and vm complete items that lack them.

    Raises InvalidResponse if the body is no list, or does not say whether it is complete.
    """
    read = partial(read_snapshot, namespace=namespace, vm=vm)
    return decode_page(SnapshotDocument, body, report, read)


def virtual_machine_page(
    body: bytes, report: Report, *, namespace: str = ""
) -> Page[VirtualMachine]:
    """Decode a page of the VM list; namespace completes items that lack it.

    Raises InvalidResponse if the body is no list, or does not say whether it is complete.
    """
    read = partial(read_virtual_machine, namespace=namespace)
    return decode_page(VirtualMachineDocument, body, report, read)


def clusters(body: bytes, report: Report) -> tuple[Cluster, ...]:
    """Decode the dashboard's VM-enabled clusters; one without a uid is none.

    Raises InvalidResponse if the body is no list.
    """
    return decode_page(_ClusterDocument, body, report, _read_cluster).items


class _ClusterSpec(Part):
    cloud_type: str | None = None


class _ClusterStatus(Part):
    cluster_state: str | None = None


class _ClusterDocument(Document):
    spec: _ClusterSpec | None = None
    status: _ClusterStatus | None = None


def _read_cluster(document: _ClusterDocument, faults: Faults) -> Cluster | None:
    metadata = document.metadata or NO_METADATA
    if not metadata.uid:
        faults.add("metadata.uid", "is missing")
        return None
    return Cluster(
        uid=metadata.uid,
        name=metadata.name or metadata.uid,
        project_uid=metadata.project_uid or "",
        cloud_type=(document.spec or _ClusterSpec()).cloud_type or "",
        state=(document.status or _ClusterStatus()).cluster_state or "",
    )
