"""Proofs that a reload applies a setting, and their registry."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import trustme

from tests.harness import (
    EAST,
    INTERVAL,
    WEST,
    Running,
    exporting,
    target,
)
from tests.palette_server.server import PaletteServer
from tests.palette_server.world import World

CLUSTER_UP = "palette_cluster_up"
EAST_ONLY = [target(EAST, cluster_name="prod-east")]
BOTH = [*EAST_ONLY, target(WEST, cluster_name="prod-west")]
PROBE = f"/probe?cluster_uid={EAST}&namespace=vms&vm=db-01"

See = Callable[[Running], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """The objects of a proof."""

    world: World
    directory: Path

    def file(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        return str(path)


Case = Callable[[Place], Awaitable[None]]
CASES: dict[tuple[str, ...], Case] = {}


def case(*paths: str) -> Callable[[Case], Case]:
    """Register a proof that a reload applies these settings."""

    def register(each: Case) -> Case:
        for path in paths:
            assert tuple(path.split(".")) not in CASES
            CASES[tuple(path.split("."))] = each
        return each

    return register


def changes(path: str, before: object, after: object, see: See, was: object, is_: object) -> None:
    """Register that a reload with a value changes what can be observed."""
    section, _, key = path.partition(".")

    @case(path)
    async def proof(place: Place) -> None:
        given = [{key: value} if key else value for value in (before, after)]
        sections: list[dict[str, Any]] = [{section: each} for each in given]
        first = {"targets": EAST_ONLY, **sections[0]}
        async with exporting(place.world, **first) as exporter, exporter.loops():
            assert await see(exporter) == was
            await reloaded(exporter, **sections[1])
            assert await see(exporter) == is_


async def reloaded(exporter: Running, **sections: Any) -> None:
    """Reload, and wait until everything that is due has ended."""
    await exporter.reload(**sections)
    await exporter.idle()
    await exporter.pass_time(1.0)


def rows(name: str, label: str, **where: str) -> See:
    async def see(exporter: Running) -> set[str]:
        return set((await exporter.scrape()).rows(name, label, **where))

    return see


def clusters() -> See:
    return rows(CLUSTER_UP, "cluster_uid")


def namespaces() -> See:
    async def see(exporter: Running) -> set[str]:
        infos = (await exporter.scrape()).rows(
            "palette_vm_info", "namespace", "vm", cluster_uid=WEST
        )
        return {namespace for namespace, _ in infos}

    return see


def status(path: str, **headers: str) -> See:
    async def see(exporter: Running) -> int:
        async with exporter.session.get(exporter.url + path, headers=headers) as response:
            return response.status

    return see


def value(name: str) -> See:
    async def see(exporter: Running) -> float | None:
        return (await exporter.scrape()).value(name)

    return see


def requests_in(seconds: float, endpoint: str) -> See:
    async def see(exporter: Running) -> int:
        exporter.palette.forget_requests()
        await exporter.pass_time(seconds)
        return exporter.counted()[endpoint]

    return see


async def owner(exporter: Running) -> object:
    infos = (await exporter.scrape()).series("palette_vm_info")
    return {dict(labels).get("owner", "") for labels in infos}


async def labels(exporter: Running) -> object:
    found = (await exporter.scrape()).series("palette_vm_labels")
    return {label for labels in found for label, _ in labels if label.startswith("label_")}


async def too_many_series(exporter: Running) -> object:
    await exporter.scrape()
    return len(exporter.events("more series than metrics.max_series"))


async def requested(exporter: Running, **sections: Any) -> tuple[int, str]:
    """Request a reload with other sections; return the answer."""
    exporter.given.put(**sections)
    authorization = aiohttp.encode_basic_auth("scraper", "secret")
    async with exporter.session.post(
        f"{exporter.url}/-/reload", headers={"Authorization": authorization}
    ) as response:
        return response.status, await response.text()


async def assert_recovers(
    place: Place,
    wrong: Mapping[str, Any],
    right: Mapping[str, Any],
    *,
    tls: ssl.SSLContext | None = None,
    **demo: Any,
) -> None:
    """Prove that a cluster is read after a reload, and was not before it."""
    async with (
        PaletteServer(place.world, limits=None, **demo) as real,
        front(real.port, tls) as url,
        exporting(place.world, targets=EAST_ONLY, palette={"url": url, **wrong}) as exporter,
        exporter.loops(),
    ):
        assert await value(CLUSTER_UP)(exporter) == 0
        await exporter.reload(palette={"url": url, **right})
        await exporter.pass_time(INTERVAL)
        assert await value(CLUSTER_UP)(exporter) == 1


@asynccontextmanager
async def front(port: int, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Forward a port of loopback, over TLS if there is a context."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copied(reader, inner_writer), copied(inner_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    async with server:
        scheme = "https" if tls else "http"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def server_context(ca: trustme.CA, *, clients: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    if clients:
        ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def pem(*blobs: trustme.Blob) -> str:
    return "".join(blob.bytes().decode() for blob in blobs)
