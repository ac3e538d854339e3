"""Which volumes of a virtual machine (VM) and of a snapshot hold data; pure.

A wrong "holds no data" costs somebody that data. A volume whose kind cannot be read counts as a
data volume, unless KubeVirt itself reports that the volume's type cannot be snapshotted.
"""

from collections.abc import Iterable

from msgspec import Struct

DATA_KINDS = frozenset({"persistentVolumeClaim", "dataVolume", "hostDisk"})
"""Kinds of ``spec.template.spec.volumes[]`` that hold data of their own."""

MEMORY_DUMP = "memoryDump"

KINDS_WITHOUT_DATA = frozenset(
    {
        MEMORY_DUMP,
        "cloudInitConfigDrive",
        "cloudInitNoCloud",
        "configMap",
        "containerDisk",
        "downwardAPI",
        "downwardMetrics",
        "emptyDisk",
        "ephemeral",
        "secret",
        "serviceAccount",
        "sysprep",
    }
)

STATE_PREFIX = "persistent-state-for-"  # of the volume with TPM and EFI state, since KubeVirt 1.4.1


class Volume(Struct, frozen=True, gc=False):
    """One volume of a VM, from its ``spec`` and its ``status.volumeSnapshotStatuses``.

    kind: its key in ``spec.template.spec.volumes[]``; "" if that is missing or unreadable.
    enabled: whether KubeVirt can snapshot it; None if the status does not say so.
    reason: why KubeVirt cannot snapshot it.
    """

    name: str
    kind: str = ""
    enabled: bool | None = None
    reason: str = ""

    @property
    def is_state(self) -> bool:
        """Return True for TPM and EFI state, which is not data."""
        return self.name.startswith(STATE_PREFIX)

    @property
    def holds_data(self) -> bool:
        """Return True for a data volume."""
        if self.kind in DATA_KINDS:
            return True
        if self.kind in KINDS_WITHOUT_DATA or self.is_state:
            return False
        return not self._type_is_unsupported

    @property
    def unsnapshottable(self) -> bool:
        """Return True for a data volume that no snapshot can hold."""
        return self.holds_data and (self.kind == "hostDisk" or self.enabled is False)

    @property
    def is_doubtful(self) -> bool:
        """Return True if only an unsupported type says "no data": it might be a host disk."""
        unknown = self.kind not in DATA_KINDS | KINDS_WITHOUT_DATA and not self.is_state
        return unknown and self._type_is_unsupported

    @property
    def _type_is_unsupported(self) -> bool:
        return self.enabled is False and "volumesource type" in self.reason.lower()


class Volumes(Struct, frozen=True, gc=False, kw_only=True):
    """``status.snapshotVolumes`` of a snapshot; an unreadable list is None."""

    included: tuple[str, ...] | None = ()
    excluded: tuple[str, ...] | None = ()

    def hold_data_of(self, vm: Iterable[Volume] | None) -> bool:
        """Return True if a data volume is included; of the VM's own volumes, if any holds data."""
        included, volumes = self.included or (), tuple(vm or ())
        if any(volume.name in included and volume.holds_data for volume in volumes):
            return True
        if any(volume.holds_data for volume in volumes):
            return False
        dumps = {volume.name for volume in volumes if volume.kind == MEMORY_DUMP}
        return any(name not in dumps and not name.startswith(STATE_PREFIX) for name in included)
