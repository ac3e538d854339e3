"""Settings: every key, read from flags, environment and file, checked before anything starts."""

from exporter.settings.faults import SettingsError
from exporter.settings.load import files, load
from exporter.settings.model import Settings
from exporter.settings.palette import Credential, Palette, Tls
from exporter.settings.schema import Leaf, leaves
from exporter.settings.serving import Labels, Log, Metrics, Probe, Shard, Web
from exporter.settings.watched import Discovery, Objective, Refresh, Target
from exporter.settings.web_file import WebFile, read_web_file, web_files

__all__ = [
    "Credential",
    "Discovery",
    "Labels",
    "Leaf",
    "Log",
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
    "leaves",
    "load",
    "read_web_file",
    "web_files",
]
