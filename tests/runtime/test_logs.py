"""The log: the plan at the start, each change once, and nothing in between."""

import asyncio

import pytest

from exporter.demo.calls import Answer
from tests.harness import (
    EAST,
    INTERVAL,
    LOOK_EVERY,
    WEST,
    Running,
    exporting,
    put,
    target,
    tenant,
    until,
)
from tests.palette_server import faults
from tests.palette_server.exchange import Exchange
from tests.palette_server.faultbook import Match
from tests.palette_server.world import World

BOTH = [target(EAST, cluster_name="prod-east"), target(WEST, cluster_name="prod-west")]
MISSING = target(f"{EAST}/vms/db-01/not-there", cluster_name="prod-east")
DISCOVERY = {"enabled": True}
TOLD = ("info", "warning", "error")


@pytest.fixture
def world() -> World:
    world = tenant()
    put(world, "db-01", "east")
    put(world, "db-01", "west", cluster=WEST)
    return world


async def test_the_start_logs_the_plan(world: World) -> None:
    async with exporting(world, targets=BOTH) as exporter, exporter.loops():
        assert exporter.said(*TOLD) == [
            "starting",
            "watching clusters",
            "plan",
            "first round complete",
        ]
        (starting,) = exporter.events("starting")
        assert starting["palette"] == exporter.palette.url
        assert (starting["targets"], starting["discovery"]) == (2, False)
        assert (starting["objectives"], starting["shard"]) == (0, "0 of 1")
        assert starting["interval_seconds"] == INTERVAL
        (watching,) = exporter.events("watching clusters")
        assert (watching["count"], watching["names"]) == (2, "prod-east, prod-west")


@pytest.mark.parametrize("trouble", ["none", "a cluster fails", "a snapshot is missing"])
async def test_refreshes_like_the_last_say_nothing(world: World, trouble: str) -> None:
    targets = [*BOTH, MISSING] if trouble == "a snapshot is missing" else BOTH
    async with exporting(world, targets=targets, discovery=DISCOVERY) as exporter:
        if trouble == "a cluster fails":
            exporter.palette.faults.add(Match(cluster_uid=EAST), faults.status(500))
        async with exporter.loops():
            await exporter.pass_time(INTERVAL)
            before, rounds = len(exporter.said(*TOLD)), len(exporter.asked("list_vms"))
            await exporter.pass_time(30 * INTERVAL)
            assert len(exporter.asked("list_vms")) >= rounds + 60
            assert exporter.said(*TOLD)[before:] == []


async def test_each_change_of_a_cluster_is_one_line_with_its_reason(world: World) -> None:
    async with exporting(world, targets=[*BOTH, MISSING]) as exporter, exporter.loops():
        seen = len(exporter.logs)
        for code in (403, 500):
            broken = exporter.palette.faults.add(Match(cluster_uid=WEST), faults.status(code))
            await exporter.pass_time(3 * INTERVAL)
            broken.remove()
        await exporter.pass_time(INTERVAL)
        put(world, "db-01", "not-there", "east")
        await exporter.pass_time(2 * INTERVAL)
        told = exporter.logs[seen:]
        assert [(each["event"], each.get("reason")) for each in told] == [
            ("refresh failing", "forbidden"),
            ("refresh failing", "server_error"),
            ("refresh recovered", None),
            ("snapshot read again", None),
        ]
        assert {each["cluster"] for each in told[:3]} == {"prod-west"}
        assert told[3]["snapshot"] == "not-there"


async def test_clusters_that_are_found_and_lost_are_logged_by_name(world: World) -> None:
    async with exporting(world, discovery=DISCOVERY) as exporter, exporter.loops():
        (found,) = exporter.events("watching clusters")
        assert (found["count"], found["names"]) == (2, "prod-east, prod-west")
        world.remove_cluster(EAST)
        for number in range(12):
            world.add_cluster(f"c-{number:02d}", f"edge-{number:02d}", f"p-{number}")
        await exporter.pass_time(LOOK_EVERY)
        (gone,) = exporter.events("clusters no longer discovered")
        assert (gone["count"], gone["names"]) == (1, "prod-east")
        more = exporter.events("watching clusters")[1]
        assert more["count"] == 12
        assert more["names"].endswith("edge-09 and 2 more")


async def test_discovery_that_fails_and_recovers_is_two_lines(world: World) -> None:
    async with exporting(world, discovery=DISCOVERY) as exporter, exporter.loops():
        seen = len(exporter.logs)
        down = exporter.palette.faults.add("list_clusters", faults.status(500))
        await exporter.pass_time(3 * LOOK_EVERY)
        down.remove()
        await exporter.pass_time(LOOK_EVERY)
        told = [each["event"] for each in exporter.logs[seen:]]
        assert told == ["discovery failing", "discovery recovered"]


def until_set(gate: asyncio.Event) -> faults.Fault:
    async def fault(exchange: Exchange) -> Answer:
        await gate.wait()
        return exchange.answer()

    return fault


def progress(exporter: Running) -> list[tuple[int, str]]:
    return [
        (each["read"], each["waiting_for"]) for each in exporter.events("first round in progress")
    ]


async def test_a_long_first_round_logs_its_progress(world: World) -> None:
    east, west = asyncio.Event(), asyncio.Event()
    async with exporting(world, targets=BOTH) as exporter:
        exporter.palette.faults.add(Match(cluster_uid=EAST), until_set(east))
        exporter.palette.faults.add(Match(cluster_uid=WEST), until_set(west))
        async with exporter.loops(settled=False):
            await exporter.idle()
            exporter.clock.advance(9)
            await until(lambda: exporter.palette.in_flight == 4)
            assert not progress(exporter)
            await exporter.pass_time(26, hanging=2)
            waiting = (0, "prod-east, prod-west")
            assert progress(exporter) == [waiting] * 3
            east.set()
            await exporter.idle(hanging=1)
            await exporter.pass_time(10, hanging=1)
            assert progress(exporter)[3:] == [(1, "prod-west")]
            west.set()
            await exporter.idle()
            assert len(exporter.events("first round complete")) == 1
            await exporter.pass_time(10 * INTERVAL)
            assert len(progress(exporter)) == 4


async def test_a_quick_first_round_has_no_progress(world: World) -> None:
    async with exporting(world, targets=BOTH, discovery=DISCOVERY) as exporter, exporter.loops():
        await exporter.pass_time(3 * INTERVAL)
        assert not progress(exporter)
