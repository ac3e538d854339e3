"""Prometheus exporter for virtual machine snapshots on Spectro Cloud Palette."""

from pathlib import Path

__version__ = "0.1.0"


def revision() -> str:
    """Return the commit that the package was built from; "unknown" in a checkout."""
    try:
        return Path(__file__).with_name("REVISION").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
