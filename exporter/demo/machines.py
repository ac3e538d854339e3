"""The virtual machines of the demo: where they run, what disks they have, how they are used."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from exporter.demo.documents import CLOUD_INIT_DISK, Document, vm_document

if TYPE_CHECKING:
    from random import Random

    from exporter.demo.shelf import Key

DAY = 86_400.0

Habit = Literal["busy", "quiet", "neglected", "never"]
"""How often a machine is snapshotted: all the time, now and then, no more, not at all."""

CLUSTERS = (
    ("prod-east", "edge-native"),
    ("prod-west", "maas"),
    ("edge-berlin", "vsphere"),
    ("staging", "openstack"),
)
NAMESPACES = ("shop", "erp", "data", "platform", "desktops")
APPS = ("db", "web", "cache", "batch", "mail", "crm", "build", "ldap", "win", "pos")

_NO_CLASS = (
    "No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass [{0}] [{1}]"
)
_CLOUD_INIT = "Snapshot is not supported for this volumeSource type [cloudinitdisk]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A virtual machine; `disks` maps each to why it cannot be snapshotted, None if it can."""

    cluster_uid: str
    namespace: str
    name: str
    uid: str
    created_at: float
    disks: tuple[tuple[str, str | None], ...]
    guest_agent: bool
    keep: int
    habit: Habit
    printable_status: str = "Running"

    @property
    def key(self) -> Key:
        """Where its document stands."""
        return self.namespace, self.name

    @property
    def document(self) -> Document:
        """It, as Palette first shows it."""
        return vm_document(
            name=self.name,
            namespace=self.namespace,
            uid=self.uid,
            created_at=self.created_at,
            printable_status=self.printable_status,
            disks=dict(self.disks),
        )

    @property
    def included(self) -> list[str]:
        """The disks that a snapshot saves."""
        return [disk for disk, why_not in self.disks if why_not is None]

    @property
    def excluded(self) -> list[str]:
        """The disks that a snapshot leaves out."""
        return [disk for disk, why_not in self.disks if why_not is not None]

    def indications(self, printable_status: str, *, quiesced: bool = True) -> list[str]:
        """What KubeVirt notes on a snapshot taken while the VM shows `printable_status`."""
        if printable_status in {"Stopped", "Provisioning", "Starting"}:
            return []
        if printable_status == "Paused":
            return ["Online", "Paused"]
        agent = ["GuestAgent"] if self.guest_agent else ["NoGuestAgent"]
        late = ["QuiesceTimeout"] if self.guest_agent and not quiesced else []
        data_left_out = self.included and set(self.excluded) - {CLOUD_INIT_DISK}
        return ["Online", *agent, *late, *(["PartialSnapshot"] if data_left_out else [])]


def cluster_identity(index: int) -> tuple[str, str, str, str]:
    """The uid, name, project and cloud type of the demo's cluster number `index`, from 0."""
    name, cloud_type = (
        CLUSTERS[index] if index < len(CLUSTERS) else (f"site-{index + 1:02d}", "edge-native")
    )
    return f"6540a1b2c3d4e5f6{index + 1:08x}", name, f"65f0c0ffee000000{index + 1:08x}", cloud_type


def machine(rng: Random, index: int, clusters: int, now: float) -> Machine:
    """The demo's virtual machine number `index`, one of many spread over `clusters`."""
    cluster = index % clusters
    number = index // clusters
    namespace = NAMESPACES[(cluster + number % 3) % len(NAMESPACES)]
    return Machine(
        cluster_uid=cluster_identity(cluster)[0],
        namespace=namespace,
        name=f"{APPS[(number + cluster * 3) % len(APPS)]}-{number + 1:02d}",
        uid=new_uid(rng),
        created_at=now - rng.uniform(60, 400) * DAY,
        disks=_disks(rng, index),
        guest_agent=rng.random() < 0.8,
        keep=rng.randint(4, 6),
        habit=_HABITS[index % len(_HABITS)],
        printable_status=_STATUSES[index % len(_STATUSES)],
    )


def new_uid(rng: Random) -> str:
    """A random uid, from the seed's own dice."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


# The lengths have no common factor with each other nor with three clusters: kinds mix evenly.
_HABITS: tuple[Habit, ...] = ("quiet", "busy", "busy", "quiet", "busy", "neglected", "busy") * 2 + (
    "quiet",
    "never",
)
_STATUSES = ("Running",) * 6 + ("Stopped",) + ("Running",) * 9 + ("Paused",)


def _disks(rng: Random, index: int) -> tuple[tuple[str, str | None], ...]:
    if index % 14 == 0:
        return tuple((disk, _NO_CLASS.format("slow", disk)) for disk in ("rootdisk", "datadisk"))
    disks: list[tuple[str, str | None]] = [("rootdisk", None)]
    if rng.random() < 0.6:
        disks.append(("datadisk", None))
    if index % 9 == 1:
        disks.append(("scratch", _NO_CLASS.format("local", "scratch")))
    if rng.random() < 0.3:
        disks.append((CLOUD_INIT_DISK, _CLOUD_INIT))
    return tuple(disks)
