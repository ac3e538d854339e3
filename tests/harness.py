"""The exporter with all its parts, a simulated Palette over HTTP, and a clock that tests advance.

Only the network's own time is real: everything that follows the exporter's clocks happens when a
test advances them.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import stamina
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from exporter import clock as clocks
from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from exporter.refresh.cluster import ClusterLoop, RefreshContext
from exporter.runtime import run
from exporter.settings import Settings
from exporter.settings.source import SettingsSource
from tests.palette_server.server import API_KEY, PaletteServer, Request
from tests.palette_server.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from exporter.demo.calls import Answer
    from exporter.refresh.fleet import Fleet
    from tests.palette_server.exchange import Exchange
    from tests.palette_server.faults import Fault

NOW = 1_800_000_000.0
"""The start of tests, in seconds since the epoch."""

INTERVAL, STALE_AFTER, LOOK_EVERY = 60.0, 300.0, 300.0
"""Seconds; defaults of the exporter."""

EAST, WEST, NORTH = "6540a1", "6540a2", "6540a3"
EAST_PROJECT, WEST_PROJECT, NORTH_PROJECT = "65f0c1", "65f0c2", "65f0c3"

Series = dict[frozenset[tuple[str, str]], float]
"""Labels with their values -> value."""


class Clock:
    """Wall and monotonic clock that a test advances, and a sleep that ends with them."""

    def __init__(self, now: float = NOW) -> None:
        self._monotonic = 1000.0
        self.ahead = now - self._monotonic
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def wall(self) -> float:
        return self.ahead + self._monotonic

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock is advanced so far; for 0 seconds, only let other tasks run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), future))
        await future

    @property
    def sleeping(self) -> int:
        return sum(not future.done() for _, _, future in self._sleepers)

    def advance(self, seconds: float) -> None:
        """Advance the time and wake the tasks that are due; their work takes no time."""
        self.advance_to(self._monotonic + seconds)

    def advance_to(self, instant: float) -> None:
        self._monotonic = max(self._monotonic, instant)
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    def next_due(self) -> float:
        """Return when the first sleeper wakes; infinity if there is none."""
        return min(
            (due for due, _, each in self._sleepers if not each.done()), default=float("inf")
        )


def series(text: str, name: str) -> Series:
    """Return the samples with this name; fails if one is repeated."""
    return Scrape.of(text).series(name)


@dataclass(frozen=True, slots=True)
class Scrape:
    """The answer to a scrape; lines: by the names of their samples, parsed when needed."""

    lines: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, text: str) -> Scrape:
        lines: dict[str, set[str]] = {}
        samples = [line for line in text.split("\n") if line and not line.startswith("#")]
        for line in samples:
            lines.setdefault(line.partition("{")[0].partition(" ")[0], set()).add(line)
        distinct = {line.rpartition(" ")[0] for line in samples}
        assert len(distinct) == len(samples), "a series stands there twice"
        return cls({name: frozenset(each) for name, each in lines.items()})

    def series(self, name: str) -> Series:
        text = "\n".join(self.lines.get(name, ()))
        return {
            frozenset(sample.labels.items()): sample.value
            for family in text_string_to_metric_families(text + "\n")
            for sample in family.samples
        }

    def rows(self, name: str, *labels: str, **where: str) -> dict[Any, float]:
        """Return values by one label (or a tuple of several), of samples with these labels.

        Fails if two samples differ only in other labels.
        """
        rows: dict[Any, float] = {}
        for pairs, value in self.series(name).items():
            all_labels = dict(pairs)
            if where.items() <= all_labels.items():
                key = tuple(all_labels[label] for label in labels)
                assert key not in rows, f"{name}: more than one sample for {key}"
                rows[key] = value
        return {key[0]: value for key, value in rows.items()} if len(labels) == 1 else rows

    def counted(self, name: str, *labels: str, **where: str) -> dict[Any, float]:
        """Return the rows that are above 0."""
        return {key: value for key, value in self.rows(name, *labels, **where).items() if value}

    def value(self, name: str, **where: str) -> float | None:
        """Return the only value; None if there is none."""
        return self.rows(name, **where).get(())

    def families_of(self, **where: str) -> set[str]:
        """Return the names of all samples with these labels."""
        hints = [f'{name}="{value}"' for name, value in where.items()]
        candidates = (
            name
            for name, lines in self.lines.items()
            if any(all(hint in line for hint in hints) for line in lines)
        )
        return {name for name in candidates if self.matching(name, **where)}

    def matching(self, name: str, **where: str) -> Series:
        return {
            pairs: value
            for pairs, value in self.series(name).items()
            if where.items() <= dict(pairs).items()
        }

    def everything(self, prefix: str = "palette_vm_", *, without: str = "") -> set[str]:
        """Return all lines of such samples, except ages, and those that contain a word."""
        return {
            line
            for name, lines in self.lines.items()
            if name.startswith(prefix) and not name.endswith("_age_seconds")
            for line in lines
            if not without or without not in line
        }


@dataclass(kw_only=True)
class Given:
    """The sections of a configuration, which a test can change for the next reload."""

    url: str
    request_timeout: float
    palette: Mapping[str, Any]
    sections: Mapping[str, Any]

    def settings(self) -> Settings:
        return _settings(self.url, self.request_timeout, self.palette, self.sections)

    def put(self, *, palette: Mapping[str, Any] | None = None, **sections: Any) -> None:
        """Replace the sections of the same names."""
        self.palette = self.palette if palette is None else palette
        self.sections = {**self.sections, **sections}


@dataclass(kw_only=True)
class Running:
    """An exporter that listens; its loops run only inside ``loops``."""

    palette: PaletteServer
    clock: Clock
    exporter: Fleet
    whole: run.Exporter
    logs: list[Any]
    given: Given
    session: aiohttp.ClientSession
    url: str
    _single: dict[str, ClusterLoop] = field(default_factory=dict)

    @property
    def world(self) -> World:
        return self.palette.world

    @property
    def shared(self) -> RefreshContext:
        return self.exporter.context

    async def refresh(self, *uids: str) -> Scrape:
        """Refresh configured clusters once, all by default, and scrape."""
        for targets in self.exporter.configured:
            if not uids or targets.uid in uids:
                await self.cluster(targets.uid).refresh()
        return await self.scrape()

    def cluster(self, uid: str) -> ClusterLoop:
        """Return the refresh of one configured cluster."""
        targets = next(each for each in self.exporter.configured if each.uid == uid)
        return self._single.setdefault(uid, ClusterLoop(targets, self.shared))

    async def scrape(self) -> Scrape:
        async with self.session.get(f"{self.url}/metrics") as response:
            assert response.status == 200
            return Scrape.of(await response.text())

    async def reload(self, **sections: Any) -> Scrape:
        """Apply other sections by a reload, and scrape at once."""
        self.given.put(**sections)
        async with self.session.post(f"{self.url}/-/reload") as response:
            assert (response.status, await response.text()) == (200, "reloaded\n")
        return await self.scrape()

    async def status(self, path: str) -> int:
        async with self.session.get(self.url + path) as response:
            return response.status

    @asynccontextmanager
    async def loops(self, *, settled: bool = True) -> AsyncIterator[None]:
        """Run all loops; settled: wait for the first refresh of each."""
        running = asyncio.create_task(self.whole.run())
        try:
            discovery = self.exporter.discovery is not None
            share = self.exporter.context.share
            ours = [each for each in self.exporter.configured if each.uid in share]
            expected = len(ours) + discovery
            await until(lambda: len(self.exporter.tasks) >= expected)
            if settled:
                await self.idle()
                # First refreshes begin after a jitter of less than the interval.
                await self.pass_time(INTERVAL / 2)
            yield
        finally:
            running.cancel()
            await asyncio.wait([running], timeout=5)
            assert running.cancelled()

    async def pass_time(self, seconds: float, *, hanging: int = 0) -> None:
        """Advance the clock, and at each time when a task wakes, wait until it sleeps again.

        hanging: the number of loops that are not waited for.
        """
        end = self.clock.monotonic() + seconds
        for _ in range(10_000):
            due = self.clock.next_due()
            if due > end:
                break
            self.clock.advance_to(due)
            await self.idle(hanging=hanging)
        self.clock.advance_to(end)

    async def idle(self, *, hanging: int = 0) -> None:
        """Wait until the loops of all clusters, and of discovery, sleep."""
        await until(lambda: self.clock.sleeping >= len(self.exporter.tasks) - hanging)

    def asked(self, *endpoints: str) -> list[Request]:
        """Return the requests since ``forget``, of these endpoints if any are given."""
        return [
            each for each in self.palette.requests if not endpoints or each.endpoint in endpoints
        ]

    def counted(self) -> Counter[str]:
        return Counter(request.endpoint for request in self.palette.requests)

    def said(self, *levels: str) -> list[str]:
        """Return the events logged, of these levels only."""
        return [each["event"] for each in self.logs if each["log_level"] in levels or not levels]

    def events(self, event: str) -> list[Any]:
        return [each for each in self.logs if each["event"] == event]


@asynccontextmanager
async def exporting(
    world: World,
    *,
    request_timeout: float = 5.0,
    palette: Mapping[str, Any] | None = None,
    demo: Mapping[str, Any] | None = None,
    up: bool = True,
    **sections: Any,
) -> AsyncIterator[Running]:
    """Run an exporter against a Palette that serves this world.

    request_timeout: in seconds; can be shorter than settings allow, for calls that hang.
    palette, and other sections by their names: as in the configuration file.
    demo: options of the PaletteServer; up: whether it is started.
    """
    clock = Clock()
    simulated = PaletteServer(
        world, **{"limits": None, "clock": clock.monotonic, "now": clock.wall, **(demo or {})}
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(simulated.stop)
        url = await simulated.start()
        if not up:
            await simulated.stop()
        # The waits between attempts, and within a second, have their own tests.
        stack.enter_context(stamina.set_testing(True, attempts=4, cap=True))
        logs = stack.enter_context(capture_logs())
        given = Given(
            url=url, request_timeout=request_timeout, palette=palette or {}, sections=sections
        )
        ours = clocks.Clock(wall=clock.wall, monotonic=clock.monotonic, sleep=clock.sleep)
        source = SettingsSource(read=given.settings)
        exporter = run.Exporter(source, ours, reload_requested=asyncio.Event())
        await exporter.start(given.settings(), stack)
        listen = next(each["listen"] for each in logs if each["event"] == "starting")
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Running(
            palette=simulated,
            clock=clock,
            exporter=exporter.fleet,
            whole=exporter,
            logs=logs,
            given=given,
            session=session,
            url=f"http://{listen}",
        )


def _settings(
    url: str, timeout: float, palette: Mapping[str, Any], sections: Mapping[str, Any]
) -> Settings:
    quick = {"url": url, "api_key": API_KEY, "requests_per_second": 10_000, "burst": 10_000}
    web = {"listen_address": "127.0.0.1:0"}
    settings = Settings.model_validate({"palette": {**quick, **palette}, "web": web, **sections})
    short = settings.palette.model_copy(update={"timeout": timeout})
    return settings.model_copy(update={"palette": short})


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition that sockets and tasks bring about soon."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.001)


def meanwhile(act: Callable[[], object]) -> Fault:
    """Run a function while a call is being answered, without a fault."""

    async def fault(exchange: Exchange) -> Answer:
        act()
        return exchange.answer()

    return fault


def tenant() -> World:
    """Return two clusters in different projects, without machines."""
    world = World.empty(now=NOW)
    world.add_cluster(EAST, "prod-east", EAST_PROJECT)
    world.add_cluster(WEST, "prod-west", WEST_PROJECT, "maas")
    return world


def put(
    world: World,
    vm: str,
    *snapshots: str,
    cluster: str = EAST,
    namespace: str = "vms",
    labels: Mapping[str, str] | None = None,
) -> None:
    """Put a machine with good snapshots, one an hour, the oldest first."""
    document = vm_document(name=vm, namespace=namespace)
    document["metadata"]["labels"] = dict(labels or {})
    world.put_vm(cluster, document)
    for number, name in enumerate(reversed(snapshots), 1):
        at = NOW - 3600.0 * number
        world.put_snapshot(
            cluster, snapshot_document(name=name, vm=vm, namespace=namespace, requested_at=at)
        )


def target(path: str, **more: str) -> dict[str, str]:
    """Return a target as configured: cluster[/namespace[/vm[/snapshot]]]."""
    keys = ("cluster_uid", "namespace", "vm", "snapshot")
    return dict(zip(keys, path.split("/"), strict=False)) | more
