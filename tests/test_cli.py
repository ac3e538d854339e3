"""The command as a process: its output, its exit codes, and no secrets in either."""

import asyncio
import json
import re
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from exporter import __version__
from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.palette_server import faults
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import (
    DEV,
    MODULE,
    SCRIPT,
    eventually,
    finished,
    free_port,
    get,
    logfmt,
    ready,
    running,
    scrape,
    series,
)

CANARY = "c4n4ry-S3CR3T-9f"
CLUSTER = "6540a1"
TARGET = {"cluster_uid": CLUSTER, "namespace": "vms", "vm": "db-01", "snapshot": "nightly"}
LISTEN = "--web.listen-address=127.0.0.1:0"


def config(directory: Path, url: str = "http://127.0.0.1:9", **more: Any) -> str:
    """Write a valid configuration file with ``more`` in it, and return the flag for it."""
    key = directory / "key"
    key.touch(mode=0o600)
    key.write_text(f"{API_KEY}\n")
    tree = {"palette": {"url": url, "api_key_file": "key"}, "targets": [TARGET], **more}
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return f"--config.file={path}"


def world() -> World:
    world = World.empty()
    world.add_cluster(CLUSTER, "prod-east", "65f0c1")
    world.put_vm(CLUSTER, vm_document(name="db-01"))
    world.put_snapshot(CLUSTER, snapshot_document(name="nightly", vm="db-01"))
    return world


@pytest.mark.parametrize("command", [MODULE, SCRIPT, DEV], ids=["module", "script", "dev"])
def test_the_version_is_one_line(command: Sequence[str]) -> None:
    done = finished("--version", command=command)
    assert (done.returncode, done.stderr) == (0, "")
    expected = (
        rf"palette-snapshot-exporter, version {re.escape(__version__)} \(revision \S+, .+\)\n"
    )
    assert re.fullmatch(expected, done.stdout)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
async def test_a_closed_standard_stream_hinders_neither_start_nor_end(closed: str) -> None:
    port = free_port()
    line = f'exec "$@" {closed}'
    flags = ["--demo", f"--web.listen-address=127.0.0.1:{port}"]
    process = await asyncio.create_subprocess_exec("sh", "-c", line, "sh", *MODULE, *flags)
    try:

        async def listening() -> bool:
            with suppress(aiohttp.ClientError):
                return await ready(f"http://127.0.0.1:{port}")
            return False

        await eventually(listening)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        if process.returncode is None:
            process.kill()


@pytest.mark.parametrize("command", [MODULE, SCRIPT], ids=["module", "script"])
def test_the_help_is_grouped_and_fits_a_terminal(command: Sequence[str]) -> None:
    done = finished("--help", command=command)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "usage: palette-snapshot-exporter [flags]"
    groups = [line for line in lines if re.fullmatch(r"[a-z.]+:", line)]
    assert groups[:2] == ["general:", "palette:"]
    assert {"refresh:", "web:", "log:"} <= set(groups)
    for group, flag in (
        ("general:", "  --config.check"),
        ("palette:", "  --palette.url URL"),
        ("refresh:", "  --refresh.interval DURATION"),
        ("web:", "  --web.listen-address HOST:PORT"),
        ("log:", "  --log.format logfmt|json"),
    ):
        below = lines[lines.index(group) :]
        assert flag in below[: below.index("")]
    assert max(map(len, lines)) < 80


