"""Settings: every key, read from flags, environment and file, checked before anything starts."""

from exporter.settings.faults import SettingsError
from exporter.settings.model import Settings, Shard
from exporter.settings.palette import Credential, Tls
from exporter.settings.schema import Leaf, leaves
from exporter.settings.source import load
from exporter.settings.watched import Objective, Refresh
from exporter.settings.web_file import WebFile, read_web_file, web_files

__all__ = [
    "Credential",
    "Leaf",
    "Objective",
    "Refresh",
    "Settings",
    "SettingsError",
    "Shard",
    "Tls",
    "WebFile",
    "leaves",
    "load",
    "read_web_file",
    "web_files",
]
