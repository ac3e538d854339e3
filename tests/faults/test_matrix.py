"""One of three clusters fails, in every way in which an API and its proxies can fail."""

from dataclasses import dataclass

import pytest

from exporter.palette import client
from tests.faults.watch import LAST_SUCCESS, WAYS, Course, fleet, request_timeout, watching
from tests.harness import EAST, INTERVAL
from tests.palette_server import faults
from tests.palette_server.faultbook import Match
from tests.palette_server.faults import Fault

MANY_PAGES = 25
"""Instead of ten thousand, which would be slow."""

LISTS = ("covered", "several named")

BOMB = 64 << 20
"""Bytes; twice the limit of an answer."""

DENSE = 12 << 20
"""Bytes; less than the limit of an answer."""


@dataclass(frozen=True, slots=True)
class Row:
    """A fault and its reason; ways: the ways of watching a cluster for which it is tested."""

    name: str
    fault: Fault
    reason: str
    ways: tuple[str, ...] = ("covered", "one named")


MATRIX = [
    Row("500", faults.status(500), "server_error", ways=tuple(WAYS)),
    Row("502", faults.status(502), "server_error"),
    Row("503", faults.status(503), "server_error", ways=tuple(WAYS)),
    Row("504", faults.status(504), "server_error"),
    Row("429", faults.status(429), "rate_limited"),
    Row("429 with Retry-After", faults.status(429, retry_after="0.2"), "rate_limited"),
    Row("reset", faults.reset(), "connection"),
    Row("reset after the headers", faults.reset("headers"), "connection"),
    Row("reset in the body", faults.reset("middle"), "connection"),
    Row("hangs before the headers", faults.hang(), "timeout"),
    Row("hangs after the headers", faults.hang("headers"), "timeout"),
    Row("hangs in the body", faults.hang("middle"), "timeout"),
    Row("one byte a second", faults.drip(1.0), "timeout"),
    Row("truncated", faults.truncate(), "connection"),
    Row("truncated JSON", faults.respond(200, b'{"metadata":{},"items":[{"me'), "invalid_response"),
    Row("empty body", faults.respond(200, b""), "invalid_response"),
    Row("HTML", faults.html(), "invalid_response"),
    Row("HTML of a proxy", faults.html(502), "server_error"),
    Row("a list", faults.respond(200, []), "invalid_response"),
    Row("a text", faults.respond(200, '"ok"'), "invalid_response"),
    Row("a number", faults.respond(200, 42), "invalid_response"),
    Row("null", faults.respond(200, b"null"), "invalid_response"),
    Row("an object of something else", faults.respond(200, {"a": 1}), "invalid_response"),
    Row(
        "parts of other types",
        faults.respond(200, {"items": {}, "metadata": 1}),
        "invalid_response",
    ),
    Row("deep nesting", faults.respond(200, b'{"items":' + b"[" * 99_999), "invalid_response"),
    Row(
        "broken gzip",
        faults.respond(200, b"?" * 99, {"Content-Encoding": "gzip"}),
        "invalid_response",
    ),
    Row("gzip bomb", faults.gzip_bomb(BOMB), "invalid_response"),
    Row("gzip bomb of numbers", faults.gzip_bomb(DENSE, b"1"), "invalid_response"),
    Row("gzip bomb of objects", faults.gzip_bomb(DENSE, b"{}"), "invalid_response"),
    Row(
        "redirect to another host", faults.redirect("http://elsewhere.invalid/"), "invalid_response"
    ),
    Row("redirect to another port", faults.redirect("http://127.0.0.1:1/"), "invalid_response"),
    Row("endless pages", faults.endless_pages(), "invalid_response", ways=LISTS),
    Row("endless new items", faults.endless_pages(new_items=True), "invalid_response", ways=LISTS),
    Row("repeated token", faults.repeated_token(), "invalid_response", ways=LISTS),
]

CASES = [pytest.param(way, row, id=f"{row.name}, {way}") for row in MATRIX for way in row.ways]


@pytest.fixture(autouse=True)
def _fewer_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_PAGES", MANY_PAGES)


@pytest.mark.parametrize(("way", "row"), CASES)
async def test_a_fault_of_one_cluster_is_reported_and_leaves_the_others_alone(
    way: str, row: Row
) -> None:
    async with watching(fleet(), way, request_timeout=request_timeout(row.reason)) as exporter:
        book = exporter.palette.faults
        course = Course(exporter=exporter, failing=frozenset({EAST}), reason=row.reason)
        await course.assert_reported(
            lambda: book.add(Match(cluster_uid=EAST), row.fault), book.clear
        )


async def test_a_refresh_that_does_not_end_does_not_keep_its_cluster_for_good() -> None:
    async with watching(fleet(), request_timeout=60.0) as exporter:
        before = await exporter.scrape()
        read = before.rows(LAST_SUCCESS, "cluster_uid")[EAST]
        exporter.palette.faults.add(Match(cluster_uid=EAST), faults.hang())
        due = read + 2 * INTERVAL - exporter.clock.wall()
        await exporter.pass_time(due - 0.001, hanging=1)
        assert (await exporter.scrape()).everything() == before.everything()
        await exporter.pass_time(0.002, hanging=1)
        scrape = await exporter.scrape()
        assert scrape.everything() == before.everything(without=EAST)
        assert scrape.rows(LAST_SUCCESS, "cluster_uid")[EAST] == read
