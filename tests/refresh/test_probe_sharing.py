"""Concurrent probes: identical ones share one reading, each with its own deadline."""

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.harness import (
    EAST,
    EAST_PROJECT,
    INTERVAL,
    NOW,
    Running,
    exporting,
    put,
    target,
    tenant,
    until,
)
from tests.palette_server import faults
from tests.palette_server.world import World
from tests.probes import UP, Blocker, probe

VM = {"cluster_uid": EAST, "namespace": "vms", "vm": "db-01"}
SNAPSHOT = {**VM, "snapshot": "nightly"}


@pytest.fixture
def world() -> World:
    world = tenant()
    put(world, "db-01", "weekly", "nightly")
    return world


@pytest.fixture
async def exporter(world: World) -> AsyncIterator[Running]:
    targets = [target(f"{EAST}/vms/db-01", cluster_name="prod-east", project_uid=EAST_PROJECT)]
    async with exporting(world, targets=targets) as exporter, exporter.loops():
        exporter.palette.forget_requests()
        yield exporter


@pytest.fixture
async def blocker(exporter: Running) -> Blocker:
    blocker = Blocker(asyncio.Event())
    exporter.palette.faults.add("get_snapshot", blocker)
    return blocker


async def test_identical_probes_request_palette_once(exporter: Running, blocker: Blocker) -> None:
    sent: list[object] = []
    trace = aiohttp.TraceConfig()

    async def on_sent(*args: object) -> None:
        sent.append(args)

    trace.on_request_headers_sent.append(on_sent)

    async def ask(session: aiohttp.ClientSession) -> str:
        async with session.get(f"{exporter.url}/probe", params=SNAPSHOT) as response:
            return await response.text()

    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector, trace_configs=[trace]) as session,
        asyncio.TaskGroup() as group,
    ):
        askers = [group.create_task(ask(session)) for _ in range(20)]
        await until(lambda: len(sent) == 20 and len(blocker.held) > 0)
        # Connections that are younger are served later.
        for _ in range(2):
            async with aiohttp.ClientSession() as other, other.get(f"{exporter.url}/-/healthy"):
                pass
        blocker.opened.set()
    assert all("palette_probe_success 1\n" in asker.result() for asker in askers)
    assert exporter.counted() == {"get_snapshot": 1}
    assert (await probe(exporter.url, SNAPSHOT)).success == 1
    assert exporter.counted() == {"get_snapshot": 2}


async def test_each_asker_keeps_its_own_deadline(exporter: Running, blocker: Blocker) -> None:
    async with asyncio.TaskGroup() as group:
        patient = group.create_task(probe(exporter.url, SNAPSHOT, seconds="30"))
        await until(lambda: len(blocker.held) == 1)
        began = time.monotonic()
        hasty = await probe(exporter.url, SNAPSHOT, seconds="1")
        assert time.monotonic() - began < 1.0
        assert (hasty.success, hasty.scrape.value(UP)) == (0, 0)
        assert [each["reason"] for each in exporter.events("probe failed")] == ["timeout"]
        blocker.opened.set()
    assert patient.result().success == 1
    assert len(blocker.held) == 1


async def test_a_probe_that_disconnects_does_not_affect_the_others(
    exporter: Running, blocker: Blocker
) -> None:
    leaving = asyncio.ensure_future(probe(exporter.url, SNAPSHOT))
    await until(lambda: len(blocker.held) == 1)
    async with asyncio.TaskGroup() as group:
        staying = group.create_task(probe(exporter.url, SNAPSHOT, seconds="30"))
        await probe(exporter.url, SNAPSHOT, seconds="0.5")
        leaving.cancel()
        await asyncio.wait([leaving])
        await probe(exporter.url, SNAPSHOT, seconds="0.5")
        blocker.opened.set()
    assert staying.result().success == 1
    assert len(blocker.held) == 1


async def test_when_all_have_left_the_request_ends_too(exporter: Running, blocker: Blocker) -> None:
    leaving = asyncio.ensure_future(probe(exporter.url, SNAPSHOT))
    await until(lambda: len(blocker.held) == 1)
    assert blocker.held[0].alive
    leaving.cancel()
    await until(lambda: not blocker.held[0].alive)
    blocker.opened.set()
    assert (await probe(exporter.url, SNAPSHOT)).success == 1
    assert len(blocker.held) == 2


@pytest.mark.parametrize(
    "fault",
    [
        faults.hang(),
        faults.hang("headers"),
        faults.hang("middle"),
        faults.drip(0.2),
        faults.status(429, retry_after="60"),
        faults.status(503, retry_after="3"),
    ],
    ids=["start", "headers", "middle", "drip", "pause", "later"],
)
async def test_the_answer_comes_before_the_scrape_times_out(
    exporter: Running, fault: faults.Fault
) -> None:
    exporter.palette.faults.add(None, fault)
    began = time.monotonic()
    answer = await probe(exporter.url, VM, seconds="1.2")
    assert time.monotonic() - began < 1.2
    assert answer.success == 0
    assert len(answer.scrape.lines) == 2


async def test_a_probe_that_hangs_delays_no_refresh_and_no_scrape(
    exporter: Running, blocker: Blocker
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(probe(exporter.url, SNAPSHOT))
        await until(lambda: len(blocker.held) == 1)
        exporter.palette.forget_requests()
        await exporter.pass_time(60)
        assert exporter.counted() == {"list_snapshots": 1, "list_vms": 1}
        assert (await exporter.scrape()).rows("palette_cluster_up", "cluster_uid") == {EAST: 1}
        blocker.opened.set()


async def test_a_probe_waits_its_turn_and_not_for_a_whole_round() -> None:
    world, uids = World.empty(now=NOW), [f"cluster-{number}" for number in range(40)]
    for uid in uids:
        world.add_cluster(uid, uid, EAST_PROJECT)
        put(world, "db-01", "nightly", cluster=uid)
    targets = [target(uid, cluster_name=uid, project_uid=EAST_PROJECT) for uid in uids]
    slow = {"requests_per_second": 20, "burst": 1}
    async with (
        exporting(world, targets=targets, palette=slow) as exporter,
        exporter.loops(settled=False),
    ):
        await exporter.idle()
        exporter.clock.advance(INTERVAL / 2)
        await until(lambda: len(exporter.palette.requests) > 0)
        answer = await probe(exporter.url, {**SNAPSHOT, "cluster_uid": uids[0]}, seconds="5")
        assert answer.success == 1
        # Hardly any of the 80 waiting requests was sent first.
        assert len(exporter.palette.requests) < 20


async def test_probes_that_hang_leave_places_to_scrapes(world: World) -> None:
    targets = [target(EAST, cluster_name="prod-east")]
    web = {"listen_address": "127.0.0.1:0", "max_requests": 4}
    async with exporting(world, targets=targets, web=web) as exporter, exporter.loops():
        blocker = Blocker(asyncio.Event())
        exporter.palette.faults.add("get_snapshot", blocker)
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(probe(exporter.url, {**VM, "snapshot": f"s{number}"}))
            await until(lambda: len(blocker.held) == 3)
            refused = await probe(exporter.url, {**VM, "snapshot": "one-more"})
            assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
            assert (await exporter.scrape()).rows("palette_cluster_up", "cluster_uid") == {EAST: 1}
            blocker.opened.set()
        assert (await probe(exporter.url, SNAPSHOT)).success == 1
