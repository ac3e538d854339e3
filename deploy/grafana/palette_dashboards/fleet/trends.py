"""Snapshots over time, and how machines and snapshots are spread."""

from palette_dashboards.counts import counts
from palette_dashboards.fleet.selection import SNAPSHOTS, VMS, WATCHED
from palette_dashboards.panels import (
    BAD,
    GOOD,
    NEUTRAL,
    NOTICE,
    WARN,
    About,
    AnyPanel,
    Query,
    bars,
)
from palette_dashboards.promql import count

PHASES = {
    "Succeeded": GOOD,
    "InProgress": NEUTRAL,
    "Failed": BAD,
    "Deleting": "purple",
    "Unknown": "text",
}
EVERY = SNAPSHOTS.every("ready")


def trends() -> list[AnyPanel]:
    """Return curves of the snapshots, and how they and the machines are spread."""
    return [_snapshots(), _phases(), _objective_used(), _consistency()]


def _snapshots() -> AnyPanel:
    return counts(
        About(
            title="Snapshots",
            description="Snapshots of the machines that are watched as a whole: all, those "
            "that are ready to use, those that are restorable, and those that failed.",
            width=6,
        ),
        VMS,
        points=200,
    )


def _phases() -> AnyPanel:
    return bars(
        About(
            title="Phases",
            description="How many snapshots are in each phase, as KubeVirt reports it.",
            width=6,
        ),
        *(Query(expr=count(SNAPSHOTS.in_phase(phase), of=EVERY), legend=phase) for phase in PHASES),
        colors=PHASES,
    )


def _objective_used() -> AnyPanel:
    used, objective = VMS.objective_used, VMS("snapshot_objective_seconds")
    free = f"({VMS('restorable_snapshots')} unless {objective})"
    shares = (
        ("up to half", f"{used} <= 0.5", GOOD),
        ("up to all", f"({used} > 0.5) <= 1", NOTICE),
        ("up to twice", f"({used} > 1) <= 2", WARN),
        ("more", f"{used} > 2", BAD),
        ("no objective", free, "text"),
    )
    return bars(
        About(
            title="Objective used",
            description="Virtual machines by how much of their own objective the time since "
            "their recovery point, or else their creation, is.",
            width=6,
        ),
        *(Query(expr=count(vector, of=WATCHED), legend=legend) for legend, vector, _ in shares),
        colors={legend: color for legend, _, color in shares},
    )


def _consistency() -> AnyPanel:
    good = SNAPSHOTS.good
    failed = SNAPSHOTS.indicated("NoGuestAgent|QuiesceTimeout|QuiesceFailed|Paused")
    online, agent = SNAPSHOTS.indicated("Online"), SNAPSHOTS.indicated("GuestAgent")
    quiesced = f"({good} and {agent} unless {failed})"
    not_quiesced = f"({good} and ({online} or {failed}) unless {quiesced})"
    off = f"({good} unless {online} unless {agent} unless {failed})"
    return bars(
        About(
            title="Consistency",
            description="Restorable snapshots by how they were taken: with the guest agent "
            "freezing the file systems, of a running machine without that (as after a power "
            "cut), or of a machine that was off.",
            width=6,
            runbook="PaletteVMOnlyCrashConsistent",
        ),
        Query(expr=count(quiesced, of=EVERY), legend="quiesced"),
        Query(expr=count(not_quiesced, of=EVERY), legend="as after a power cut"),
        Query(expr=count(off, of=EVERY), legend="VM was off"),
        colors={"quiesced": GOOD, "as after a power cut": WARN, "VM was off": NEUTRAL},
    )
