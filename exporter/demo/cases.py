"""Virtual machines and clusters that a fleet seldom has all at once: one for each verdict.

They stand still while the rest of the fleet lives, so that each shows its one problem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from exporter.demo import history, stages
from exporter.demo.documents import Document, object_uid, timestamp
from exporter.demo.machines import DAY, KUBEVIRT, Machine, cluster_identity, labels_of, new_uid
from exporter.demo.volumes import (
    CLOUD_INIT,
    DATA,
    ROOT,
    Volume,
    of_no_claim,
    state_of,
    with_two_classes,
    without_claim,
    without_class,
)

HOUR = 3600.0
NIGHTLY = (3.0, 27.0, 51.0)
UNSET = "0001-01-01T00:00:00.000Z"

Change = Callable[[Document, float], object]
"""Changes a document of the VM or of one of its snapshots; the number is the time."""


def _nothing(_document: Document, _now: float) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One virtual machine with its snapshots.

    `cluster`: its index. `ages`: hours since the snapshots were requested. `created`: days since
    the VM was. `vm` and `snapshot` change the documents of the VM and of each snapshot.
    """

    name: str
    cluster: int
    namespace: str
    volumes: Sequence[Volume] = (ROOT, DATA, CLOUD_INIT)
    ages: Sequence[float] = NIGHTLY
    created: float = 90.0
    tier: str = "silver"
    agent: bool = True
    vm: Change = _nothing
    snapshot: Change = _nothing
    status: str = "Running"

    def machine(self, now: float) -> Machine:
        """Return the virtual machine."""
        return Machine(
            cluster_uid=cluster_identity(self.cluster)[0],
            namespace=self.namespace,
            name=self.name,
            uid=object_uid("case", self.name),
            created_at=now - self.created * DAY,
            volumes=tuple(self.volumes),
            labels=labels_of(self.namespace, self.tier),
            kubevirt=KUBEVIRT[self.cluster % len(KUBEVIRT)],
            guest_agent=self.agent,
            keep=len(self.ages),
            habit="never",
            printable_status=self.status,
        )


# What is done to documents of virtual machines.


def _without_spec(document: Document, _now: float) -> None:
    document["spec"]["template"] = None


def _of_unknown_age(document: Document, _now: float) -> None:
    document["metadata"]["creationTimestamp"] = None


def _being_deleted(document: Document, now: float) -> None:
    document["metadata"] |= {
        "deletionTimestamp": timestamp(now - 3 * HOUR),
        "finalizers": ["kubevirt.io/virtualMachineControllerFinalize"],
    }


def _being_restored(document: Document, _now: float) -> None:
    document["status"]["restoreInProgress"] = f"{document['metadata']['name']}-restore"


# What is done to documents of snapshots.


def _deletion_hangs(document: Document, now: float) -> None:
    if _age(document, now) > 2 * DAY:
        stages.deleting(document, now - 2 * HOUR)


def _time_as_text(document: Document, now: float) -> None:
    day, clock = timestamp(now - 2 * HOUR).removesuffix("Z").split("T")
    document["status"]["creationTime"] = f"{day} {clock} +0000 UTC"


def _time_unset(document: Document, _now: float) -> None:
    document["status"]["creationTime"] = UNSET


def _lost_at_unknown_time(document: Document, now: float) -> None:
    if _age(document, now) > 2 * DAY:
        return
    stages.lost(document, now - 6 * HOUR)
    document["status"]["creationTime"] = UNSET


def _source_indications_only(document: Document, _now: float) -> None:
    del document["status"]["indications"]


def _of_clone(document: Document, now: float) -> None:
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


def _stuck_until_deadline(document: Document, now: float) -> None:
    requested_at = now - _age(document, now)
    del document["status"]
    stages.started(document, requested_at + 2, None, stages.SOURCE_LOCKED)
    stages.failed(document, requested_at + 301, "2 matching VolumeSnapshotClasses for multi")


def _age(document: Document, now: float) -> float:
    return now - stages.requested_at(document)


_NFS = without_class("datadisk", "nfs-storage")
_TOOLS = of_no_claim("virtio-tools", "containerDisk")

