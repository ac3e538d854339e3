"""The HTTP server, queried over real connections while the exporter runs."""

import asyncio
import gzip
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.palette_server import faults
from tests.palette_server.server import PaletteServer
from tests.palette_server.world import World
from tests.process import eventually, get, labels_of, scrape, series
from tests.web.running import Exporter, exporter_of, target
from tests.web.test_negotiation import PROMETHEUS_2, PROMETHEUS_3

CLUSTER, PROJECT = "6540a1", "65f0c1"
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
ONE = {"cluster_uid": CLUSTER, "namespace": "vms", "vm": "db-01", "snapshot": "nightly"}


class Wall:
    """The test's time, in seconds since the epoch."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def world() -> World:
    world = World.empty()
    world.add_cluster(CLUSTER, "prod-east", PROJECT)
    world.put_vm(CLUSTER, vm_document(name="db-01"))
    world.put_snapshot(CLUSTER, snapshot_document(name="nightly", vm="db-01"))
    return world


@pytest.fixture
async def palette(world: World) -> AsyncIterator[PaletteServer]:
    async with PaletteServer(world, limits=None) as palette:
        yield palette


@pytest.fixture
async def exporter(palette: PaletteServer) -> AsyncIterator[Exporter]:
    async with exporter_of(palette, [ONE]) as exporter:
        await exporter.ready()
        yield exporter


async def answer(
    url: str, *lines: tuple[str, str], method: str = "GET"
) -> tuple[aiohttp.ClientResponse, bytes]:
    """Return the raw bytes of an answer; lines: of the request's header."""
    silent = ["Accept", "Accept-Encoding", "User-Agent"]
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=silent) as session,
        session.request(method, url, headers=CIMultiDict(lines)) as response,
    ):
        return response, await response.read()


def lasting(text: str) -> list[str]:
    """Return the lines that do not change with time."""
    return [line for line in text.splitlines() if not line.startswith(("process_", PASSING))]


PASSING = "palette_vm_snapshot_age_seconds{"


async def test_the_format_is_negotiated_over_several_header_lines(exporter: Exporter) -> None:
    url = f"{exporter.url}/metrics"
    accepts: list[tuple[str, list[str]]] = [
        (TEXT_TYPE, []),
        (TEXT_TYPE, ["*/*"]),
        (TEXT_TYPE, ["application/openmetrics-text;q=0.4", "text/plain;q=0.5"]),
        (OPENMETRICS_TYPE, ["text/plain;q=0.5", "application/openmetrics-text;q=0.6"]),
        (OPENMETRICS_TYPE, [PROMETHEUS_2]),
        (OPENMETRICS_TYPE, [PROMETHEUS_3]),
        (OPENMETRICS_TYPE, PROMETHEUS_3.split(",")),
    ]
    for expected, accept in accepts:
        response, body = await answer(url, *(("Accept", line) for line in accept))
        assert response.status == 200
        assert response.headers["Content-Type"] == expected
        assert response.headers["Vary"] == "Accept, Accept-Encoding"
        assert "Content-Encoding" not in response.headers
        assert body.endswith(b"# EOF\n") is (expected == OPENMETRICS_TYPE)
        assert body.count(b"# EOF") == (expected == OPENMETRICS_TYPE)


@pytest.mark.parametrize("accept", ["text/plain", PROMETHEUS_2])
async def test_gzip_has_the_same_text_as_plain(exporter: Exporter, accept: str) -> None:
    url = f"{exporter.url}/metrics"
    _, plain = await answer(url, ("Accept", accept))
    packed, squeezed = await answer(
        url, ("Accept", accept), ("Accept-Encoding", "br;q=1"), ("Accept-Encoding", "gzip;q=0.2")
    )
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept, Accept-Encoding"
    assert lasting(gzip.decompress(squeezed).decode()) == lasting(plain.decode())
    assert len(squeezed) < len(plain) / 2
    for unwelcome in ("gzip;q=0", "gzip;q=0.5, identity;q=0.9", "br"):
        refused, body = await answer(url, ("Accept", accept), ("Accept-Encoding", unwelcome))
        assert "Content-Encoding" not in refused.headers
        assert lasting(body.decode()) == lasting(plain.decode())


@pytest.mark.parametrize(("accept", "parse"), [("", parse_text), (PROMETHEUS_3, parse_openmetrics)])
async def test_both_formats_parse_and_say_the_same(
    exporter: Exporter, accept: str, parse: Callable[[str], Any]
) -> None:
    _, body = await answer(f"{exporter.url}/metrics", ("Accept", accept))
    families = list(parse(body.decode()))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert all(family.documentation for family in families)
    samples = [(each.name, tuple(each.labels.items())) for one in families for each in one.samples]
    assert len(samples) == len(set(samples))
    assert not any(name.endswith("_created") for name, _ in samples)
    ready = [each for one in families for each in one.samples if each.name.endswith("shot_ready")]
    assert [(each.labels["snapshot"], each.value) for each in ready] == [("nightly", 1.0)]


