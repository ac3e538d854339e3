"""Documents as Palette returns them: clusters, VMs, and new snapshots."""

import math
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from exporter.demo.volumes import DATA, ROOT, STATE, Volume

Document = dict[str, Any]

REQUESTED_AT = 1_795_140_000.0
"""The default time of a request: 2026-11-20T02:00:00Z."""

FINALIZER = "snapshot.kubevirt.io/vmsnapshot-protection"
SCHEDULED_LABEL = "vmo-manager.spectrocloud.com/scheduled"
OWNER_LABEL = "example.com/owner"

_SNAPSHOT_API = "snapshot.kubevirt.io/v1beta1"
_VM_API = "kubevirt.io/v1"


def timestamp(at: float) -> str:
    """Return an instant (seconds since the epoch) in Kubernetes' format: UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(math.floor(at)))


def object_uid(*parts: str) -> str:
    """Return a uid in Kubernetes' format, always the same for the same parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\0".join(parts)))


def requested(
    *,
    name: str,
    vm: str,
    namespace: str = "vms",
    at: float = REQUESTED_AT,
    uid: str | None = None,
    scheduled: bool = False,
    failure_deadline: str | None = "5m0s",
    deletion_policy: str = "Delete",
) -> Document:
    """Return a snapshot requested at `at` (epoch seconds), without a status yet.

    `failure_deadline` is a Go duration; None leaves the field out, which means five minutes.
    """
    metadata = _metadata(name, namespace, uid or object_uid("snapshot", namespace, name), at)
    spec: Document = {"deletionPolicy": deletion_policy}
    if failure_deadline is not None:
        spec["failureDeadline"] = failure_deadline
    spec["source"] = {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": vm}
    return {
        "apiVersion": _SNAPSHOT_API,
        "kind": "VirtualMachineSnapshot",
        "metadata": metadata | ({"labels": {SCHEDULED_LABEL: "true"}} if scheduled else {}),
        "spec": spec,
    }


def vm_document(
    *,
    name: str,
    namespace: str = "vms",
    created_at: float = REQUESTED_AT - 300 * 86_400,
    uid: str | None = None,
    printable_status: str = "Running",
    volumes: Sequence[Volume] = (ROOT, DATA),
    labels: Mapping[str, str] | None = None,
) -> Document:
    """Return a VM; `created_at` is in seconds since the epoch."""
    metadata = _metadata(name, namespace, uid or object_uid("vm", namespace, name), created_at)
    return {
        "apiVersion": _VM_API,
        "kind": "VirtualMachine",
        "metadata": metadata | ({"labels": dict(labels)} if labels else {}),
        "spec": {
            "running": printable_status != "Stopped",
            "template": {"spec": _template(name, volumes)},
        },
        "status": {
            "created": printable_status != "Stopped",
            "ready": printable_status in {"Running", "Migrating"},
            "printableStatus": printable_status,
            "volumeSnapshotStatuses": [volume.status for volume in volumes],
        },
    }


def _template(vm: str, volumes: Sequence[Volume]) -> Document:
    listed = [volume for volume in volumes if volume.kind != STATE]
    disks = [{"name": volume.name, "disk": {"bus": "virtio"}} for volume in listed]
    return {
        "domain": {"devices": {"disks": disks}, "resources": {"requests": {"memory": "4Gi"}}},
        "volumes": [volume.document(vm) for volume in listed],
    }


def with_printable_status(vm: Document, printable_status: str) -> Document:
    """Return the same VM in another state."""
    stopped = printable_status == "Stopped"
    status = vm["status"] | {
        "created": not stopped,
        "ready": printable_status in {"Running", "Migrating"},
        "printableStatus": printable_status,
    }
    metadata = vm["metadata"] | {"resourceVersion": next_version(vm["metadata"])}
    spec = vm["spec"] | {"running": printable_status not in {"Stopped", "Stopping"}}
    return vm | {"metadata": metadata, "spec": spec, "status": status}


def cluster_document(
    uid: str, name: str, project_uid: str, cloud_type: str, state: str
) -> Document:
    """Return a cluster as the dashboard lists it."""
    return {
        "metadata": {"name": name, "projectUid": project_uid, "uid": uid},
        "spec": {"cloudType": cloud_type},
        "status": {"clusterState": state},
    }


def list_head(kind: str) -> Document:
    """Return the fields before the items of a list; `kind`: of the items."""
    api = _VM_API if kind == "VirtualMachine" else _SNAPSHOT_API
    return {"apiVersion": api, "kind": f"{kind}List"}


def next_version(metadata: Document) -> str:
    """Return the resourceVersion after the next change of the object."""
    return str(int(metadata["resourceVersion"]) + 1)


def managed_fields(at: float, fields: Sequence[str]) -> list[Document]:
    """Return `managedFields` for status fields that virt-controller wrote at `at`."""
    return [
        {
            "apiVersion": _SNAPSHOT_API,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:status": {".": {}, **{f"f:{field}": {} for field in fields}}},
            "manager": "virt-controller",
            "operation": "Update",
            "subresource": "status",
            "time": timestamp(at),
        }
    ]


def _metadata(name: str, namespace: str, uid: str, at: float) -> Document:
    return {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "creationTimestamp": timestamp(at),
        "generation": 1,
        "resourceVersion": "88123456",
    }
