"""Keeps the web configuration as its files are."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from exporter.clock import Clock
from exporter.runtime.reload import Commit
from exporter.settings import Settings, SettingsError, WebFile, read_web_file, web_files
from exporter.settings.files import Watch
from exporter.web.guard.web_config import HSTS, WebConfig, normalized, refusal

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class WebConfigLoader:
    """Reads the web configuration at the start, at a reload, and when its files change."""

    current: WebConfig = field(default_factory=WebConfig, init=False)
    _settings: Settings | None = field(default=None, init=False)
    _watch: Watch = field(init=False)
    _refused: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(files=lambda: _files(self._settings) if self._settings else ())

    async def prepare(self, settings: Settings) -> Commit:
        """Read the files, and return what makes the result active.

        Raises SettingsError where they are invalid, or less strict in a way that needs a restart.
        """
        watch = Watch(files=lambda: _files(settings), seen=self._watch.seen)
        if self._settings:
            watch.seen = await watch.settled(Clock())
        else:  # the start does not wait: nothing is active that half a file could replace
            watch.seen = await asyncio.to_thread(watch.look)
        config = await asyncio.to_thread(web_config, settings)
        if self._settings and (refused := refusal(self.current, config)):
            raise SettingsError([f"web.config_file: {refused}"])

        def commit() -> None:
            self._settings, self._watch.seen, self.current = settings, watch.seen, config
            if config.context is None and HSTS in config.headers:
                log.warning("Strict-Transport-Security is not sent without TLS")

        return commit

    async def run(self) -> None:
        """Follow the files; ends only when cancelled."""
        while True:
            await self._watch.changed(Clock())
            await self._follow()

    async def _follow(self) -> None:
        assert self._settings
        try:
            commit = await self.prepare(self._settings)
        except SettingsError as error:
            refused, self._refused = self._refused, str(error)
            if refused != self._refused:
                log.error("web configuration refused", reason=self._refused)  # noqa: TRY400
            return
        commit()
        self._refused = ""
        log.info("web configuration reloaded")


def web_config(settings: Settings) -> WebConfig:
    """Return what the web settings and their files mean. Raises SettingsError."""
    web = settings.web
    try:
        file = read_web_file(web.config_file) if web.config_file else WebFile()
    except SettingsError as error:
        raise SettingsError(f"web.config_file: {fault}" for fault in error.faults) from None
    hosts = (web.address[0] or "", *web.allowed_hosts)
    tls = file.tls_server_config
    sans = tls.client_allowed_sans
    return WebConfig(
        users={
            name: hashed.get_secret_value().encode()
            for name, hashed in file.basic_auth_users.items()
        },
        headers=file.http_server_config.headers,
        context=tls.context,
        allowed_names=None if sans is None else frozenset(map(normalized, sans)),
        interval=file.rate_limit.interval,
        burst=file.rate_limit.burst,
        open_health_paths=web.open_health_paths,
        max_requests=web.max_requests,
        allowed_hosts=frozenset(host.lower() for host in hosts),
        enable_lifecycle=web.enable_lifecycle,
    )


def _files(settings: Settings) -> tuple[Path, ...]:
    return web_files(settings.web.config_file) if settings.web.config_file else ()
