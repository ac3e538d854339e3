"""The soak, for `make soak`: prints a table, and fails where the exporter grew, leaked or erred.

SOAK_SECONDS (600) is how long it takes; the exporter's clock runs sixty times as fast.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp

from tests.palette_server.server import API_KEY, PaletteServer
from tests.soak.exporter import EPOCH
from tests.soak.fleet import Fleet, spoil
from tests.soak.watched import Sample, Watched, scraped, watched

SPEED = 60.0
REFRESH = 60.0 / SPEED
"""Seconds, by a usual clock, between two refreshes."""

SCRAPERS = 3
STAGES = 10
"""Rows of the table; in the last fifth of each nothing changes and nothing fails."""

GROWTH = 0.03
"""The part by which resident memory may grow after the first stage."""

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


@dataclass(frozen=True, slots=True)
class Stage:
    """A tenth of the soak: the median memory in bytes, and at rest the least of the others."""

    seconds: float
    changes: int
    resident: float
    files: int
    tasks: int
    series: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:8.0f} {self.changes:8d} {self.resident / 2**20:10.1f}"
            f" {self.files:6d} {self.tasks:6d} {self.series:8d}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """All that takes part."""

    palette: PaletteServer
    fleet: Fleet
    exporter: Watched
    session: aiohttp.ClientSession
    origin: float

    @property
    def _now(self) -> float:
        return EPOCH + (time.monotonic() - self.origin) * SPEED

    async def stages(self, seconds: float) -> list[Stage]:
        """Live through all of it, and print each stage as it ends."""
        print(" seconds  changes  resident MiB  files  tasks   series", flush=True)
        stages = []
        for _ in range(STAGES):
            busy = await self._busy(seconds / STAGES * 0.8)
            stages.append(await self._at_rest(seconds / STAGES * 0.2, busy))
            print(stages[-1], flush=True)
        return stages

    async def _busy(self, seconds: float) -> list[Sample]:
        samples = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.fleet.change(self._now)
            if self.fleet.changes % 3 == 0:
                spoil(self.palette, self.fleet)
            await asyncio.sleep(REFRESH)
            samples.append(await self.exporter.sample())
        return samples

    async def _at_rest(self, seconds: float, busy: list[Sample]) -> Stage:
        self.palette.faults.clear()
        await asyncio.sleep(seconds / 2)
        end = time.monotonic() + seconds / 2
        calm = [await self.exporter.sample()]
        while time.monotonic() < end:
            await asyncio.sleep(0.05)
            calm.append(await self.exporter.sample())
        series = await self.exporter.series(self.session)
        return Stage(
            seconds=time.monotonic() - self.origin,
            changes=self.fleet.changes,
            resident=median(each.resident for each in busy + calm),
            files=min(each.files for each in calm),
            tasks=min(each.tasks for each in calm),
            series=len(series),
        )


async def scrape_for_good(url: str, number: int) -> None:
    """Be one of several Prometheus servers, each with habits of its own."""
    headers = {**(OPENMETRICS if number % 2 else {}), "Accept-Encoding": "gzip" * (number % 3)}
    async with aiohttp.ClientSession() as session:
        while True:
            await scraped(session, url, headers)
            await asyncio.sleep(REFRESH / 4)


def broken(stages: list[Stage], left: set[str]) -> list[str]:
    """Return the promises that were not kept; left: series that a fresh start tells otherwise."""
    growth = stages[-1].resident / stages[0].resident - 1
    print(f"resident memory grew by {100 * growth:.1f} % after the first stage")
    print(f"{len(left)} series differ from those of a fresh start")
    promises = {
        "resident memory grows": growth >= GROWTH,
        "open files grow": _grew([stage.files for stage in stages]),
        "tasks grow": _grew([stage.tasks for stage in stages]),
        "series differ from those of a fresh start": bool(left),
    }
    return [promise for promise, is_broken in promises.items() if is_broken]


def _grew(counts: list[int]) -> bool:
    """Tell whether there was never again as little as at first: at rest some may still be busy."""
    half = len(counts) // 2
    return min(counts[half:]) > min(counts[:half])


def configuration(folder: Path, url: str) -> Path:
    """Write a configuration that finds the clusters by itself."""
    key, path = folder / "key", folder / "config.yaml"
    key.write_text(API_KEY)
    key.chmod(0o600)
    tree = {
        "palette": {
            "url": url,
            "api_key_file": str(key),
            "requests_per_second": 1000,
            "burst": 1000,
            "timeout": "1s",
        },
        "refresh": {"interval": "1m", "stale_after": "5m"},
        "discovery": {"enabled": True, "interval": "1m"},
        "objectives": [{"max_age": "26h"}],
        "web": {"listen_address": "127.0.0.1:0"},
    }
    path.write_text(json.dumps(tree))  # which is YAML, too
    return path


async def soak(seconds: float, folder: Path) -> list[str]:
    """Return the promises that were broken."""
    origin = time.monotonic()
    fleet = Fleet.new(EPOCH)
    async with (
        PaletteServer(fleet.world, limits=None, now=lambda: EPOCH) as palette,
        aiohttp.ClientSession() as session,
    ):
        config = configuration(folder, palette.url)
        async with watched(config, SPEED, origin, folder / "log") as exporter:
            parts = Soak(
                palette=palette, fleet=fleet, exporter=exporter, session=session, origin=origin
            )
            async with asyncio.TaskGroup() as group:
                scrapers = [
                    group.create_task(scrape_for_good(exporter.url, number))
                    for number in range(SCRAPERS)
                ]
                stages = await parts.stages(seconds)
                for scraper in scrapers:
                    scraper.cancel()
            await asyncio.sleep(3 * REFRESH)
            old = await exporter.series(session)
            async with watched(config, SPEED, origin, folder / "fresh-log") as fresh:
                new = await fresh.series(session)
    return broken(stages, old ^ new)


def main() -> int:
    """Return 1 where a promise is broken."""
    seconds = float(os.environ.get("SOAK_SECONDS", "600"))
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(soak(seconds, Path(folder)))
    for promise in found:
        print(f"BROKEN: {promise}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
