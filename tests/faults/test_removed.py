"""An answer that arrives after its cluster was removed."""

import asyncio

import pytest

from exporter.demo.calls import Answer
from tests.faults.health import healthy_throughout
from tests.faults.watch import ALL, UP, fleet, watching
from tests.harness import EAST, INTERVAL, LOOK_EVERY, exporting, until
from tests.palette_server.exchange import Exchange
from tests.palette_server.faultbook import Match


class Hold:
    """Delays answers until they are released; sent: how many were sent since then."""

    def __init__(self) -> None:
        self._go = asyncio.Event()
        self.sent = 0

    async def __call__(self, exchange: Exchange) -> Answer:
        answer = exchange.answer()
        await self._go.wait()
        self.sent += 1
        return answer

    def let_go(self) -> None:
        self._go.set()


async def test_a_cluster_that_vanishes_from_the_dashboard_while_it_is_read_leaves_nothing() -> None:
    world = fleet()
    async with (
        exporting(world, discovery={"enabled": True}) as exporter,
        exporter.loops(),
        healthy_throughout(exporter.url),
    ):
        hold = Hold()
        before = await exporter.scrape()
        slow = exporter.palette.faults.add(Match(cluster_uid=EAST), hold)
        await exporter.pass_time(INTERVAL, hanging=1)
        await until(lambda: slow.hits == 2)
        world.remove_cluster(EAST)
        await exporter.pass_time(LOOK_EVERY, hanging=1)
        hold.let_go()
        await until(lambda: hold.sent == 2)
        await exporter.pass_time(2 * INTERVAL)
        scrape = await exporter.scrape()
        assert scrape.families_of(cluster_uid=EAST) == set()
        assert scrape.rows(UP, "cluster_uid") == dict.fromkeys(ALL - {EAST}, 1)
        assert scrape.everything() == before.everything(without=EAST)
        assert exporter.said("warning", "error") == ["clusters no longer discovered"]


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 6, 8, 12, 20])
async def test_a_cluster_removed_at_any_moment_of_its_answer_leaves_nothing(turns: int) -> None:
    """turns: of the event loop, between the answer and the removal of the cluster."""
    async with watching(fleet()) as exporter:
        hold = Hold()
        slow = exporter.palette.faults.add(Match(cluster_uid=EAST), hold)
        await exporter.pass_time(INTERVAL, hanging=1)
        await until(lambda: slow.hits == 2)
        hold.let_go()
        for _ in range(turns):
            await asyncio.sleep(0)
        watched = exporter.exporter
        others = [each for each in watched.configured if each.uid != EAST]
        watched.adopt(watched.context, others, None)
        await until(lambda: hold.sent == 2)
        await exporter.pass_time(2 * INTERVAL)
        scrape = await exporter.scrape()
        assert scrape.families_of(cluster_uid=EAST) == set()
        assert scrape.rows(UP, "cluster_uid") == dict.fromkeys(ALL - {EAST}, 1)
