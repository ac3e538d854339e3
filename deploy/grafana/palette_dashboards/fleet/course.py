"""How the fleet has fared, and where in it how well."""

from palette_dashboards.fleet.selection import (
    ALL_OR_NOT,
    CLUSTER_UID,
    COMPLIANCE,
    COVERAGE,
    NONE_OR_WARN,
    PLACE,
    RECORDED,
    SNAPSHOTS,
    VMS,
)
from palette_dashboards.panels import (
    BAD,
    GOOD,
    NEUTRAL,
    NOTICE,
    WARN,
    About,
    AnyPanel,
    Column,
    Query,
    bars,
    lines,
    rows,
)
from palette_dashboards.promql import (
    CLUSTER,
    IN_CLUSTER,
    IN_NAMESPACE,
    NAMESPACE,
    count,
    once,
)

PHASES = {
    "Succeeded": GOOD,
    "InProgress": NEUTRAL,
    "Failed": BAD,
    "Deleting": "purple",
    "Unknown": "text",
}


def course() -> list[AnyPanel]:
    """Return curves of the fleet, and how its machines and snapshots are spread."""
    used = VMS.objective_used
    good = SNAPSHOTS.good
    failed = SNAPSHOTS.indicated("NoGuestAgent|QuiesceTimeout|QuiesceFailed|Paused")
    online, agent = SNAPSHOTS.indicated("Online"), SNAPSHOTS.indicated("GuestAgent")
    quiesced = f"({good} and {agent} unless {failed})"
    not_quiesced = f"({good} and ({online} or {failed}) unless {quiesced})"
    off = f"({good} unless {online} unless {agent} unless {failed})"
    return [
        lines(
            About(
                title="Coverage and objective compliance",
                description="Share of the virtual machines with a restorable snapshot, and of "
                f"those with an objective that meet it. {RECORDED}",
                width=6,
            ),
            Query(expr=COVERAGE, legend="coverage"),
            Query(expr=COMPLIANCE, legend="objective compliance"),
            unit="percentunit",
            bounds=(0, 1),
        ),
        lines(
            About(
                title="Snapshots",
                description="Snapshots of the machines that are watched as a whole: all, those "
                "that are ready to use, those that would bring back data, and those that failed.",
                width=6,
            ),
            *(
                Query(expr=f"sum({VMS(metric)})", legend=legend)
                for metric, legend in (
                    ("snapshots", "all"),
                    ("ready_snapshots", "ready"),
                    ("restorable_snapshots", "restorable"),
                    ("failed_snapshots", "failed"),
                )
            ),
            bounds=(0, None),
            colors={"all": NEUTRAL, "ready": NOTICE, "restorable": GOOD, "failed": BAD},
            points=200,
        ),
        bars(
            About(
                title="Phases",
                description="How many snapshots are in each phase, as KubeVirt reports it.",
                width=4,
            ),
            *(Query(expr=count(SNAPSHOTS.in_phase(phase)), legend=phase) for phase in PHASES),
            colors=PHASES,
        ),
        bars(
            About(
                title="Objective used",
                description="Virtual machines by how much of their own objective the time without "
                "a restorable snapshot is.",
                width=4,
            ),
            Query(expr=count(f"{used} <= 0.5"), legend="up to half"),
            Query(expr=count(f"({used} > 0.5) <= 1"), legend="up to all"),
            Query(expr=count(f"({used} > 1) <= 2"), legend="up to twice"),
            Query(expr=count(f"{used} > 2"), legend="more"),
            Query(
                expr=count(
                    f"{VMS('restorable_snapshots')} unless {VMS('snapshot_objective_seconds')}"
                ),
                legend="no objective",
            ),
            colors={
                "up to half": GOOD,
                "up to all": NOTICE,
                "up to twice": WARN,
                "more": BAD,
                "no objective": "text",
            },
        ),
        bars(
            About(
                title="Consistency",
                description="Restorable snapshots by how they were taken: with the guest agent "
                "freezing the file systems, of a running machine without that (as after a power "
                "cut), or of a machine that was off.",
                width=4,
                runbook="PaletteVMOnlyCrashConsistent",
            ),
            Query(expr=count(quiesced), legend="quiesced"),
            Query(expr=count(not_quiesced), legend="as after a power cut"),
            Query(expr=count(off), legend="VM was off"),
            colors={"quiesced": GOOD, "as after a power cut": WARN, "VM was off": NEUTRAL},
        ),
    ]


def places() -> list[AnyPanel]:
    """Return how clusters and namespaces do."""

    def by(labels: str, record: str) -> str:
        series = once(NAMESPACE, f"{record}{{{IN_NAMESPACE}}}")
        return f"sum by ({labels}) ({series})"

    def ratios(labels: str) -> list[Query]:
        vms = by(labels, "cluster_namespace:palette_vms:count")
        covered = by(labels, "cluster_namespace:palette_vms_covered:sum")
        within = by(labels, "cluster_namespace:palette_vms_within_objective:sum")
        asked = by(labels, "cluster_namespace:palette_vms_with_objective:count")
        failed = f"sum by ({labels}) ({VMS('failed_snapshots')})"
        ratio = (f"{covered} / {vms}", f"{within} / {asked}")
        return [Query(expr=expr) for expr in (vms, *ratio, failed)]

    def in_cluster(metric: str) -> str:
        return once(CLUSTER, f"palette_cluster_{metric}{{{IN_CLUSTER}}}")

    numbers = (
        Column(field="Value #A", title="VMs", width=70),
        Column(field="Value #B", title="Coverage", unit="percentunit", steps=ALL_OR_NOT),
        Column(field="Value #C", title="Compliance", unit="percentunit", steps=ALL_OR_NOT),
        Column(field="Value #D", title="Failed snapshots", steps=NONE_OR_WARN),
    )
    return [
        rows(
            About(
                title="Clusters",
                description="Coverage and compliance of each cluster, and when it was last read "
                f"from Palette. {RECORDED}",
                runbook="PaletteClusterStale",
            ),
            [
                *ratios(CLUSTER),
                Query(expr=in_cluster("up")),
                Query(expr=f"time() - {in_cluster('last_success_timestamp_seconds')}"),
            ],
            [
                PLACE[0],
                *numbers,
                Column(
                    field="Value #E", title="Read", values={"0": ("no", BAD), "1": ("yes", GOOD)}
                ),
                Column(field="Value #F", title="Since last read", unit="s"),
                CLUSTER_UID,
            ],
            sort="Compliance",
            descending=False,
        ),
        rows(
            About(
                title="Namespaces",
                description=f"Coverage and compliance of each namespace. {RECORDED}",
            ),
            ratios(NAMESPACE),
            [*PLACE[:2], *numbers, CLUSTER_UID],
            sort="Compliance",
            descending=False,
        ),
    ]
