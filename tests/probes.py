"""Requests of probes, in Prometheus' form."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from tests.harness import Scrape

if TYPE_CHECKING:
    from asyncio import Event

    from exporter.demo.calls import Answer
    from tests.palette_server.exchange import Exchange

SUCCESS, DURATION = "palette_probe_success", "palette_probe_duration_seconds"
UP = "palette_vm_snapshot_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer; headers: of the response."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def scrape(self) -> Scrape:
        assert self.status == 200, self.text
        return Scrape.of(self.text)

    @property
    def success(self) -> float | None:
        return self.scrape.value(SUCCESS)


async def probe(
    url: str,
    query: Mapping[str, str] | str,
    *,
    seconds: str = "10",
    method: str = "GET",
    **headers: str,
) -> Answered:
    """Send one probe over its own connection; seconds: the scrape's timeout."""
    text = query if isinstance(query, str) else urlencode(query)
    where = URL(f"{url}/probe?{text}", encoded=True)
    limits = aiohttp.ClientTimeout(total=20)
    sent = {"X-Prometheus-Scrape-Timeout-Seconds": seconds, **headers}
    async with (
        aiohttp.ClientSession(timeout=limits, auto_decompress=False) as session,
        session.request(method, where, headers=sent) as response,
    ):
        body = await response.read()
        squeezed = response.headers.get("Content-Encoding") == "gzip" and body
        plain = (gzip.decompress(body) if squeezed else body).decode()
        return Answered(status=response.status, headers=response.headers, text=plain)


class Blocker:
    """A fault that delays calls until it is opened, and then sends the right answers."""

    def __init__(self, opened: "Event") -> None:
        self.opened = opened
        self.held: list[Exchange] = []

    async def __call__(self, exchange: "Exchange") -> "Answer":
        self.held.append(exchange)
        await self.opened.wait()
        return exchange.answer()