CASES: tuple[Case, ...] = (
    # A data disk that no snapshot holds. KubeVirt 1.9 marks the snapshot as partial; before, only
    # the names of the volumes tell.
    Case(name="nfs-01", cluster=0, namespace="erp", volumes=(ROOT, _NFS, _TOOLS)),
    Case(name="nfs-02", cluster=1, namespace="erp", volumes=(ROOT, _NFS, _TOOLS)),
    Case(
        name="multi-01",
        cluster=1,
        namespace="data",
        volumes=(ROOT, with_two_classes("datadisk", "multi")),
        snapshot=_stuck_until_deadline,
    ),
    Case(name="claim-01", cluster=1, namespace="erp", volumes=(ROOT, without_claim("datadisk"))),
    Case(
        name="host-disk-01",
        cluster=2,
        namespace="data",
        volumes=(ROOT, of_no_claim("hostdisk", "hostDisk")),
    ),
    Case(
        name="attached-01",
        cluster=0,
        namespace="shop",
        volumes=(ROOT, DATA, Volume(name="archive", newer=True)),
    ),
    # TPM state, and memory dumps, which are no data.
    Case(
        name="tpm-left-out-01",
        cluster=1,
        namespace="desktops",
        volumes=(ROOT, state_of("tpm-left-out-01", "nfs-storage")),
    ),
    Case(
        name="tpm-only-01",
        cluster=1,
        namespace="desktops",
        volumes=(without_class("rootdisk", "nfs-storage"), state_of("tpm-only-01")),
    ),
    Case(
        name="memory-dump-01",
        cluster=0,
        namespace="platform",
        volumes=(without_class("rootdisk", "local"), Volume(name="dump", kind="memoryDump")),
    ),
    # What cannot be known.
    Case(name="no-spec-01", cluster=2, namespace="data", volumes=(ROOT, _NFS), vm=_without_spec),
    Case(name="no-spec-02", cluster=2, namespace="data", vm=_without_spec),
    Case(name="time-text-01", cluster=1, namespace="erp", snapshot=_time_as_text),
    Case(name="time-unset-01", cluster=1, namespace="erp", ages=(190,), snapshot=_time_unset),
    Case(name="age-unknown-01", cluster=2, namespace="data", ages=(), vm=_of_unknown_age),
    Case(name="lost-01", cluster=0, namespace="data", snapshot=_lost_at_unknown_time),
    # Snapshots that count for less than they seem to.
    Case(
        name="no-agent-01",
        cluster=0,
        namespace="shop",
        tier="gold",
        agent=False,
        snapshot=_source_indications_only,
    ),
    Case(name="deletion-01", cluster=1, namespace="erp", snapshot=_deletion_hangs),
    Case(name="clone-01", cluster=0, namespace="erp", ages=(1, 50, 74), snapshot=_of_clone),
    Case(name="recreated-01", cluster=0, namespace="desktops", created=10, ages=(480, 504)),
    Case(name="few-01", cluster=0, namespace="shop", tier="gold", ages=(4,)),
    Case(
        name="many-01",
        cluster=0,
        namespace="shop",
        tier="gold",
        ages=tuple(5 + 24 * day for day in range(36)),
    ),
    Case(
        name="stopped-schedule-01",
        cluster=2,
        namespace="desktops",
        ages=tuple(144 + 24 * day for day in range(6)),
    ),
    # Virtual machines that come, go or are restored.
    Case(name="new-01", cluster=0, namespace="desktops", ages=(), created=0.1),
    Case(
        name="leaving-01",
        cluster=1,
        namespace="data",
        ages=(),
        vm=_being_deleted,
        status="Terminating",
    ),
    Case(name="restored-01", cluster=0, namespace="erp", vm=_being_restored, status="Stopped"),
    # Needs no snapshots, by an objective.
    Case(name="agent-01", cluster=0, namespace="scratch", ages=()),
    Case(name="agent-02", cluster=0, namespace="scratch", ages=()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCase:
    """A cluster that cannot be read; `forbidden`: by the project that it is in."""

    name: str
    state: str = "Running"
    outage: tuple[int, str, str] | None = None
    forbidden: bool = False


_NOT_RUNNING = (400, "InvalidRequest", "the cluster is not in the state Running")

CLUSTER_CASES: tuple[ClusterCase, ...] = (
    ClusterCase(name="edge-oslo", state="Provisioning", outage=_NOT_RUNNING),
    ClusterCase(name="edge-rome", state="Deleting", outage=_NOT_RUNNING),
    ClusterCase(name="prod-finance", forbidden=True),
    ClusterCase(
        name="lab-paris",
        outage=(500, "InternalServerError", "the cluster's agent is not connected"),
    ),
)


def documents(case: Case, now: float) -> tuple[Document, list[Document]]:
    """Return the virtual machine of a case and its snapshots; a case looks the same each time."""
    rng, machine = Random(case.name), case.machine(now)  # noqa: S311
    document = machine.document
    case.vm(document, now)
    snapshots = [
        _nightly(machine, now - age * HOUR, serial, rng) for serial, age in enumerate(case.ages)
    ]
    for snapshot in snapshots:
        case.snapshot(snapshot, now)
    return document, snapshots


def _nightly(machine: Machine, at: float, serial: int, rng: Random) -> Document:
    document = stages.snapshot_document(
        name=f"{machine.name}-nightly-{serial:02d}",
        vm=machine.name,
        namespace=machine.namespace,
        requested_at=at,
        uid=new_uid(rng),
        source_uid=machine.uid,
        scheduled=True,
        included=machine.included,
        excluded=machine.excluded,
        indications=machine.indications(machine.printable_status),
    )
    return history.with_source_indications(document, machine)
