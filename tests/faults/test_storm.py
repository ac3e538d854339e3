"""After an outage of any length, Palette gets no more requests than before it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from tests.faults.health import healthy_throughout
from tests.harness import INTERVAL, NOW, Running, exporting, put, target
from tests.palette_server import faults
from tests.palette_server.limits import Limit, Limits
from tests.palette_server.world import World

RATE, BURST = 300.0, 8
"""The limits of the exporter: requests per second, and at once."""

PALETTE = Limits(table=(Limit(prefix="/v1/spectroclusters", rate=1.25 * RATE, burst=5 * BURST),))
"""The factor by which Palette's limits are above the exporter's defaults."""

BUNCHED = 0.1
"""Seconds by which the arrival of a request can differ from its sending."""

CLUSTERS = [f"6540b{number}" for number in range(12)]
UP = "palette_cluster_up"


@asynccontextmanager
async def many() -> AsyncIterator[Running]:
    """Watch many clusters of a Palette that counts real seconds."""
    world = World.empty(now=NOW)
    for uid in CLUSTERS:
        world.add_cluster(uid, f"name-of-{uid}", "65f0c1")
        put(world, "db-01", "nightly", cluster=uid)
    async with (
        exporting(
            world,
            request_timeout=0.2,
            palette={"requests_per_second": RATE, "burst": BURST},
            demo={"limits": PALETTE, "clock": time.monotonic},
            targets=[target(uid, cluster_name=f"name-of-{uid}") for uid in CLUSTERS],
        ) as exporter,
        exporter.loops(),
        healthy_throughout(exporter.url),
    ):
        yield exporter


def assert_within_budget(exporter: Running) -> None:
    """Check that no period of time has more requests than the budget."""
    times = [request.at for request in exporter.asked("list_snapshots", "list_vms")]
    assert times
    level = 0.0
    for before, at in pairwise([times[0], *times]):
        level = max(0.0, level - RATE * (at - before)) + 1
        assert level <= BURST + RATE * BUNCHED


OUTAGES = {
    "503": faults.status(503),
    "429": faults.status(429),
    "429 with Retry-After": faults.status(429, retry_after="0.02"),
    "reset": faults.reset(),
    "hang": faults.hang(),
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_no_request_storm_while_an_outage_lasts_nor_after_it(outage: str) -> None:
    async with many() as exporter:
        exporter.palette.faults.add(None, OUTAGES[outage])
        exporter.clock.advance(86_400)
        await exporter.idle()
        assert set((await exporter.scrape()).rows(UP, "cluster_uid").values()) == {0}
        assert_within_budget(exporter)
        await assert_recovers(exporter, exporter.palette.faults.clear)


async def test_no_request_storm_after_days_without_a_connection() -> None:
    async with many() as exporter:
        await exporter.palette.stop()
        for _ in range(3):
            exporter.clock.advance(86_400)
            await exporter.idle()
        port = exporter.palette.port
        await exporter.palette.start(port=port)
        await assert_recovers(exporter, lambda: None)


async def assert_recovers(exporter: Running, end: Callable[[], None]) -> None:
    """End the outage and check that all clusters are read, without a request above the budget."""
    end()
    exporter.palette.forget_requests()
    exporter.clock.advance(86_400)
    await exporter.idle()
    await exporter.pass_time(INTERVAL)
    assert set((await exporter.scrape()).rows(UP, "cluster_uid").values()) == {1}
    assert_within_budget(exporter)
    assert {request.status for request in exporter.asked()} == {200}
