"""Warnings about files with secrets that every user of the machine can read."""

import stat
from collections.abc import Iterator, MutableSet
from contextlib import suppress
from pathlib import Path

import structlog

from exporter.settings import Settings, SettingsError, read_web_file
from exporter.settings.yaml_file import content, mapping

log = structlog.get_logger()


def warn_world_readable(
    settings: Settings, config_file: Path | None, warned: MutableSet[Path]
) -> None:
    """Warn about each file with a secret that every user can read, once; warned: the files so far.

    config_file: the file that the settings come from.
    """
    for key, path in secret_files(settings, config_file):
        mode = _mode(path)
        # A group can read: that is how Kubernetes hands a secret to a pod (fsGroup).
        if mode & stat.S_IROTH and path not in warned:
            warned.add(path)
            found = f"{mode:04o}"
            log.warning("secret file is world-readable", key=key, path=str(path), mode=found)


def secret_files(settings: Settings, config_file: Path | None) -> Iterator[tuple[str, Path]]:
    """Yield each file with a secret in it, after the key that names it."""
    palette, web = settings.palette, settings.web
    named = (
        ("config.file", config_file if config_file and _has_secret(config_file) else None),
        ("palette.api_key_file", palette.api_key_file),
        ("palette.password_file", palette.password_file),
        ("palette.tls.key_file", palette.tls.key_file),
        # Without a file of its own, the key is next to the certificate.
        ("palette.tls.cert_file", None if palette.tls.key_file else palette.tls.cert_file),
        *(_of_web_file(web.config_file) if web.config_file else ()),
    )
    for key, path in named:
        if path is not None:
            yield key, path


def _has_secret(config_file: Path) -> bool:
    """Return whether the file holds a secret, and not only the names of files with one."""
    with suppress(SettingsError):
        palette = mapping(content(config_file)).get("palette")
        if isinstance(palette, dict):
            return "api_key" in palette or "@" in str(palette.get("proxy_url", ""))
    return False


def _of_web_file(path: Path) -> Iterator[tuple[str, Path | None]]:
    with suppress(SettingsError):
        said = read_web_file(path)
        yield "web.config_file", path if said.has_secrets else None
        yield "web.config_file: tls_server_config.key_file", said.tls_server_config.key_file


def _mode(path: Path) -> int:
    """Return the permissions of a file, of what a link leads to; 0 where there is none."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0
