"""The soak, for `make soak`: prints a table; fails if the exporter grew, leaked or was wrong.

SOAK_SECONDS (600) is its duration; the exporter's clock runs sixty times as fast. With
SOAK_LEAK=1 the exporter keeps one object for each refresh, and the soak must fail.
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
from tests.process import eventually
from tests.soak.exporter import EPOCH
from tests.soak.fleet import CLUSTERS, Fleet
from tests.soak.judge import SETTLING, Measured, broken
from tests.soak.watched import Sample, Watched, scraped, watched

SPEED = 60.0
REFRESH = 60.0 / SPEED
"""Seconds of real time between two refreshes."""

SCRAPERS = 3
MIB = 2**20
STAGES = 10
"""Rows of the table; without changes and faults in the last tenth of each."""

GROWTH = 0.03
"""The share of resident memory from which a rising trend is growth."""

POOL = 2 * CLUSTERS
"""Connections that can be open at rest: two requests for each cluster run at a time."""

STEADY = 20
"""Number of counts, a twentieth of a second apart, whose minimum is the value at rest."""

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The measurements of one tenth of the soak.

    resident: bytes, the median; peak: bytes, the highest; files, connections, tasks, objects: the
    least at rest.
    """

    seconds: float
    changes: int
    resident: float
    peak: float
    files: int
    connections: int
    tasks: int
    objects: int
    series: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:8.0f} {self.changes:8d} {self.resident / MIB:10.1f}"
            f" {self.peak / MIB:10.1f} {self.files:6d} {self.connections:12d} {self.tasks:6d}"
            f" {self.objects:8d} {self.series:7d}"
        )


HEADING = " seconds  changes   resident   peak MiB  files  connections  tasks  objects  series"


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """The parts of a soak."""

    palette: PaletteServer
    fleet: Fleet
    exporter: Watched
    session: aiohttp.ClientSession
    origin: float

    @property
    def _now(self) -> float:
        return EPOCH + (time.monotonic() - self.origin) * SPEED

    async def stages(self, seconds: float) -> list[Stage]:
        """Run all stages, and print each at its end."""
        print(HEADING, flush=True)
        stages = []
        for _ in range(STAGES):
            busy = await self._busy(seconds / STAGES * 0.9)
            stages.append(await self._at_rest(seconds / STAGES * 0.1, busy))
            print(stages[-1], flush=True)
        return stages

    async def _busy(self, seconds: float) -> list[Sample]:
        samples = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.fleet.change(self._now)
            if self.fleet.changes % 3 == 0:
                self.fleet.spoil(self.palette)
            await asyncio.sleep(REFRESH)
            samples.append(await self.exporter.sample())
        return samples

    async def _at_rest(self, seconds: float, busy: list[Sample]) -> Stage:
        self.palette.faults.clear()
        await asyncio.sleep(seconds)
        series = await eventually(self._all_read, within=60)
        calm: list[Sample] = []
        objects: list[int] = []
        async with self.exporter.paused():
            while not _steady(objects):
                await asyncio.sleep(0.05)
                calm.append(await self.exporter.sample())
                objects.append(await self.exporter.ask("objects"))
        return Stage(
            seconds=time.monotonic() - self.origin,
            changes=self.fleet.changes,
            resident=median(each.resident for each in busy + calm),
            peak=max(each.resident for each in busy + calm),
            files=min(each.files for each in calm),
            connections=min(each.connections for each in calm),
            tasks=min(each.tasks for each in calm),
            objects=min(objects),
            series=len(series),
        )

    async def _all_read(self) -> set[str]:
        """Return the series once every cluster has been read since the last fault."""
        lines = await self.exporter.series(self.session)
        up = [line for line in lines if line.startswith("palette_cluster_up{")]
        every = len(up) == CLUSTERS and all(float(line.rsplit(" ", 1)[1]) for line in up)
        return lines if every else set()


def _steady(counts: list[int]) -> bool:
    """Return whether the minimum is some counts old: no refresh is running any more.

    This takes longer on a busy machine. Scrapes continue, and are in some of the counts.
    """
    earlier, latest = counts[:-STEADY], counts[-STEADY:]
    return len(earlier) >= STEADY and (min(earlier) <= min(latest) or len(earlier) > 20 * STEADY)


async def scrape_for_good(url: str, number: int) -> None:
    """Scrape like one of several Prometheus servers, each with its own settings."""
    headers = {**(OPENMETRICS if number % 2 else {}), "Accept-Encoding": "gzip" * (number % 3)}
    async with aiohttp.ClientSession() as session:
        while True:
            await scraped(session, url, headers)
            await asyncio.sleep(REFRESH / 4)


def measured(stages: list[Stage]) -> dict[str, Measured]:
    """Return the values to judge, by name."""
    resident = [stage.resident / MIB for stage in stages]
    peaks = [stage.peak / MIB for stage in stages]
    files = [stage.files for stage in stages]
    connections = [stage.connections for stage in stages]
    # A leak of one object a refresh fails; the fewer new label values of counters do not.
    refreshes = CLUSTERS * stages[-1].changes * (1 - SETTLING)
    return {
        "resident memory, MiB": Measured(
            values=resident, peaks=peaks, least=GROWTH * median(resident)
        ),
        "open files": Measured(values=files, least=POOL, swing=POOL),
        "connections": Measured(values=connections, least=POOL, swing=POOL),
        "tasks": Measured(values=[stage.tasks for stage in stages], least=1),
        "objects": Measured(values=[stage.objects for stage in stages], least=refreshes / 2),
    }


def configuration(folder: Path, url: str) -> Path:
    """Write a configuration that discovers the clusters."""
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
    """Return a sentence for each violation."""
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
    print(f"{len(old ^ new)} series differ from those of a fresh start")
    wrong = [f"{len(old ^ new)} series differ from those of a fresh start"] if old ^ new else []
    return broken(measured(stages)) + wrong


def main() -> int:
    """Return 1 if there is a violation."""
    seconds = float(os.environ.get("SOAK_SECONDS", "600"))
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(soak(seconds, Path(folder)))
    for promise in found:
        print(f"BROKEN: {promise}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