async def test_head_is_get_without_the_body(exporter: Exporter) -> None:
    for path in ("/", "/metrics", "/-/healthy", "/-/ready"):
        full, body = await answer(exporter.url + path, ("Accept-Encoding", "gzip"))
        head, nothing = await answer(
            exporter.url + path, ("Accept-Encoding", "gzip"), method="HEAD"
        )
        assert (head.status, nothing) == (200, b"")
        assert body
        for name in ("Content-Type", "Content-Encoding", "Vary"):
            assert head.headers.get(name) == full.headers.get(name), (path, name)


async def test_other_methods_are_405_and_other_paths_404(exporter: Exporter) -> None:
    for path in ("/", "/metrics", "/-/healthy", "/-/ready"):
        for method in ("POST", "PUT", "DELETE"):
            response, _ = await answer(exporter.url + path, method=method)
            assert response.status == 405
            assert {"GET", "HEAD"} <= set(response.headers["Allow"].split(","))
    for path in ("/metric", "/metrics/", "/metrics/x", "/-/", "/-/nothing", "//metrics"):
        response, body = await answer(exporter.url + path)
        assert response.status == 404, path
        assert b"Traceback" not in body


async def test_the_first_page_links_to_existing_paths(palette: PaletteServer) -> None:
    async with exporter_of(palette, [ONE], web={"telemetry_path": "/own/metrics"}) as exporter:
        await exporter.ready()
        response, body = await answer(f"{exporter.url}/")
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert b'href="own/metrics"' in body
        assert (await get(f"{exporter.url}/own/metrics"))[0] == 200
        assert (await get(f"{exporter.url}/metrics"))[0] == 404


async def test_it_answers_before_the_first_refresh_but_is_not_ready(palette: PaletteServer) -> None:
    """Also while Palette hangs: no answer of the exporter waits for it."""
    hang = palette.faults.add(None, faults.hang())
    two = {**ONE, "cluster_uid": "other"}
    async with exporter_of(palette, [ONE, two], palette={"timeout": "1s"}) as exporter:

        async def asked() -> int:
            return len(palette.requests)

        await eventually(asked)
        async with asyncio.timeout(1):
            assert (await get(f"{exporter.url}/-/ready"))[0] == 503
            assert (await get(f"{exporter.url}/-/healthy"))[0] == 200
            text = await scrape(exporter.url)
        assert "palette_exporter_build_info{" in text
        assert "palette_vm_" not in text
        assert "palette_cluster_" not in text
        hang.remove()
        # One of the two succeeds, and the other fails: Palette does not have this cluster.
        await exporter.ready()
        ups = {
            dict(labels)["cluster_uid"]: value
            for (name, labels), value in series(await scrape(exporter.url)).items()
            if name == "palette_vm_snapshot_up"
        }
        assert ups == {CLUSTER: 1.0, "other": 0.0}


async def test_an_age_is_worked_out_as_the_scrape_is_answered(palette: PaletteServer) -> None:
    taken = 1_795_140_014.0  # 14 seconds after it was requested
    wall = Wall(taken + 10)
    async with exporter_of(palette, [ONE], wall=wall) as exporter:
        await exporter.ready()
        asked = len(palette.requests)

        async def times() -> tuple[float, float]:
            found = {name: value for (name, _), value in series(await scrape(exporter.url)).items()}
            return (
                found["palette_vm_snapshot_age_seconds"],
                found["palette_vm_snapshot_creation_timestamp_seconds"],
            )

        since = (await times())[1]
        assert await times() == (taken + 10 - since, since)
        wall.now += 3600.5
        assert await times() == (taken + 3610.5 - since, since)
        wall.now = since - 60  # a clock that runs behind Palette's
        assert await times() == (0.0, since)
        assert len(palette.requests) == asked


async def test_many_scrapes_at_once_say_the_same(exporter: Exporter) -> None:
    url = f"{exporter.url}/metrics"
    headers = [("Accept-Encoding", "gzip"), ("Accept-Encoding", "identity")] * 20
    answers = await asyncio.gather(*(answer(url, header) for header in headers))
    texts = [
        lasting(
            (gzip.decompress(body) if "Content-Encoding" in response.headers else body).decode()
        )
        for response, body in answers
    ]
    assert len(texts) == 40
    assert all(text == texts[0] for text in texts)


