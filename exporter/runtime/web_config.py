"""Keeps the web configuration as its files are."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from exporter.clock import Clock
from exporter.runtime import from_settings
from exporter.runtime.reload import Commit
from exporter.settings import Settings, SettingsError, web_files
from exporter.settings.watch import SETTLED_AFTER, Watch
from exporter.web.guard.web_config import WebConfig, refusal

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class WebConfigLoader:
    """Reads the web configuration at the start, at a reload, and when its files change."""

    clock: Clock = field(default_factory=Clock)
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
        watch = Watch(files=lambda: _files(settings))
        config = await self._settled(settings, watch)
        if self._settings and (refused := refusal(self.current, config)):
            raise SettingsError([f"web.config_file: {refused}"])

        def commit() -> None:
            self._settings = settings
            self._watch.seen = watch.seen
            self.current = config
            _warn(config)

        return commit

    async def _settled(self, settings: Settings, watch: Watch) -> WebConfig:
        """Read files that have been the same for a second: half a file can be valid."""
        last, watch.seen = self._watch.seen, await asyncio.to_thread(watch.look)
        while self._settings and watch.seen != last:
            await self.clock.sleep(SETTLED_AFTER)
            last, watch.seen = watch.seen, await asyncio.to_thread(watch.look)
        return await asyncio.to_thread(from_settings.web_config, settings)

    async def run(self) -> None:
        """Follow the files; ends only when cancelled."""
        changed = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch.run(changed.set, self.clock), name="web config")
            while True:
                await changed.wait()
                changed.clear()
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


def _files(settings: Settings) -> tuple[Path, ...]:
    path = settings.web.config_file
    return () if path is None else web_files(path)


def _warn(config: WebConfig) -> None:
    if config.sent_headers != config.headers:
        log.warning("Strict-Transport-Security is not sent without TLS")
