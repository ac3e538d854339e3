"""The VMs of the demo, with their cluster, disks and schedule."""

import uuid
from dataclasses import dataclass
from random import Random
from typing import Literal

from exporter.demo.documents import OWNER_LABEL, Document, vm_document
from exporter.demo.storage import Key
from exporter.demo.volumes import CLOUD_INIT, DATA, ROOT, Volume, without_class

DAY = 86_400.0

Habit = Literal["busy", "quiet", "neglected", "never"]
"""The frequency of a machine's snapshots: often, seldom, no longer, never."""

CLUSTERS = (
    ("prod-east", "edge-native"),
    ("prod-west", "maas"),
    ("edge-berlin", "vsphere"),
    ("staging", "openstack"),
)
NAMESPACES = ("shop", "erp", "data", "platform", "desktops")
APPS = ("db", "web", "cache", "batch", "mail", "crm", "build", "ldap", "win", "pos")

TIERS = ("gold", "silver", "bronze")
PARTIAL_SINCE = (1, 9)
"""The KubeVirt version that first writes the indication PartialSnapshot."""

KUBEVIRT = ((1, 9), (1, 6), (1, 3))
"""The KubeVirt versions of the demo's clusters, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A VM; `kubevirt`: the version of its cluster's KubeVirt."""

    cluster_uid: str
    namespace: str
    name: str
    uid: str
    created_at: float
    volumes: tuple[Volume, ...]
    labels: tuple[tuple[str, str], ...]
    kubevirt: tuple[int, int]
    guest_agent: bool
    keep: int
    habit: Habit
    printable_status: str = "Running"

    @property
    def key(self) -> Key:
        """Return the key of its document."""
        return self.namespace, self.name

    @property
    def document(self) -> Document:
        """Return the document with which Palette first lists it."""
        return vm_document(
            name=self.name,
            namespace=self.namespace,
            uid=self.uid,
            created_at=self.created_at,
            printable_status=self.printable_status,
            volumes=self.volumes,
            labels=dict(self.labels),
        )

    @property
    def included(self) -> list[str]:
        """Return the volumes that a snapshot includes."""
        return [each.name for each in self.volumes if each.reason is None and not each.newer]

    @property
    def excluded(self) -> list[str]:
        """Return the volumes that a snapshot excludes."""
        return [each.name for each in self.volumes if each.reason is not None and not each.newer]

    def indications(self, printable_status: str, *, quiesced: bool = True) -> list[str]:
        """Return the indications of a snapshot taken while the VM has `printable_status`."""
        partial = ["PartialSnapshot"] if self._says_partial else []
        if printable_status in {"Stopped", "Provisioning", "Starting"}:
            return partial
        if printable_status == "Paused":
            return ["Online", "Paused", *partial]
        agent = ["GuestAgent"] if self.guest_agent else ["NoGuestAgent"]
        late = ["QuiesceTimeout"] if self.guest_agent and not quiesced else []
        return ["Online", *agent, *late, *partial]

    @property
    def _says_partial(self) -> bool:
        left_out = any(each.reason is not None and each.is_data_claim for each in self.volumes)
        return left_out and self.kubevirt >= PARTIAL_SINCE


def cluster_identity(index: int) -> tuple[str, str, str, str]:
    """Return the uid, name, project and cloud type of cluster number `index`, from 0."""
    name, cloud_type = (
        CLUSTERS[index] if index < len(CLUSTERS) else (f"site-{index + 1:02d}", "edge-native")
    )
    return f"6540a1b2c3d4e5f6{index + 1:08x}", name, f"65f0c0ffee000000{index + 1:08x}", cloud_type


def machine(rng: Random, index: int, clusters: int, now: float) -> Machine:
    """Return VM number `index` of those that are spread over `clusters`."""
    cluster = index % clusters
    number = index // clusters
    namespace = NAMESPACES[(cluster + number % 3) % len(NAMESPACES)]
    return Machine(
        cluster_uid=cluster_identity(cluster)[0],
        namespace=namespace,
        name=f"{APPS[(number + cluster * 3) % len(APPS)]}-{number + 1:02d}",
        uid=new_uid(rng),
        created_at=now - rng.uniform(60, 400) * DAY,
        volumes=_volumes(rng, index),
        labels=labels_of(namespace, TIERS[number % len(TIERS)]),
        kubevirt=KUBEVIRT[cluster % len(KUBEVIRT)],
        guest_agent=rng.random() < 0.8,
        keep=rng.randint(4, 6),
        habit=_HABITS[index % len(_HABITS)],
        printable_status=_STATUSES[index % len(_STATUSES)],
    )


def new_uid(rng: Random) -> str:
    """Return a random uid that follows from the seed."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


# The lengths have no common factor with each other or with three clusters: all combinations occur.
_HABITS: tuple[Habit, ...] = ("quiet", "busy", "busy", "quiet", "busy", "neglected", "busy") * 2 + (
    "quiet",
    "never",
)
_STATUSES = ("Running",) * 6 + ("Stopped",) + ("Running",) * 9 + ("Paused",)


def labels_of(namespace: str, tier: str) -> tuple[tuple[str, str], ...]:
    """Return the labels of a VM in this namespace; desktops have no owner."""
    owner = {} if namespace == "desktops" else {OWNER_LABEL: f"team-{namespace}"}
    return tuple((owner | {"app.kubernetes.io/part-of": namespace, "tier": tier}).items())


def _volumes(rng: Random, index: int) -> tuple[Volume, ...]:
    if index % 14 == 0:
        return without_class("rootdisk", "slow"), without_class("datadisk", "slow")
    volumes = [ROOT]
    if rng.random() < 0.6:
        volumes.append(DATA)
    if index % 9 == 1:
        volumes.append(without_class("scratch", "local"))
    if rng.random() < 0.3:
        volumes.append(CLOUD_INIT)
    return tuple(volumes)
