"""Settings: every key, read from flags, environment and file, checked before anything starts."""

from exporter.settings.credential import ApiKey, Credential, Login
from exporter.settings.faults import SettingsError
from exporter.settings.load import load
from exporter.settings.model import (
    Discovery,
    Log,
    Objective,
    Palette,
    Probe,
    Refresh,
    Settings,
    Target,
    Web,
)
from exporter.settings.schema import Leaf, leaves
from exporter.settings.tls import Tls

__all__ = [
    "ApiKey",
    "Credential",
    "Discovery",
    "Leaf",
    "Log",
    "Login",
    "Objective",
    "Palette",
    "Probe",
    "Refresh",
    "Settings",
    "SettingsError",
    "Shard",
    "Target",
    "Tls",
    "Web",
    "leaves",
    "load",
]