def test_a_good_configuration_is_printed_as_it_counts_without_secrets(tmp_path: Path) -> None:
    flag = config(tmp_path, palette={"url": "palette.example", "api_key": CANARY})
    done = finished(
        flag,
        "--config.print",
        "--refresh.interval=30s",
        command=DEV,
        environ={"PALETTE_EXPORTER_LOG__LEVEL": "warning"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = yaml.safe_load(done.stdout)
    assert printed["palette"]["url"] == "https://palette.example"
    assert printed["palette"]["api_key"] == "<secret>"
    assert printed["refresh"]["interval"] == "30s"
    assert printed["log"]["level"] == "warning"
    assert [each["snapshot"] for each in printed["targets"]] == ["nightly"]
    assert CANARY not in done.stdout


def refuses(code: int, stdout: str, stderr: str) -> None:
    assert code == 2, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    assert "Warning" not in stderr
    assert "pydantic" not in stderr
    assert CANARY not in stderr


@pytest.mark.parametrize("check", [(), ("--config.check",), ("--report",)])
def test_bad_yaml_is_one_line_with_its_place(check: Sequence[str], tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"palette: {{api_key: {CANARY}\ntargets: [")
    done = finished(f"--config.file={path}", *check, command=DEV)
    refuses(done.returncode, done.stdout, done.stderr)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("config.file: line ")
    assert done.stderr.endswith(f": {path}\n")


def test_faults_of_all_sources_are_reported_at_once(tmp_path: Path) -> None:
    flag = config(
        tmp_path,
        refresh={"interval": "0s"},
        web={"telemetry_path": "nowhere"},
        targets=[dict.fromkeys(("namespace", "vm", "snapshot"), CANARY)],
        secrets=CANARY,
    )
    environ = {"PALETTE_EXPORTER_PALETTE__BURST": CANARY, "SPECTROCLOUD_HOST": f"ftp://{CANARY}"}
    done = finished(flag, "--log.level=loud", command=DEV, environ=environ)
    refuses(done.returncode, done.stdout, done.stderr)
    places = sorted(line.split(" ")[0].rstrip(":") for line in done.stderr.splitlines())
    assert places == [
        "log.level",
        "palette.burst",
        "palette.url",
        "refresh.interval",
        "secrets",
        "targets[0].cluster_uid",
        "web.telemetry_path",
    ]


@pytest.mark.parametrize("command", [(), DEV], ids=["plain", "dev"])
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(command: Sequence[str]) -> None:
    for argument in (
        f"--palette.api-key={CANARY}",
        f"--palette.api_key={CANARY}",
        f"--palette.password={CANARY}",
        f"--palette.proxy-url=http://user:{CANARY}@proxy",
        CANARY,
    ):
        done = finished(argument, command=command)
        refuses(done.returncode, done.stdout, done.stderr)
        assert len(done.stderr.splitlines()) == 1


async def test_a_busy_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = finished("--demo", f"--web.listen-address={address}", command=DEV)
    assert done.returncode == 1
    assert done.stdout == ""
    # In development mode asyncio logs steps that a busy machine made slow.
    (line,) = [line for line in done.stderr.splitlines() if "Executing <" not in line]
    fields = logfmt(line)
    assert (fields["level"], fields["msg"]) == ("error", "cannot listen")
    assert fields["reason"].startswith(f"{address}: ")
    assert fields["reason"].endswith("address already in use")
    assert "web.listen_address" in fields["hint"]


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[tuple[PaletteServer, str]]:
    """A Palette, and the flag for a configuration that watches one of its snapshots."""
    async with PaletteServer(world(), limits=None) as palette:
        yield palette, config(tmp_path, palette.url, refresh={"interval": "1s"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [MODULE, SCRIPT, DEV], ids=["module", "script", "dev"])
async def test_a_signal_ends_it_well(
    number: signal.Signals, command: Sequence[str], tmp_path: Path
) -> None:
    async with (
        served(tmp_path) as (_, flag),
        running(flag, LISTEN, directory=tmp_path, command=command) as exporter,
    ):
        url = await exporter.url()
        await eventually(lambda: ready(url))
        assert await exporter.stop(number) == 0
        # In development mode asyncio logs steps that a busy machine made slow.
        reported = [line for line in exporter.log if not line["msg"].startswith("Executing <")]
        assert [line["level"] for line in reported] == ["info"] * len(reported)
        assert exporter.log[-1]["msg"] == "stopping"
        assert exporter.stdout.read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_while_palette_hangs(number: signal.Signals, tmp_path: Path) -> None:
    async with served(tmp_path) as (palette, flag):
        palette.faults.add(None, faults.hang())
        async with running(flag, LISTEN, directory=tmp_path, command=DEV) as exporter:
            url = await exporter.url()

            async def hangs() -> bool:
                return palette.in_flight > 0

            await eventually(hangs)
            assert (await get(f"{url}/-/healthy"))[0] == 200
            assert await exporter.stop(number) == 0
            assert exporter.log[-1]["msg"] == "stopping"


async def test_a_signal_ends_it_at_any_moment_of_its_start(tmp_path: Path) -> None:
    """After its first line of log; before that, the interpreter handles signals."""
    async with running("--demo", LISTEN, directory=tmp_path, command=MODULE) as exporter:
        await exporter.line("starting")
        assert await exporter.stop() == 0


async def test_an_answer_in_flight_is_finished(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as (_, flag),
        running(flag, LISTEN, directory=tmp_path) as exporter,
    ):
        url = await exporter.url()
        await eventually(lambda: ready(url))
        # An open connection without a request must not delay the end.
        host, _, port = url.removeprefix("http://").partition(":")
        _, idle = await asyncio.open_connection(host, int(port))
        scrapes = [asyncio.create_task(scrape(url)) for _ in range(10)]
        texts = await asyncio.gather(*scrapes)
        assert await exporter.stop() == 0
        idle.close()
        assert all("palette_exporter_build_info" in text for text in texts)


async def test_an_api_that_is_down_at_the_start_is_logged_once_and_waited_for(
    tmp_path: Path,
) -> None:
    port = free_port()
    palette = PaletteServer(world(), limits=None)
    flag = config(tmp_path, f"http://127.0.0.1:{port}", refresh={"interval": "1s"})
    async with running(flag, LISTEN, directory=tmp_path) as exporter:
        url = await exporter.url()
        failing = await exporter.line("refresh failing")
        assert (failing["reason"], failing["cluster_uid"]) == ("connection", CLUSTER)
        assert await ready(url)
        assert await rounds(url) >= 1
        seen = await rounds(url)

        async def two_more() -> bool:
            return await rounds(url) >= seen + 2

        await eventually(two_more)
        assert len(exporter.logged("refresh failing")) == 1
        assert await value(url, "palette_cluster_up") == 0
        assert await value(url, "palette_vm_snapshot_up") == 0
        assert await value(url, "palette_vm_snapshot_ready") is None
        await palette.start(port=port)
        try:
            await exporter.line("refresh recovered")
            assert await value(url, "palette_cluster_up") == 1
            assert await value(url, "palette_vm_snapshot_ready") == 1
        finally:
            await palette.stop()
        warnings = [line["msg"] for line in exporter.log if line["level"] != "info"]
        assert warnings == ["refresh failing"]
        assert exporter.process.returncode is None


async def rounds(url: str) -> float:
    """Return how many refreshes have failed so far."""
    name = "palette_exporter_refresh_failures_total"
    return sum(each for (family, _), each in series(await scrape(url)).items() if family == name)


async def value(url: str, name: str) -> float | None:
    found = [each for (family, _), each in series(await scrape(url)).items() if family == name]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
async def test_log_lines_parse_whatever_palette_calls_its_things(
    log_format: str, tmp_path: Path
) -> None:
    names = {
        "cluster_name": 'the "best" = of all\\ ü[31m🙂',
        "namespace": 'quoted "name"',
        "vm": "a=b",
        "snapshot": "a b",
    }
    flag = config(tmp_path, targets=[{**TARGET, **names}], log={"format": log_format})
    tenant = world()
    tenant.put_vm(CLUSTER, vm_document(name=names["vm"], namespace=names["namespace"]))
    async with (
        PaletteServer(tenant, limits=None) as palette,
        running(
            flag,
            LISTEN,
            f"--palette.url={palette.url}",
            directory=tmp_path,
            environ={"SPECTROCLOUD_APIKEY": API_KEY},
        ) as exporter,
    ):
        parse: Callable[[str], dict[str, Any]] = logfmt if log_format == "logfmt" else json.loads

        def lines() -> list[dict[str, Any]]:
            whole, _, _ = exporter.stderr.read_bytes().decode().rpartition("\n")
            return [parse(line) for line in whole.split("\n") if line]

        async def reported() -> list[dict[str, Any]]:
            return [line for line in lines() if line["msg"] == "snapshot not read"]

        (line,) = await eventually(reported)
        assert line["cluster"] == names["cluster_name"]
        assert [line[key] for key in ("namespace", "vm", "snapshot")] == [
            names[key] for key in ("namespace", "vm", "snapshot")
        ]
        assert await exporter.stop() == 0
        assert lines()[0]["msg"] == "starting"
        assert all(re.fullmatch(r"20\d\d-.*Z", line["time"]) for line in lines())
        assert {line["level"] for line in lines()} == {"info", "warning"}
        printable = exporter.stderr.read_bytes().decode()
        assert printable.replace("\n", "").isprintable()


async def test_invalid_http_is_not_logged(tmp_path: Path) -> None:
    """A header that is too long could be a secret of the client."""
    requests = (
        f"GET /metrics HTTP/1.1\r\nAuthorization: {CANARY * 1000}\r\n\r\n",
        f"GET /{CANARY * 1000} HTTP/1.1\r\n\r\n",
        f"GET /metrics HTTP/1.1\r\nContent-Length: {CANARY}\r\n\r\n",
        "\x16\x03\x01\r\n\r\n",
    )
    async with running("--demo", LISTEN, directory=tmp_path) as exporter:
        url = await exporter.url()
        host, _, port = url.removeprefix("http://").partition(":")
        for request in requests:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request.encode())
            assert (await reader.readline()).split()[1] == b"400"
            writer.close()
        assert (await get(f"{url}/-/healthy"))[0] == 200
        assert await exporter.stop() == 0
        assert "error" not in {line["level"] for line in exporter.log}
        assert CANARY not in exporter.stderr.read_text()


def command_line(pid: int) -> bytes:
    """Return the arguments of a process that others can see; nothing if the system hides them."""
    path = Path(f"/proc/{pid}/cmdline")
    return path.read_bytes() if path.exists() else b""


async def test_a_key_is_sent_to_palette_only(tmp_path: Path) -> None:
    """Palette refuses the key and repeats it: it is not in the log, the pages or the metrics."""
    (tmp_path / "key").write_text(CANARY)
    async with PaletteServer(world(), api_keys=[CANARY], limits=None) as palette:
        flag = config(tmp_path, palette.url, refresh={"interval": "1s"})
        (tmp_path / "key").write_text(CANARY)
        echo = faults.respond(401, {"code": "Unauthorized", "message": f"bad key {CANARY}"})
        planned = palette.faults.add(None, echo)
        async with running(
            flag, LISTEN, "--log.level=debug", directory=tmp_path, command=DEV
        ) as exporter:
            url = await exporter.url()
            await exporter.line("refresh failing")
            assert CANARY.encode() not in command_line(exporter.process.pid)
            pages = [(await get(url + path))[1] for path in ("/", "/metrics", "/-/ready", "/none")]
            planned.remove()
            await exporter.line("refresh recovered")
            pages.append(await scrape(url))
            assert await exporter.stop() == 0
            assert not [page for page in pages if CANARY in page]
            assert CANARY not in exporter.stderr.read_text() + exporter.stdout.read_text()
        assert any(request.has_api_key for request in palette.requests)
