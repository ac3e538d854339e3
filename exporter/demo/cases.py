"""VMs and clusters that a fleet seldom has at the same time: one for each problem.

They do not change with time, so that each keeps its one problem.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from exporter.demo import history, stages
from exporter.demo.changes import (
    HOUR,
    being_deleted,
    being_restored,
    deletion_hangs,
    lost_at_unknown_time,
    of_clone,
    of_unknown_age,
    source_indications_only,
    stuck_until_deadline,
    time_as_text,
    time_unset,
    uploading,
    without_spec,
    without_volumes,
)
from exporter.demo.documents import Document, object_uid
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

NIGHTLY = (3.0, 27.0, 51.0)

Change = Callable[[Document, float], object]
"""Changes the document of the VM or of a snapshot; the number is the time."""


def _nothing(_document: Document, _now: float) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One virtual machine with its snapshots.

    `cluster`: index of the cluster. `ages`: hours since the requests of the snapshots. `created`:
    days since the creation of the VM. `vm` and `snapshot` change the documents of the VM and of
    each snapshot.
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


_NFS = without_class("datadisk", "nfs-storage")
_TOOLS = of_no_claim("virtio-tools", "containerDisk")

CASES: tuple[Case, ...] = (
    # A data disk that no snapshot holds. KubeVirt 1.9 marks the snapshot as partial; before, only
    # the names of the volumes show it.
    Case(name="nfs-01", cluster=0, namespace="erp", volumes=(ROOT, _NFS, _TOOLS)),
    Case(name="nfs-02", cluster=1, namespace="erp", volumes=(ROOT, _NFS, _TOOLS)),
    Case(
        name="multi-01",
        cluster=1,
        namespace="data",
        volumes=(ROOT, with_two_classes("datadisk", "multi")),
        snapshot=stuck_until_deadline,
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
    # TPM state and memory dumps, which are not data.
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
    # Values that are unknown.
    Case(name="no-spec-01", cluster=2, namespace="data", volumes=(ROOT, _NFS), vm=without_spec),
    Case(name="no-spec-02", cluster=2, namespace="data", vm=without_volumes),
    Case(name="time-text-01", cluster=1, namespace="erp", snapshot=time_as_text),
    Case(name="time-unset-01", cluster=1, namespace="erp", ages=(190,), snapshot=time_unset),
    Case(name="age-unknown-01", cluster=2, namespace="data", ages=(), vm=of_unknown_age),
    Case(name="lost-01", cluster=0, namespace="data", snapshot=lost_at_unknown_time),
    # Snapshots that protect less than they seem to.
    Case(
        name="no-agent-01",
        cluster=0,
        namespace="shop",
        tier="gold",
        agent=False,
        snapshot=source_indications_only,
    ),
    Case(name="deletion-01", cluster=1, namespace="erp", snapshot=deletion_hangs),
    Case(name="uploading-01", cluster=1, namespace="erp", ages=(1, 25), snapshot=uploading),
    Case(name="clone-01", cluster=0, namespace="erp", ages=(1, 50, 74), snapshot=of_clone),
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
    # VMs that are created, deleted or restored.
    Case(name="new-01", cluster=0, namespace="desktops", ages=(), created=0.1),
    Case(
        name="leaving-01",
        cluster=1,
        namespace="data",
        ages=(),
        vm=being_deleted,
        status="Terminating",
    ),
    Case(name="restored-01", cluster=0, namespace="erp", vm=being_restored, status="Stopped"),
    # VMs that an objective exempts.
    Case(name="agent-01", cluster=0, namespace="scratch", ages=()),
    Case(name="agent-02", cluster=0, namespace="scratch", ages=()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCase:
    """A cluster that cannot be read; `forbidden`: the key has no access to its project."""

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
    """Return the VM of a case and its snapshots; the result is the same each time."""
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
