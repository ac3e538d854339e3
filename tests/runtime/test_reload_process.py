"""Reloads of a real process, in each way to request one."""

import asyncio
import resource
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import SCRIPT, Running, eventually, finished, get, ready, running, scrape, series
from tests.web.guard.guarded import WebFile

EAST, WEST = "6540a1", "6540a2"
LISTEN = "--web.listen-address=127.0.0.1:0"
RELOADED = "palette_exporter_config_last_reload_successful"
RELOADED_AT = "palette_exporter_config_last_reload_success_timestamp_seconds"
AUTO = "--config.auto-reload"


@dataclass(frozen=True, slots=True)
class Mount:
    """Files in Kubernetes' layout: links through one link, which an update swaps."""

    directory: Path

    def put(self, **files: str) -> None:
        version = self.directory / f"..{time.monotonic_ns()}"
        version.mkdir(parents=True)
        for name, text in files.items():
            (version / name).write_text(text)
            link = self.directory / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        fresh = self.directory / "..data_tmp"
        fresh.symlink_to(version.name)
        fresh.replace(self.directory / "..data")


def configuration(url: str, *clusters: str, **more: Any) -> str:
    tree = {
        "palette": {"url": url, "api_key_file": "key"},
        "targets": [{"cluster_uid": uid, "cluster_name": f"of-{uid}"} for uid in clusters],
        "refresh": {"interval": "1s"},
        **more,
    }
    return yaml.safe_dump(tree)


@asynccontextmanager
async def exporting(
    directory: Path, *flags: str
) -> AsyncIterator[tuple[PaletteServer, Mount, Running, str]]:
    """Run an exporter of the cluster EAST with all files in a mount."""
    world = World.empty()
    for uid in (EAST, WEST):
        world.add_cluster(uid, f"prod-{uid}", f"65f0-{uid}")
        world.put_vm(uid, vm_document(name="db-01"))
        world.put_snapshot(uid, snapshot_document(name="nightly", vm="db-01"))
    mount = Mount(directory / "mount")
    async with PaletteServer(world, limits=None) as palette:
        mount.put(**{"config.yaml": configuration(palette.url, EAST), "key": API_KEY})
        config = f"--config.file={mount.directory / 'config.yaml'}"
        async with running(config, LISTEN, *flags, directory=directory) as exporter:
            url = await exporter.url()
            await eventually(lambda: ready(url))
            yield palette, mount, exporter, url


