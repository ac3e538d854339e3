"""KubeVirt's VirtualMachine as JSON, and the value that it stands for."""

from sys import intern
from typing import Any

from exporter.palette.document import NO_METADATA, Document, Faults, Part, encodable, seconds
from exporter.snapshot import VirtualMachine
from exporter.volumes import Volume

SPEC_VOLUMES = "spec.template.spec.volumes"


class _TemplateSpec(Part):
    """Each volume is ``{name, KIND: {...}}``."""

    volumes: list[dict[str, Any]] | None = None


class _Template(Part):
    spec: _TemplateSpec | None = None


class _Spec(Part):
    template: _Template | None = None


class _VolumeStatus(Part):
    name: str | None = None
    enabled: bool | None = None
    reason: str | None = None


class _Status(Part):
    printable_status: str | None = None
    restore_in_progress: str | None = None
    volume_snapshot_statuses: list[_VolumeStatus] | None = None


class VirtualMachineDocument(Document):
    """A VirtualMachine."""

    spec: _Spec | None = None
    status: _Status | None = None


def read_virtual_machine(
    document: VirtualMachineDocument, faults: Faults, *, namespace: str
) -> VirtualMachine | None:
    """Return the virtual machine; None if it has no name.

    namespace: completes a document that lacks it.
    """
    metadata, status = document.metadata or NO_METADATA, document.status or _Status()
    if not metadata.name:
        faults.add("metadata.name", "is missing")
        return None
    labels = sorted((intern(name), intern(v or "")) for name, v in (metadata.labels or {}).items())
    return VirtualMachine(
        namespace=intern(metadata.namespace or namespace),
        name=intern(metadata.name),
        uid=metadata.uid or "",
        status=intern(status.printable_status or ""),
        created_at=seconds(metadata.creation_timestamp),
        deletion_timestamp=seconds(metadata.deletion_timestamp),
        restoring=bool(status.restore_in_progress),
        labels=tuple(labels),
        volumes=_volumes(document.spec or _Spec(), status, faults),
        unreadable=tuple(dict.fromkeys(faults.fields)),
    )


def _volumes(spec: _Spec, status: _Status, faults: Faults) -> tuple[Volume, ...] | None:
    """Return the volumes that spec and status name; None if neither names any.

    A status about a volume that a readable spec lacks counts, unless the volume's type cannot be
    snapshotted: such a volume was detached.
    """
    statuses = {}
    for each in status.volume_snapshot_statuses or ():
        if each.name:
            statuses[each.name] = each
        else:
            faults.add("status.volumeSnapshotStatuses.name", "is missing")
    template = spec.template or _Template()
    entries = (template.spec or _TemplateSpec()).volumes
    if entries is None:
        return tuple(map(_volume, statuses.values())) or None
    volumes = []
    for entry in entries:
        name, kind = _name_and_kind(entry, faults)
        volumes.append(_volume(statuses.pop(name, _VolumeStatus(name)), kind))
    if SPEC_VOLUMES in faults.fields:
        volumes.append(Volume(""))  # an entry that is no object: no snapshot is known to hold it
    others = map(_volume, statuses.values())
    return (*volumes, *(volume for volume in others if not volume.is_doubtful))


def _name_and_kind(entry: dict[str, Any], faults: Faults) -> tuple[str, str]:
    """Return the name and the kind of a volume of the spec, "" for each that is unreadable."""
    kinds = [key for key, value in entry.items() if key != "name" and value is not None]
    name = entry.get("name")
    if not isinstance(name, str) or not name or not encodable(name):
        faults.add(f"{SPEC_VOLUMES}.name", "is missing or unreadable")
        name = ""
    if len(kinds) != 1:
        faults.add(f"{SPEC_VOLUMES}.kind", "is not exactly one")
    return name, kinds[0] if len(kinds) == 1 else ""


def _volume(status: _VolumeStatus, kind: str = "") -> Volume:
    return Volume(
        name=intern(status.name or ""),
        kind=intern(kind),
        enabled=status.enabled,
        reason=intern(status.reason or ""),
    )
