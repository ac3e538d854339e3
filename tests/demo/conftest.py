"""Two clusters in two projects, served over HTTP, with a clock that tests advance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.palette_server.server import PaletteServer
from tests.palette_server.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EAST, WEST = "6540a1", "6540a2"
EAST_PROJECT, WEST_PROJECT = "65f0c1", "65f0c2"
KEY = "a-key-for-tests"
USER = ("someone@example.com", "a-password")


@dataclass
class Clock:
    """A clock that only a test advances."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Client:
    """Sends requests, with an API key by default."""

    session: aiohttp.ClientSession
    base: str

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Return the status and the JSON of the answer."""
        async with self.open(path, headers) as response:
            return response.status, await response.json()

    def open(
        self, path: str, headers: dict[str, str] | None = None
    ) -> aiohttp.client._RequestContextManager:
        return self.session.get(
            URL(self.base + path, encoded=True),
            headers={"ApiKey": KEY} if headers is None else headers,
            allow_redirects=False,
        )

    async def log_in(self, password: str = USER[1], query: str = "?setCookie=false") -> Any:
        body = {"emailId": USER[0], "password": password, "org": "acme"}
        url = f"{self.base}/v1/auth/authenticate{query}"
        async with self.session.post(url, json=body) as response:
            return response.status, await response.json(), response.headers

    async def pages(self, path: str) -> list[Any]:
        """Return all pages of a list, as documents."""
        pages: list[Any] = []
        token: str | None = None
        for _ in range(100):
            status, page = await self.get(path + (f"&continue={token}" if token else ""))
            assert status == 200
            pages.append(page)
            token = page["metadata"].get("continue")
            if token is None:
                return pages
        raise AssertionError("endless paging")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world() -> World:
    """East has 120 snapshots of 12 VMs in three namespaces; west has one snapshot of one VM."""
    world = World.empty()
    world.add_cluster(EAST, "prod-east", EAST_PROJECT)
    world.add_cluster(WEST, "prod-west", WEST_PROJECT, "maas")
    for number in range(12):
        vm, namespace = f"vm-{number}", f"ns-{number % 3}"
        world.put_vm(EAST, vm_document(name=vm, namespace=namespace))
        for serial in range(10):
            document = snapshot_document(name=f"{vm}-{serial}", vm=vm, namespace=namespace)
            world.put_snapshot(EAST, document)
    world.put_vm(WEST, vm_document(name="db-01"))
    world.put_snapshot(WEST, snapshot_document())
    return world


@pytest.fixture
async def palette(world: World, clock: Clock) -> AsyncIterator[PaletteServer]:
    users = dict([USER])
    async with PaletteServer(
        world, api_keys=[KEY], users=users, clock=clock, now=lambda: 0.0
    ) as palette:
        yield palette


@pytest.fixture
async def client(palette: PaletteServer) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Client(session, palette.url)