async def test_a_client_that_disconnects_in_the_middle_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World.fleet(clusters=1, vms=300, snapshots=3_000, now=1_795_140_000.0)
    uid = world.clusters()[0].uid
    caplog.set_level(logging.DEBUG)
    async with (
        PaletteServer(world, limits=None) as palette,
        exporter_of(palette, [{"cluster_uid": uid}]) as exporter,
    ):
        await exporter.ready()
        whole = await scrape(exporter.url)
        assert len(whole) > 5_000_000
        before = list(exporter.log)
        caplog.clear()
        for _ in range(5):
            await leave_in_the_middle(exporter.url)
        assert lasting(await scrape(exporter.url)) == lasting(whole)
        assert list(exporter.log) == before
        loud = [each for each in caplog.records if each.levelno >= logging.INFO]
        assert not loud, loud
        assert not [each for each in caplog.records if each.exc_info]


async def leave_in_the_middle(url: str) -> None:
    """Read the beginning of an answer and reset the connection."""
    host, _, port = url.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await loop.sock_connect(connection, (host, int(port)))
        await loop.sock_sendall(connection, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await loop.sock_recv(connection, 1024)).startswith(b"HTTP/1.1 200 ")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


NAMES = (
    'quo"te',
    "back\\slash",
    "back\\nslash-n",
    "new\nline",
    "ends with \\",
    '\\"',
    "tab\tand return\r",
    "Grüße-日本語-🙂",
    "a{b}=c",
    "per%cent/sl%2Fash?and#more&",
    "  spaces ",
    "#HELP me",
    "line\u2028separator\x85",
)


NAMES_OF_TARGETS = tuple(
    name for name in NAMES if name.isprintable() and not set(name) & set("/\\%")
)
"""The names that a configuration can have; Palette's documents can have any."""


@pytest.mark.parametrize(
    ("by", "names"), [("get_snapshot", NAMES_OF_TARGETS), ("list_snapshots", NAMES)]
)
async def test_names_of_any_kind_come_back_the_same(by: str, names: tuple[str, ...]) -> None:
    """Names from Palette's documents and from the configuration, in both formats."""
    world = World.empty()
    wanted: list[dict[str, str]] = []
    expected = set()
    for index, name in enumerate(names):
        uid = f"cluster-{index}"
        world.add_cluster(uid, name, PROJECT)
        world.put_vm(uid, vm_document(name=f"vm {name}", namespace=f"ns {name}"))
        for twin in ("", "'s twin") if by == "list_snapshots" else ("",):
            document = snapshot_document(
                name=f"{name}{twin}", vm=f"vm {name}", namespace=f"ns {name}", uid=name
            )
            document["spec"]["deletionPolicy"] = name
            document["status"]["indications"] = [name]
            world.put_snapshot(uid, document)
            named = target(document, uid)
            expected.add((uid, named["namespace"], named["vm"], named["snapshot"]))
            wanted.append(named if by == "get_snapshot" else {"cluster_uid": uid})
    targets = [each for index, each in enumerate(wanted) if each not in wanted[:index]]
    async with (
        PaletteServer(world, limits=None) as palette,
        exporter_of(palette, targets) as exporter,
    ):
        await exporter.ready()
        for accept, parse in (("", parse_text), (PROMETHEUS_3, parse_openmetrics)):
            _, body = await answer(f"{exporter.url}/metrics", ("Accept", accept))
            read: Callable[[str], Any] = parse
            families = {each.name: each.samples for each in read(body.decode())}
            ready = families["palette_vm_snapshot_ready"]
            assert {
                tuple(each.labels[name] for name in ("cluster_uid", "namespace", "vm", "snapshot"))
                for each in ready
            } == expected
            assert all(each.value == 1 for each in ready)
            assert all(each.value == 1 for each in families.get("palette_vm_snapshot_up", ()))
            for label, name in (
                ("uid", "palette_vm_snapshot_info"),
                ("deletion_policy", "palette_vm_snapshot_info"),
                ("indication", "palette_vm_snapshot_indication"),
                ("cluster_name", "palette_cluster_up"),
            ):
                assert {each.labels[label] for each in families[name]} == set(names), label
        endpoints = {request.endpoint for request in palette.requests}
    assert endpoints - {"list_vms"} == {by, "list_clusters"}


async def test_a_configured_name_of_a_cluster_is_escaped_too(palette: PaletteServer) -> None:
    name = 'the "best"\\cluster of ünï'
    async with exporter_of(palette, [{**ONE, "cluster_name": name}]) as exporter:
        await exporter.ready()
        found = series(await scrape(exporter.url))
    assert labels_of(found, "palette_cluster_up") == [
        {"cluster_uid": CLUSTER, "cluster_name": name}
    ]