async def asked(url: str, method: str = "POST") -> tuple[int, str, Mapping[str, str]]:
    """Request a reload; return status, text and headers."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, f"{url}/-/reload") as answer,
    ):
        return answer.status, await answer.text(), answer.headers


async def value(url: str, name: str) -> float | None:
    found = [each for (family, _), each in series(await scrape(url)).items() if family == name]
    assert len(found) <= 1
    return found[0] if found else None


async def clusters(url: str) -> dict[str, float]:
    """Return the clusters in the metrics, and whether each is up."""
    return {
        dict(labels)["cluster_uid"]: each
        for (family, labels), each in series(await scrape(url)).items()
        if family == "palette_cluster_up"
    }


def shows(url: str, *uids: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await clusters(url) == dict.fromkeys(uids, 1.0)

    return check


async def by_request(exporter: Running, url: str) -> None:
    assert (await asked(url))[:2] == (200, "reloaded\n")


async def by_put(exporter: Running, url: str) -> None:
    assert (await asked(url, "PUT"))[:2] == (200, "reloaded\n")


async def by_signal(exporter: Running, url: str) -> None:
    exporter.process.send_signal(signal.SIGHUP)


async def automatically(exporter: Running, url: str) -> None:
    """Let the exporter watch its files."""


WAYS = [(by_request, ()), (by_put, ()), (by_signal, ()), (automatically, (AUTO,))]


@pytest.mark.parametrize(("ask", "flags"), WAYS)
async def test_every_way_to_reload_applies_a_new_file(
    ask: Callable[[Running, str], Awaitable[None]], flags: tuple[str, ...], tmp_path: Path
) -> None:
    async with exporting(tmp_path, *flags) as (palette, mount, exporter, url):
        began = await value(url, RELOADED_AT)
        mount.put(**{"config.yaml": configuration(palette.url, EAST, WEST), "key": API_KEY})
        await ask(exporter, url)
        await eventually(shows(url, EAST, WEST))
        mount.put(**{"config.yaml": configuration(palette.url, WEST), "key": API_KEY})
        await ask(exporter, url)
        await eventually(shows(url, WEST))
        assert await value(url, RELOADED) == 1
        assert (await value(url, RELOADED_AT) or 0.0) > (began or 0.0)
        assert len(exporter.logged("configuration reloaded")) == 2
        assert await exporter.stop() == 0


@pytest.mark.parametrize(("ask", "flags"), WAYS)
async def test_every_way_takes_a_rotated_key(
    ask: Callable[[Running, str], Awaitable[None]], flags: tuple[str, ...], tmp_path: Path
) -> None:
    async with exporting(tmp_path, *flags) as (palette, mount, exporter, url):
        palette.api_keys.add("rotated")
        mount.put(**{"config.yaml": configuration(palette.url, EAST), "key": "rotated\n"})
        await ask(exporter, url)
        await exporter.line("configuration reloaded")
        palette.api_keys.discard(API_KEY)
        palette.forget_requests()

        async def two_rounds() -> bool:
            return len(palette.requests) >= 4

        await eventually(two_rounds)
        assert {each.status for each in palette.requests} == {200}
        assert await clusters(url) == {EAST: 1}
        assert exporter.process.returncode is None


@pytest.mark.parametrize(("ask", "flags"), WAYS)
async def test_every_way_refuses_a_bad_file_with_the_words_of_a_start_and_changes_nothing(
    ask: Callable[[Running, str], Awaitable[None]], flags: tuple[str, ...], tmp_path: Path
) -> None:
    async with exporting(tmp_path, *flags) as (palette, mount, exporter, url):
        began = await value(url, RELOADED_AT)
        bad = configuration(palette.url, WEST, refresh={"interval": "soon"}, nonsense=1)
        mount.put(**{"config.yaml": bad, "key": API_KEY})
        at_start = finished(f"--config.file={mount.directory / 'config.yaml'}", LISTEN)
        assert at_start.returncode == 2
        if ask is by_request:
            assert (await asked(url))[:2] == (500, at_start.stderr)
        elif ask is not by_put:
            await ask(exporter, url)
        else:
            assert (await asked(url, "PUT"))[0] == 500
        refused = await exporter.line("configuration refused; the previous one stays active")
        assert refused["level"] == "error"
        assert f"{refused['reason']}\n" == at_start.stderr
        assert await value(url, RELOADED) == 0
        assert await value(url, RELOADED_AT) == began
        assert await clusters(url) == {EAST: 1}
        for _ in range(3):
            assert (await asked(url))[0] == 500
        assert len(exporter.logged(refused["msg"])) == 1
        mount.put(**{"config.yaml": configuration(palette.url, WEST), "key": API_KEY})
        await ask(exporter, url)
        await eventually(shows(url, WEST))
        assert await value(url, RELOADED) == 1


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
@pytest.mark.parametrize("tls", [False, True])
async def test_a_reload_without_file_descriptors_is_refused(tls: bool, tmp_path: Path) -> None:
    """If the system refuses a call while settings are read, the exporter keeps its settings."""
    web, config = WebFile(tmp_path), tmp_path / "config.yaml"
    web.write(**({"tls_server_config": web.issue()} if tls else {}))
    config.write_text("refresh: {interval: 1m}")
    flags = ("--demo", LISTEN, f"--config.file={config}", f"--web.config.file={web.path}")
    trust = ssl.create_default_context(cadata=web.authority.cert_pem.bytes().decode())
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust))
    async with running(*flags, directory=tmp_path) as exporter, session:
        url = (await exporter.url()).replace("http:", "https:" if tls else "http:")
        pid = exporter.process.pid
        async with session.post(f"{url}/-/reload") as answer:
            assert (answer.status, await answer.text()) == (200, "reloaded\n")
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        async with session.post(f"{url}/-/reload") as answer:
            assert answer.status == 500
            assert "Too many open files" in await answer.text()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        async with session.post(f"{url}/-/reload") as answer:
            assert (answer.status, await answer.text()) == (200, "reloaded\n")
        assert "Traceback" not in exporter.stderr.read_text()


async def test_a_removed_working_directory_ends_no_exporter(tmp_path: Path) -> None:
    """The directory is replaced, as by a new release."""
    gone = tmp_path / "gone"
    gone.mkdir()
    command = ("sh", "-c", f'cd {gone} && exec {sys.executable} -m exporter "$@"', "sh")
    async with running("--demo", LISTEN, directory=tmp_path, command=command) as exporter:
        url = await exporter.url()
        gone.rmdir()
        assert (await asked(url))[0] in (200, 500)
        assert (await asked(url))[0] in (200, 500)
        assert await exporter.stop() == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_reload_nothing(method: str, tmp_path: Path) -> None:
    async with exporting(tmp_path) as (_, _, exporter, url):
        status, _, headers = await asked(url, method)
        assert status == 405
        assert set(headers["Allow"].replace(" ", "").split(",")) == {"POST", "PUT"}
        assert not exporter.logged("configuration reloaded")


@pytest.mark.parametrize(
    ("web", "key", "now"),
    [
        ({"telemetry_path": "/other"}, "web.telemetry_path", "/metrics"),
        ({"listen_address": "127.0.0.1:1"}, "web.listen_address", "127.0.0.1:0"),
    ],
)
async def test_a_setting_that_cannot_change_is_refused_with_a_reason(
    web: dict[str, str], key: str, now: str, tmp_path: Path
) -> None:
    world = World.empty()
    (tmp_path / "key").write_text(API_KEY)
    config = tmp_path / "config.yaml"
    listen = {"listen_address": "127.0.0.1:0"}
    async with PaletteServer(world, limits=None) as palette:
        config.write_text(configuration(palette.url, EAST, web=listen))
        async with running(f"--config.file={config}", directory=tmp_path) as exporter:
            url = await exporter.url()
            config.write_text(configuration(palette.url, WEST, web={**listen, **web}))
            status, text, _ = await asked(url)
            assert (status, text) == (
                500,
                f"{key}: cannot change while the exporter runs; it stays {now} until a restart\n",
            )
            assert await value(url, RELOADED) == 0
            assert WEST not in await clusters(url)


async def test_a_flag_stays_above_the_file(tmp_path: Path) -> None:
    async with exporting(tmp_path, "--refresh.interval=2s") as (palette, mount, exporter, url):
        text = configuration(palette.url, EAST, refresh={"interval": "1h"}, log={"level": "error"})
        mount.put(**{"config.yaml": text, "key": API_KEY})
        await by_request(exporter, url)
        palette.forget_requests()

        async def another_round() -> bool:
            return len(palette.requests) >= 2

        await eventually(another_round)


async def test_level_and_format_of_log_lines_change(tmp_path: Path) -> None:
    async with exporting(tmp_path) as (palette, mount, exporter, url):
        for level, log_format in (("warning", "logfmt"), ("info", "json")):
            text = configuration(palette.url, EAST, log={"level": level, "format": log_format})
            mount.put(**{"config.yaml": text, "key": API_KEY})
            await by_request(exporter, url)
        lines = exporter.stderr.read_text().splitlines()
        assert '"msg": "configuration reloaded"' in lines[-1]
        assert sum("configuration reloaded" in line for line in lines) == 1


async def test_without_a_file_the_key_is_read_again(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(API_KEY)
    world = World.empty()
    world.add_cluster(EAST, "prod-east", "65f0")
    async with (
        PaletteServer(world, limits=None) as palette,
        running(
            LISTEN,
            f"--palette.url={palette.url}",
            "--refresh.interval=1s",
            f"--palette.api-key-file={key}",
            AUTO,
            directory=tmp_path,
        ) as exporter,
    ):
        url = await exporter.url()
        palette.api_keys.add("rotated")
        key.write_text("rotated")
        await exporter.line("configuration reloaded")
        palette.api_keys.discard(API_KEY)
        await eventually(shows(url, EAST))
        palette.forget_requests()

        async def another_round() -> bool:
            return len(palette.requests) >= 2

        await eventually(another_round)
        assert {each.status for each in palette.requests} == {200}


async def test_a_file_that_a_refused_configuration_names_is_waited_for(tmp_path: Path) -> None:
    async with exporting(tmp_path, AUTO) as (palette, mount, exporter, url):
        secret = tmp_path / "mounted-later"
        there = {"url": palette.url, "api_key_file": str(secret)}
        text = configuration(palette.url, WEST, palette=there)
        mount.put(**{"config.yaml": text, "key": API_KEY})
        await exporter.line("configuration refused; the previous one stays active")
        secret.write_text(API_KEY)
        await eventually(shows(url, WEST))


async def test_a_demo_reloads_and_continues(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("objectives: [{max_age: 1d}]\n")
    async with running("--demo", LISTEN, f"--config.file={config}", directory=tmp_path) as exporter:
        url = await exporter.url()
        await eventually(lambda: ready(url))
        before = await clusters(url)
        config.write_text("objectives: [{max_age: 2d}]\n")
        await by_request(exporter, url)
        assert await clusters(url) == before
        found = series(await scrape(url))
        objectives = {
            each
            for (name, _), each in found.items()
            if name == "palette_vm_snapshot_objective_seconds"
        }
        assert objectives == {2 * 86400}
        assert await exporter.stop() == 0


async def test_it_answers_while_a_long_file_is_read(tmp_path: Path) -> None:
    async with exporting(tmp_path) as (palette, mount, _, url):
        text = configuration(palette.url, *(f"{number:024x}" for number in range(1500)))
        mount.put(**{"config.yaml": text, "key": API_KEY})
        reload = asyncio.create_task(asked(url))
        answered = 0
        while not reload.done():
            assert (await get(f"{url}/-/healthy"))[0] == 200
            answered += 1
        assert (await reload)[0] == 200
        assert answered > 2


@pytest.mark.parametrize(("named", "status"), [("config.yaml", 500), ("{}/config.yaml", 200)])
async def test_a_removed_working_directory_never_ends_the_exporter(
    named: str, status: int, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    demo = yaml.safe_dump({"log": {"level": "info"}})
    (tmp_path / "config.yaml").write_text(demo)
    (gone / "config.yaml").write_text(demo)
    command = ("sh", "-c", f'cd "{gone}" && exec "$@"', "sh", *SCRIPT)
    flags = ("--demo", LISTEN, f"--config.file={named.format(tmp_path)}", AUTO)
    async with running(*flags, directory=tmp_path, command=command) as exporter:
        url = await exporter.url()
        (gone / "config.yaml").unlink()
        gone.rmdir()
        found, reason, _ = await asked(url)
        assert found == status
        if status == 500:
            assert (
                f"config.file: the file cannot be read: No such file or directory: {gone}" in reason
            )
        assert (await get(f"{url}/-/healthy"))[0] == 200
        assert await exporter.stop() == 0
