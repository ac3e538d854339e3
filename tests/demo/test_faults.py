from __future__ import annotations

import asyncio
import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from exporter.demo.calls import Answer
from tests.palette_server import faults
from tests.palette_server.faultbook import Match

from .conftest import EAST, KEY, WEST, Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.palette_server.exchange import Point
    from tests.palette_server.server import PaletteServer

SNAPSHOTS = f"/v1/spectroclusters/{EAST}/vms/snapshot?"
WEST_SNAPSHOTS = f"/v1/spectroclusters/{WEST}/vms/snapshot?"
DASHBOARD = "/v1/dashboard/spectroclusters/vms"


async def test_no_fault_strikes_after_its_times_or_its_removal(
    client: Client, palette: PaletteServer
) -> None:
    twice = palette.faults.add(None, faults.status(503), times=2)
    lasting = palette.faults.add("list_clusters", faults.status(502))
    assert [(await client.get(DASHBOARD))[0] for _ in range(4)] == [503, 503, 502, 502]
    assert (twice.hits, lasting.hits) == (2, 2)
    lasting.remove()
    lasting.remove()
    assert (await client.get(DASHBOARD))[0] == 200
    palette.faults.add(None, faults.status(500))
    palette.faults.clear()
    assert (await client.get(DASHBOARD))[0] == 200


async def test_a_fault_affects_only_the_selected_calls(
    client: Client, palette: PaletteServer
) -> None:
    async def statuses() -> list[int]:
        return [(await client.get(p))[0] for p in (SNAPSHOTS, WEST_SNAPSHOTS, DASHBOARD)]

    for match, expected in (
        (EAST, [503, 200, 200]),
        ("list_snapshots", [503, 503, 200]),
        ("/dashboard/", [200, 200, 503]),
        (Match(cluster_uid=WEST, endpoint="list_snapshots"), [200, 503, 200]),
        (Match(cluster_uid=WEST, endpoint="list_vms"), [200, 200, 200]),
        (Match(path="spectroclusters/"), [503, 503, 503]),
        (lambda call: call.endpoint == "list_clusters", [200, 200, 503]),
        (None, [503, 503, 503]),
    ):
        planned = palette.faults.add(match, faults.status(503))
        assert await statuses() == expected
        planned.remove()


async def test_a_fault_can_wait_for_a_page(client: Client, palette: PaletteServer) -> None:
    palette.faults.add(Match(page=2), faults.status(500))
    status, page = await client.get(SNAPSHOTS)
    assert status == 200
    assert (await client.get(f"{SNAPSHOTS}continue={page['metadata']['continue']}"))[0] == 500


@pytest.mark.parametrize("code", [401, 403, 410, 429, 500, 502, 503, 504])
async def test_error_statuses(client: Client, palette: PaletteServer, code: int) -> None:
    palette.faults.add(None, faults.status(code))
    palette.faults.add(None, faults.status(code, retry_after="3"))
    async with client.open(DASHBOARD) as response:
        assert (response.status, "Retry-After" in response.headers) == (code, False)
        assert (await response.json())["message"] == f"simulated {code}"
    palette.faults._planned[0].remove()
    async with client.open(DASHBOARD) as response:
        assert response.headers["Retry-After"] == "3"
    assert palette.requests[-1].status == code


async def test_other_bodies(client: Client, palette: PaletteServer) -> None:
    async def answer(fault: faults.Fault) -> tuple[int, str, bytes]:
        palette.faults.add(None, fault, times=1)
        async with client.open(DASHBOARD) as response:
            return response.status, response.content_type, await response.read()

    assert await answer(faults.respond()) == (200, "application/json", b"")
    assert await answer(faults.respond(body=[1])) == (200, "application/json", b"[1]")
    assert await answer(faults.respond(body=b"\xff{")) == (200, "application/json", b"\xff{")
    status, content_type, body = await answer(faults.html())
    assert (status, content_type, body[:9]) == (200, "text/html", b"<!DOCTYPE")
    palette.faults.add(None, faults.redirect("http://elsewhere.invalid/"), times=1)
    async with client.open(DASHBOARD) as response:
        assert (response.status, response.headers["Location"]) == (302, "http://elsewhere.invalid/")


async def test_a_delay_is_waited_for(client: Client, palette: PaletteServer) -> None:
    palette.faults.add(None, faults.delay(0.1))
    started = time.monotonic()
    assert (await client.get(DASHBOARD))[0] == 200
    assert time.monotonic() - started >= 0.1


async def read_until_silence(response: aiohttp.ClientResponse) -> bytes:
    """Return the bytes that arrive before a tenth of a second without any."""
    got = b""
    while True:
        try:
            got += await asyncio.wait_for(response.content.readany(), 0.1)
        except TimeoutError:
            return got


async def test_hanging_before_the_headers(client: Client, palette: PaletteServer) -> None:
    palette.faults.add(None, faults.hang())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.get(DASHBOARD), 0.1)
    assert palette.requests[0].status is None
    assert palette.in_flight == 1


