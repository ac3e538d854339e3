"""Settings: every key, read from flags, environment and file, checked before anything starts."""

from exporter.settings.credential import ApiKey, Credential, Login
from exporter.settings.faults import FileError, SettingsError
from exporter.settings.load import files, has_secret, load
from exporter.settings.model import (
    Discovery,
    Labels,
    Log,
    Metrics,
    Objective,
    Palette,
    Probe,
    Refresh,
    Settings,
    Shard,
    Target,
    Web,
)
from exporter.settings.schema import Leaf, leaves
from exporter.settings.tls import Tls
from exporter.settings.web_file import WebFile, read_web_file

__all__ = [
    "ApiKey",
    "Credential",
    "Discovery",
    "FileError",
    "Labels",
    "Leaf",
    "Log",
    "Login",
    "Metrics",
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
    "WebFile",
    "files",
    "has_secret",
    "leaves",
    "load",
    "read_web_file",
]
