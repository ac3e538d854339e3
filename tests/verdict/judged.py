"""Documents of one cluster, decoded and judged by the exporter's functions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from exporter.findings import Finding, Judgement, findings, is_current, judge
from exporter.findings.subject import Moment, Subject, subjects
from exporter.palette import wire
from exporter.snapshot import Cluster, ClusterState, Listing, NamedSnapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.rollup import Objective
    from exporter.verdict import Verdict

NOW = 1_795_642_416.0
"""2026-11-25T21:33:36Z, the clock of the documents in payloads/verdict."""

HOUR, DAY = 3_600.0, 86_400.0
CLUSTER = Cluster(uid="6540a1", name="prod-east", state="Running")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The exporter's judgement of one VM."""

    subject: Subject
    judgement: Judgement
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict

    @property
    def problems(self) -> list[str]:
        return [finding.problem.name for finding in self.findings]

    @property
    def unprotected(self) -> dict[str, tuple[str, ...]] | None:
        volumes = self.subject.row.unprotected
        return None if volumes is None else asdict(volumes)


def rfc3339(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def state_of(
    vms: Sequence[Any], snapshots: Sequence[Any], named: Sequence[NamedSnapshot] = ()
) -> ClusterState:
    """Return the state of a cluster that answered with these documents."""
    machines = wire.virtual_machine_page(_list(vms), lambda _: None).items
    found = wire.snapshot_page(_list(snapshots), lambda _: None).items
    listing = Listing(
        snapshots=found,
        virtual_machines=machines,
        known_machines=frozenset(vm.key for vm in machines),
        namespaces=frozenset(),
        read_at=0.0,
    )
    return ClusterState(
        cluster=CLUSTER,
        up=True,
        last_success=NOW,
        refreshed_at=NOW,
        listing=listing,
        named=tuple(named),
    )


def _list(documents: Sequence[Any]) -> bytes:
    return json.dumps({"metadata": {}, "items": list(documents)}).encode()


def judged_of(
    state: ClusterState, objectives: Sequence[Objective] = (), now: float = NOW
) -> list[Judged]:
    """Return the judgement of each VM."""
    at, current = Moment(now), is_current(state, now)
    return [
        Judged(
            subject=each,
            judgement=judge(each, at, current=current),
            findings=findings(each, at),
        )
        for each in subjects(state, objectives)
    ]


def judged(
    vm: Any, *snapshots: Any, objectives: Sequence[Objective] = (), now: float = NOW
) -> Judged:
    """Return the judgement of one VM with its snapshots."""
    everything = judged_of(state_of([vm], snapshots), objectives, now)
    (found,) = (each for each in everything if each.subject.vm)
    return found


def vm_document(
    volumes: Sequence[Any] | None = None,
    statuses: Sequence[Any] | None = None,
    *,
    age: float | None = 90 * DAY,
    **metadata: Any,
) -> dict[str, Any]:
    """Return a VM; volumes of its spec and statuses are left out if they are None."""
    created = None if age is None else rfc3339(NOW - age)
    document: dict[str, Any] = {
        "metadata": {"name": "db", "namespace": "vms", "creationTimestamp": created, **metadata},
        "status": {"printableStatus": "Running"},
    }
    if volumes is not None:
        document["spec"] = {"template": {"spec": {"volumes": list(volumes)}}}
    if statuses is not None:
        document["status"]["volumeSnapshotStatuses"] = list(statuses)
    return document


def snapshot_document(
    included: Sequence[str] | None = ("root",),
    excluded: Sequence[str] = (),
    *,
    name: str = "s",
    age: float = 2 * HOUR,
    **status: Any,
) -> dict[str, Any]:
    """Return a good snapshot of the VM; included None: its volumes are not known."""
    at = rfc3339(NOW - age)
    lists = {"includedVolumes": list(included or ()), "excludedVolumes": list(excluded)}
    return {
        "metadata": {"name": name, "namespace": "vms", "creationTimestamp": at},
        "spec": {"source": {"kind": "VirtualMachine", "name": "db"}},
        "status": {
            "phase": "Succeeded",
            "readyToUse": True,
            "creationTime": at,
            "snapshotVolumes": None if included is None else lists,
            **status,
        },
    }
