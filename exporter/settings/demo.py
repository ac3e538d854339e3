"""The defaults of ``--demo``: objectives of each kind for the namespaces of its fleet."""

from typing import Any

DEMO_DEFAULTS: dict[str, Any] = {
    "refresh": {"interval": "5s", "stale_after": "1m"},
    "discovery": {"enabled": True, "interval": "15s"},
    "labels": {"owner": "example.com/owner", "vm": ["tier", "app.kubernetes.io/part-of"]},
    "objectives": [
        {"namespace": "scratch", "exempt": True},
        {
            "namespace": "shop",
            "labels": {"tier": "gold"},
            "max_age": "26h",
            "min_snapshots": 3,
            "max_snapshots": 14,
            "max_snapshot_age": "30d",
            "quiesced": True,
            "ignore_volumes": ["scratch"],
        },
        {"namespace": "shop|erp|data", "max_age": "26h", "ignore_volumes": ["scratch"]},
        {"namespace": "platform", "max_age": "8d"},
        # The desktops have no objective.
    ],
}
"""What neither flags nor the environment nor a file gives."""
