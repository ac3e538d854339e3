"""The end of the exporter: cleanly at one signal, at once at two, with an error at a bug."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import aiohttp
import pytest
import yaml

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.ending.launcher import BUGS, CANARY, STAGES, arrange
from tests.palette_server import faults
from tests.palette_server.exchange import Point
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import Running, eventually, ready, running

LAUNCHER = (sys.executable, "-m", "tests.ending.launcher")
LISTEN = "--web.listen-address=127.0.0.1:0"
EAST = "6540a1"
ENDED_BY_BUG = "internal error, exiting"
SIGNALS = [signal.SIGTERM, signal.SIGINT]


def tenant(snapshots: int = 1) -> World:
    world = World.empty()
    world.add_cluster(EAST, "prod-east", "65f0c1")
    world.put_vm(EAST, vm_document(name="db-01"))
    for number in range(snapshots):
        world.put_snapshot(EAST, snapshot_document(name=f"nightly-{number:06d}", vm="db-01"))
    return world


def config(directory: Path, url: str, key: str = API_KEY) -> str:
    (directory / "key").touch(mode=0o600)
    (directory / "key").write_text(key)
    tree = {
        "palette": {"url": url, "api_key_file": "key"},
        "targets": [{"cluster_uid": EAST, "cluster_name": "east"}],
        "discovery": {"enabled": True},
        "refresh": {"interval": "1s"},
    }
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return f"--config.file={path}"


@asynccontextmanager
async def hanging_reader(url: str, path: str) -> AsyncIterator[socket.socket]:
    """Send a request and read almost nothing of the answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    with closing(socket.socket()) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(reader, (host, int(port)))
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n"
        await loop.sock_sendall(reader, request.encode())
        yield reader


async def ended(exporter: Running) -> int:
    return await asyncio.wait_for(exporter.process.wait(), 30)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("stage", STAGES)
async def test_a_signal_ends_it_well_at_every_stage_of_its_start(
    stage: str, number: signal.Signals, tmp_path: Path
) -> None:
    async with (
        PaletteServer(tenant(), limits=None) as palette,
        running(
            stage,
            config(tmp_path, palette.url),
            LISTEN,
            directory=tmp_path,
            command=LAUNCHER,
            environ={"SIGNAL": str(int(number))},
        ) as exporter,
    ):
        assert await ended(exporter) == 0, exporter.stderr.read_text()
        assert "Traceback" not in exporter.stderr.read_text()
        assert {line["level"] for line in exporter.log} <= {"info"}


@pytest.mark.parametrize("point", ["start", "headers", "middle"])
async def test_a_signal_ends_it_wherever_palette_hangs(point: Point, tmp_path: Path) -> None:
    async with PaletteServer(tenant(), limits=None) as palette:
        palette.faults.add(None, faults.hang(point))
        async with running(config(tmp_path, palette.url), LISTEN, directory=tmp_path) as exporter:
            await exporter.url()

            async def hangs() -> bool:
                return palette.in_flight > 0

            await eventually(hangs)
            assert await exporter.stop() == 0
            assert exporter.log[-1]["msg"] == "stopping"


async def test_a_signal_ends_it_while_no_connection_to_palette_comes_about(
    tmp_path: Path,
) -> None:
    with closing(socket.socket()) as deaf, closing(socket.socket()) as first:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        first.connect(deaf.getsockname())  # the queue of those who wait is full
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with running(config(tmp_path, url), LISTEN, directory=tmp_path) as exporter:
            await exporter.line("watching clusters")
            assert await exporter.stop() == 0


async def test_a_signal_ends_it_while_a_slow_reader_drains_a_large_answer(
    tmp_path: Path,
) -> None:
    async with (
        PaletteServer(tenant(4000), limits=None) as palette,
        running(config(tmp_path, palette.url), LISTEN, directory=tmp_path) as exporter,
    ):
        url = await exporter.url()
        await eventually(lambda: ready(url))
        async with hanging_reader(url, "/metrics") as reader:
            await asyncio.get_running_loop().sock_recv(reader, 1)
            palette.faults.add(None, faults.hang())
            assert await exporter.stop() == 0
        assert exporter.log[-1]["msg"] == "stopping"


async def test_a_signal_ends_it_during_a_reload_that_hangs(tmp_path: Path) -> None:
    """Also in a thread, for which the interpreter would wait."""
    began = tmp_path / "began"
    async with (
        PaletteServer(tenant(), limits=None) as palette,
        running(
            config(tmp_path, palette.url),
            LISTEN,
            directory=tmp_path,
            arrange=partial(arrange, "slow-reload"),
            environ={"BEGAN": str(began)},
        ) as exporter,
        aiohttp.ClientSession() as session,
    ):
        url = await exporter.url()

        async def ask() -> tuple[int, str]:
            async with session.post(f"{url}/-/reload") as answer:
                return answer.status, await answer.text()

        async with asyncio.TaskGroup() as group:
            asked = group.create_task(ask())

            async def hangs() -> bool:
                return began.read_text() == "again"

            await eventually(hangs)
            assert await exporter.stop() == 0
        assert asked.result() == (500, "the exporter is stopping\n")


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_second_signal_ends_it_at_once(number: signal.Signals, tmp_path: Path) -> None:
    async with PaletteServer(tenant(), limits=None) as palette:
        palette.faults.add(None, faults.hang())
        async with running(config(tmp_path, palette.url), LISTEN, directory=tmp_path) as exporter:
            url = await exporter.url()
            # An answer in flight, for which it would wait.
            async with hanging_reader(url, f"/probe?cluster_uid={EAST}&namespace=n&vm=v"):

                async def probed() -> bool:
                    return len(palette.requests) >= 3

                await eventually(probed)
                exporter.process.send_signal(number)
                await exporter.line("stopping")
                exporter.process.send_signal(number)
                assert await ended(exporter) == -number
        assert "Traceback" not in exporter.stderr.read_text()


async def test_a_hang_up_during_the_start_is_a_reload_and_not_the_end(tmp_path: Path) -> None:
    async with (
        PaletteServer(tenant(), limits=None) as palette,
        running(
            "import-of-all",
            config(tmp_path, palette.url),
            LISTEN,
            directory=tmp_path,
            command=LAUNCHER,
            environ={"SIGNAL": str(int(signal.SIGHUP))},
        ) as exporter,
    ):
        await exporter.line("configuration reloaded")
        assert await exporter.stop() == 0


async def ask_for_reload(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        try:
            async with session.post(f"{url}/-/reload") as answer:
                assert answer.status == 500
        except aiohttp.ClientConnectionError:
            """It ended first."""


@pytest.mark.parametrize("where", BUGS)
async def test_a_bug_in_any_loop_ends_it_with_one_clear_line(where: str, tmp_path: Path) -> None:
    async with (
        PaletteServer(tenant(), api_keys=[CANARY], limits=None) as palette,
        running(
            config(tmp_path, palette.url, CANARY),
            LISTEN,
            "--config.auto-reload",
            directory=tmp_path,
            arrange=partial(arrange, where),
        ) as exporter,
    ):
        if where == "reload":
            await ask_for_reload(await exporter.url())
        assert await ended(exporter) == 1, exporter.stderr.read_text()
        errors = [line for line in exporter.log if line["level"] == "error"]
        assert [line["msg"] for line in errors] == [ENDED_BY_BUG]
        assert "TypeError: a bug, beside 16 characters" in errors[0]["exception"]
        assert CANARY not in exporter.stderr.read_text()
