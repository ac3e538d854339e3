"""One word for how far a snapshot has come; pure."""

from exporter.findings.moment import Moment
from exporter.findings.snapshots import hangs_since, lost_since, unfinished, without_disks
from exporter.snapshot import Snapshot, VirtualMachine

STAGES = {
    "deleting": ("Being deleted", "quiet"),
    "failed": ("Failed", "bad"),
    "lost": ("Data lost", "bad"),
    "without_disks": ("Ready, without disks", "warning"),
    "ready": ("Ready", "good"),
    "succeeded": ("Succeeded, not ready", "quiet"),
    "hanging": ("Hangs", "warning"),
    "in_progress": ("In progress", "quiet"),
    "unknown": ("Unknown phase", "warning"),
}
"""Word in the JSON -> words and tone on the page; the first that applies counts."""


def stage(snapshot: Snapshot, vm: VirtualMachine | None, now: float) -> str:
    """Return a key of STAGES."""
    lost, hangs = lost_since(snapshot, Moment(now)), hangs_since(snapshot)
    applies = {
        "deleting": snapshot.deleting,
        "failed": snapshot.failed,
        "lost": lost is not None and lost <= now,
        "without_disks": without_disks(snapshot, vm),
        "ready": snapshot.ready_to_use,
        "succeeded": snapshot.phase == "Succeeded",
        "hanging": hangs is not None and hangs <= now,
        "in_progress": unfinished(snapshot),
        "unknown": True,
    }
    return next(key for key in STAGES if applies[key])