@pytest.mark.parametrize(("point", "share"), [("headers", 0), ("middle", 0.5)])
async def test_hanging_after_the_headers_or_amid_the_body(
    client: Client, palette: PaletteServer, point: Point, share: float
) -> None:
    palette.faults.add(None, faults.hang(point))
    async with client.open(DASHBOARD) as response:
        assert response.status == 200
        assert response.content_length is not None
        assert len(await read_until_silence(response)) == int(response.content_length * share)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("never happened")


async def test_a_server_stops_at_once_whatever_hangs(
    client: Client, palette: PaletteServer
) -> None:
    palette.faults.add("list_clusters", faults.hang())
    palette.faults.add(WEST, faults.hang("middle"))
    palette.faults.add(EAST, faults.drip())
    paths = (DASHBOARD, WEST_SNAPSHOTS, SNAPSHOTS) * 3
    tasks = [asyncio.create_task(client.get(path)) for path in paths]
    async with asyncio.timeout(5):
        await until(lambda: palette.in_flight == len(paths))
        started = time.monotonic()
        await palette.stop()
        assert time.monotonic() - started < 1
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, aiohttp.ClientError) for outcome in outcomes)
    assert palette.in_flight == 0


async def test_a_drip_is_slow_and_complete(client: Client, palette: PaletteServer) -> None:
    palette.faults.add(None, faults.drip(0.0005))
    status, body = await client.get(DASHBOARD)
    assert status == 200
    assert len(body["items"]) == 2


async def test_a_reset_before_the_headers(client: Client, palette: PaletteServer) -> None:
    palette.faults.add(
        None, faults.reset(), times=2
    )  # aiohttp's client tries a second time on its own
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get(DASHBOARD)
    assert (await client.get(DASHBOARD))[0] == 200


@pytest.mark.parametrize("point", ["headers", "middle"])
async def test_a_reset_after_the_headers(
    client: Client, palette: PaletteServer, point: Point
) -> None:
    palette.faults.add(None, faults.reset(point))
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientConnectionError)):
        await client.get(DASHBOARD)


async def test_a_truncated_body(client: Client, palette: PaletteServer) -> None:
    palette.faults.add(None, faults.truncate(0.5))
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.get(DASHBOARD)


async def test_a_gzip_bomb_is_small_and_grows(client: Client, palette: PaletteServer) -> None:
    palette.faults.add(None, faults.gzip_bomb(8 << 20))
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        async with session.get(client.base + DASHBOARD, headers={"ApiKey": KEY}) as response:
            body = await response.read()
        assert response.headers["Content-Encoding"] == "gzip"
    assert len(body) < 20_000
    assert len(gzip.decompress(body)) > 8 << 20
    assert json.loads(gzip.decompress(body))["items"] == []


async def tokens_and_names(client: Client, pages: int) -> tuple[list[str], list[str]]:
    """Return the tokens of a number of pages, and the name of each page's first item."""
    tokens: list[str] = []
    firsts: list[str] = []
    for _ in range(pages):
        path = SNAPSHOTS + (f"continue={tokens[-1]}" if tokens else "")
        status, page = await client.get(path)
        assert status == 200
        tokens.append(page["metadata"]["continue"])
        firsts.append(page["items"][0]["metadata"]["name"])
    return tokens, firsts


@pytest.mark.parametrize(("new_items", "distinct"), [(False, 1), (True, 6)])
async def test_endless_paging(
    client: Client, palette: PaletteServer, new_items: bool, distinct: int
) -> None:
    palette.faults.add(EAST, faults.endless_pages(new_items=new_items))
    tokens, firsts = await tokens_and_names(client, 6)
    assert len(set(tokens)) == 6
    assert len(set(firsts)) == distinct


async def test_a_token_that_repeats_itself(client: Client, palette: PaletteServer) -> None:
    palette.faults.add(None, faults.repeated_token())
    tokens, _ = await tokens_and_names(client, 4)
    assert len(set(tokens)) == 1
    _, page = await client.get(WEST_SNAPSHOTS)
    assert page["metadata"]["continue"] == "again"
    assert (await client.get(f"{WEST_SNAPSHOTS}continue=again"))[1]["items"] == page["items"]


async def test_a_body_can_be_changed(client: Client, palette: PaletteServer) -> None:
    def spoil(page: Any) -> Any:
        page["items"][0] = {"metadata": {}}
        return page

    palette.faults.add(EAST, faults.transform(spoil))
    _, page = await client.get(SNAPSHOTS)
    assert page["items"][0] == {"metadata": {}}
    assert len(page["items"]) == 50
    assert (await client.get(f"{SNAPSHOTS}limit=x"))[0] == 400


async def test_foreign_items_come_unasked(client: Client, palette: PaletteServer) -> None:
    path = f"{SNAPSHOTS}vmName=vm-1&namespace=ns-1"
    assert len((await client.get(path))[1]["items"]) == 10
    palette.faults.add(EAST, faults.foreign_items())
    assert len((await client.get(path))[1]["items"]) == 50


async def test_a_fault_of_ones_own(client: Client, palette: PaletteServer) -> None:
    async def teapot(exchange: Any) -> Answer:
        assert exchange.call.endpoint == "list_clusters"
        return Answer(status=418, body=b"{}")

    palette.faults.add(None, teapot)
    assert await client.get(DASHBOARD) == (418, {})
