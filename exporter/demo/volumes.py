"""The volumes of a VM, and what KubeVirt reports about each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

STATE = "state"
"""The kind of TPM and EFI state, which is in the VM's status and not in its specification."""

CLAIMS = frozenset({"dataVolume", "persistentVolumeClaim", "memoryDump", STATE})
"""The kinds that a PersistentVolumeClaim backs."""

_SOURCES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "dataVolume": lambda claim: {"name": claim},
    "persistentVolumeClaim": lambda claim: {"claimName": claim},
    "memoryDump": lambda claim: {"claimName": claim, "hotpluggable": True},
    "hostDisk": lambda claim: {
        "path": f"/var/lib/disks/{claim}.img",
        "type": "DiskOrCreate",
        "capacity": "50Gi",
    },
    "containerDisk": lambda _: {"image": "quay.io/kubevirt/virtio-container-disk:v1.6.0"},
    "cloudInitNoCloud": lambda claim: {"secretRef": {"name": f"{claim}-user-data"}},
    "configMap": lambda claim: {"name": claim},
    "emptyDisk": lambda _: {"capacity": "2Gi"},
}
"""The value of each kind in ``spec.template.spec.volumes[]``, from the name of the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume. `reason`: why KubeVirt cannot snapshot it; None if it can.

    `newer`: the volume was attached after the VM's snapshots were taken.
    """

    name: str
    kind: str = "dataVolume"
    reason: str | None = None
    newer: bool = False

    @property
    def is_data_claim(self) -> bool:
        """Return whether a snapshot without the volume is partial for KubeVirt 1.9."""
        return self.kind in CLAIMS - {STATE}

    def document(self, vm: str) -> dict[str, Any]:
        """Return the volume as the specification of `vm` lists it."""
        return {"name": self.name, self.kind: _SOURCES[self.kind](f"{vm}-{self.name}")}

    @property
    def status(self) -> dict[str, Any]:
        """Return the volume as ``status.volumeSnapshotStatuses`` lists it."""
        if self.reason is None:
            return {"name": self.name, "enabled": True}
        return {"name": self.name, "enabled": False, "reason": self.reason}


def without_class(name: str, storage_class: str, kind: str = "dataVolume") -> Volume:
    """Return a volume on a StorageClass that no VolumeSnapshotClass serves."""
    reason = "No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass"
    return Volume(name=name, kind=kind, reason=f"{reason} [{storage_class}] [{name}]")


def with_two_classes(name: str, storage_class: str) -> Volume:
    """Return a volume on a StorageClass that two VolumeSnapshotClasses serve."""
    return Volume(name=name, reason=f"2 matching VolumeSnapshotClasses for {storage_class}")


def without_claim(name: str) -> Volume:
    """Return a volume whose claim was deleted."""
    return Volume(name=name, kind="persistentVolumeClaim", reason="PVC not found")


def of_no_claim(name: str, kind: str) -> Volume:
    """Return a volume of a kind that KubeVirt never snapshots."""
    reason = f"Snapshot is not supported for this volumeSource type [{name}]"
    return Volume(name=name, kind=kind, reason=reason)


def state_of(vm: str, storage_class: str | None = None) -> Volume:
    """Return the VM's TPM and EFI state; `storage_class`: one without snapshots."""
    name = f"persistent-state-for-{vm}"
    if storage_class:
        return without_class(name, storage_class, STATE)
    return Volume(name=name, kind=STATE)


ROOT, DATA = Volume(name="rootdisk"), Volume(name="datadisk")
CLOUD_INIT = of_no_claim("cloudinitdisk", "cloudInitNoCloud")
