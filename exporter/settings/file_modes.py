"""Warnings about files with secrets that every user of the machine can read."""

import stat
from collections.abc import Iterator, MutableSet
from contextlib import suppress
from pathlib import Path

import structlog

from exporter.settings import Settings, SettingsError, read_web_file
from exporter.settings.yaml_file import mapping

log = structlog.get_logger()


def warn_world_readable(
    settings: Settings, config_file: Path | None, warned: MutableSet[Path]
) -> None:
    """Warn about each file with a secret that every user can read, once; warned: the files so far.

    config_file: the file that the settings come from.
    """
    for key, path in secret_files(settings, config_file):
        with suppress(OSError):
            mode = stat.S_IMODE(path.stat().st_mode)  # of what a link leads to
            # A group can read: that is how Kubernetes hands a secret to a pod (fsGroup).
            if mode & stat.S_IROTH and path not in warned:
                warned.add(path)
                found = f"{mode:04o}"
                log.warning("secret file is world-readable", key=key, path=str(path), mode=found)


def secret_files(settings: Settings, config_file: Path | None) -> Iterator[tuple[str, Path]]:
    """Yield each file with a secret in it, after the key that names it."""
    palette, web = settings.palette, settings.web
    named = {
        "palette.api_key_file": palette.api_key_file,
        "palette.password_file": palette.password_file,
        "palette.tls.key_file": palette.tls.key_file,
        # Without a file of its own, the key is next to the certificate.
        "palette.tls.cert_file": None if palette.tls.key_file else palette.tls.cert_file,
    }
    with suppress(SettingsError):
        if config_file and _has_secret(config_file):
            yield "config.file", config_file
    yield from ((key, path) for key, path in named.items() if path)
    with suppress(SettingsError):
        if web.config_file:
            found = read_web_file(web.config_file)
            if found.has_secrets:
                yield "web.config_file", web.config_file
            if found.tls_server_config.key_file:
                key = "web.config_file: tls_server_config.key_file"
                yield key, found.tls_server_config.key_file


def _has_secret(config_file: Path) -> bool:
    """Return whether the file holds a secret, and not only the names of files with one."""
    palette = mapping(config_file).get("palette")
    return isinstance(palette, dict) and (
        "api_key" in palette or "@" in str(palette.get("proxy_url", ""))
    )
