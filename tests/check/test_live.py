"""`--config.check.live` as users run it: a simulated Palette lets it in, or does not."""

import asyncio
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from exporter.check.hints import HINTS, hint
from exporter.palette import errors
from exporter.palette.errors import PaletteError
from tests.harness import EAST, NORTH, NORTH_PROJECT, WEST, put, target, tenant
from tests.palette_server import faults
from tests.palette_server.server import API_KEY, PaletteServer
from tests.process import (
    MODULE,
    ROOT,
    environment,
    eventually,
    finished,
    free_port,
    running,
)

CANARY = "c4n4ry-S3CR3T-9f"


@dataclass(frozen=True, slots=True)
class Check:
    """What the command printed and how it ended."""

    code: int
    stdout: str
    stderr: str

    def row(self, uid: str) -> list[str]:
        """Return the cells behind a cluster's uid, of the table of what could be read."""
        _, _, live = self.stdout.partition("# What Palette lets it read")
        (found,) = re.findall(rf"^#   {re.escape(uid)}  +(.*)$", live, re.MULTILINE)
        return re.split(r"  +", found)


async def check(directory: Path, url: str, **sections: Any) -> Check:
    """Run the check of a configuration; no way of failing shows a traceback or the key."""
    key = directory / "key"
    if not key.exists():
        key.write_text(API_KEY)
    palette = {"url": url, "timeout": "1s", "api_key_file": "key", **sections.pop("palette", {})}
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump({"palette": palette, **sections}))
    arguments = ("--config.check.live", f"--config.file={path}")
    done = await asyncio.to_thread(finished, *arguments)
    printed = done.stdout + done.stderr
    assert "Traceback" not in printed
    assert CANARY not in printed
    if done.returncode != 2:
        assert yaml.safe_load(done.stdout)["palette"]["url"] == url
    return Check(done.returncode, done.stdout, done.stderr)


@asynccontextmanager
async def palette_of(**options: Any) -> AsyncIterator[PaletteServer]:
    """A tenant of three clusters: 60 machines with snapshots, one without, and an empty one."""
    world = tenant()
    for number in range(60):
        put(world, f"vm-{number:02d}", f"nightly-{number:02d}")
    put(world, "db-01", cluster=WEST)
    world.add_cluster(NORTH, "edge-north", NORTH_PROJECT)
    async with PaletteServer(world, **{"limits": None, **options}) as palette:
        yield palette


async def test_what_may_be_read_is_counted_by_first_pages(tmp_path: Path) -> None:
    targets = [target(EAST), target(WEST, cluster_name="west"), target(f"{NORTH}/vms")]
    async with palette_of() as palette:
        done = await check(tmp_path, palette.url, targets=targets)
        counted = [request.endpoint for request in palette.requests]
    assert (done.code, done.stderr) == (0, "")
    assert done.row(EAST) == ["prod-east", "65f0c1", "50+", "50+", "ok"]
    assert done.row(WEST) == ["west", "(tenant)", "0", "1", "ok"]
    assert done.row(NORTH) == ["edge-north", NORTH_PROJECT, "0", "0", "ok"]
    assert sorted(counted) == ["list_clusters", *["list_snapshots"] * 3, *["list_vms"] * 3]
    assert "Result: everything could be read (7 requests)." in done.stdout


async def test_named_snapshots_take_one_call_for_each_cluster(tmp_path: Path) -> None:
    targets = [target(f"{EAST}/vms/vm-0{n}/nightly-0{n}", cluster_name="e") for n in range(3)]
    targets += [target(f"{WEST}/vms/db-01/nightly", cluster_name="w")]
    async with palette_of() as palette:
        done = await check(tmp_path, palette.url, targets=targets)
        assert len(palette.requests) == 2
    assert done.row(EAST) == ["e", "(tenant)", "3", "-", "ok"]
    assert done.row(WEST) == ["w", "(tenant)", "not_found", "-", "failed"]
    assert done.code == 1
    assert HINTS[errors.NotFound] in done.stdout


async def test_discovery_is_tried_and_its_clusters_are_those_wanted(tmp_path: Path) -> None:
    wanted = {"enabled": True, "clusters": ["prod-.*"]}
    async with palette_of() as palette:
        done = await check(tmp_path, palette.url, discovery=wanted)
        assert done.code == 0
        assert done.row("(dashboard)")[-1] == "ok, 2 of 3 clusters wanted"
        assert done.row(EAST)[-1] == done.row(WEST)[-1] == "ok"
        assert NORTH not in done.stdout
        none = await check(tmp_path, palette.url, discovery={**wanted, "clusters": ["x"]})
        assert (none.code, none.row("(dashboard)")[-1]) == (0, "ok, 0 of 3 clusters wanted")
        assert "there is no cluster to read" in none.stdout


async def test_each_shard_tries_its_own_clusters(tmp_path: Path) -> None:
    seen: list[str] = []
    async with palette_of() as palette:
        for ordinal in range(2):
            shard = {"ordinal": ordinal, "total": 2}
            done = await check(tmp_path, palette.url, discovery={"enabled": True}, shard=shard)
            seen += [uid for uid in (EAST, WEST, NORTH) if f"#   {uid}  " in done.stdout]
    assert sorted(seen) == [EAST, WEST, NORTH]


async def test_one_list_that_is_forbidden_is_told_beside_the_one_that_is_not(
    tmp_path: Path,
) -> None:
    async with palette_of() as palette:
        palette.faults.add("list_vms", faults.status(403))
        done = await check(tmp_path, palette.url, targets=[target(EAST), target(WEST)])
    assert done.code == 1
    assert done.row(EAST)[2:] == ["50+", "forbidden", "failed"]
    assert done.stdout.count(HINTS[errors.Forbidden]) == 1
    assert "forbidden (2 times): GET /v1/spectroclusters/{uid}/vms at " in done.stdout
    assert "Result: 2 of 2 clusters could not be read" in done.stdout


Spoil = Callable[[PaletteServer], object]
FAILURES: dict[str, tuple[Spoil, type[PaletteError]]] = {
    "a key that is refused, and repeated": (
        lambda p: p.faults.add(None, faults.respond(401, {"message": f"bad key {CANARY}"})),
        errors.Unauthorized,
    ),
    "a project that is not ours": (lambda p: p.forbidden_projects.add("65f0c1"), errors.Forbidden),
    "a cluster that is not there": (lambda p: p.world.remove_cluster(EAST), errors.NotFound),
    "other clients used up the limit": (
        lambda p: p.faults.add(None, faults.status(429, retry_after="120")),
        errors.RateLimited,
    ),
    "an API that fails": (lambda p: p.faults.add(None, faults.status(500)), errors.ServerError),
    "an API that hangs": (lambda p: p.faults.add(None, faults.hang()), errors.Timeout),
    "an API that hangs in the middle": (
        lambda p: p.faults.add(None, faults.hang("middle")),
        errors.Timeout,
    ),
    "a page of a proxy": (lambda p: p.faults.add(None, faults.html()), errors.InvalidResponse),
    "a connection that breaks": (
        lambda p: p.faults.add(None, faults.reset()),
        errors.ConnectionFailed,
    ),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_each_failure_of_palette_has_its_hint(case: str, tmp_path: Path) -> None:
    spoil, kind = FAILURES[case]
    (tmp_path / "key").write_text(CANARY)
    async with palette_of(api_keys=[CANARY]) as palette:
        spoil(palette)
        scoped = [target(EAST, project_uid="65f0c1", cluster_name="east")]
        done = await check(tmp_path, palette.url, targets=scoped)
    failed(done, kind)


def failed(done: Check, kind: type[PaletteError]) -> None:
    assert (done.code, done.stderr) == (1, "")
    assert done.row(EAST)[2:] == [kind.reason, kind.reason, "failed"]
    assert f"  hint: {HINTS[kind]}" in done.stdout


def self_signed() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_a_certificate_that_nobody_vouches_for_has_its_hint(tmp_path: Path) -> None:
    async with palette_of(ssl_context=self_signed()) as palette:
        done = await check(tmp_path, palette.url, targets=[target(EAST, cluster_name="east")])
    failed(done, errors.Untrusted)


async def test_https_to_a_port_for_http_has_its_hint(tmp_path: Path) -> None:
    async with palette_of() as palette:
        url = palette.url.replace("http:", "https:")
        done = await check(tmp_path, url, targets=[target(EAST, cluster_name="east")])
    failed(done, errors.TlsFailed)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (f"http://127.0.0.1:{free_port()}", errors.Refused),
        ("https://palette.invalid", errors.Unresolved),
    ],
    ids=["nobody listens", "no such host"],
)
async def test_where_nothing_answers_has_its_hint(
    url: str, kind: type[PaletteError], tmp_path: Path
) -> None:
    failed(await check(tmp_path, url, targets=[target(EAST, cluster_name="east")]), kind)


async def test_a_proxy_that_is_not_there_has_its_hint(tmp_path: Path) -> None:
    proxy = {"proxy_url": f"http://user:{CANARY}@127.0.0.1:{free_port()}"}
    targets = [target(EAST, cluster_name="east")]
    done = await check(tmp_path, "http://127.0.0.1:9", palette=proxy, targets=targets)
    failed(done, errors.ProxyFailed)


async def test_a_wrong_password_has_its_hint_and_one_attempt(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(CANARY)
    login = {"api_key_file": None, "username": "someone@example.com", "password_file": "password"}
    async with palette_of(users={"someone@example.com": "another"}) as palette:
        targets = [target(EAST, cluster_name="east"), target(WEST, cluster_name="west")]
        done = await check(tmp_path, palette.url, palette=login, targets=targets)
        assert [request.endpoint for request in palette.requests] == ["authenticate"]
    failed(done, errors.Unauthorized)


async def test_clusters_that_cannot_be_discovered_are_a_failure(tmp_path: Path) -> None:
    async with palette_of() as palette:
        palette.faults.add("list_clusters", faults.status(403))
        done = await check(tmp_path, palette.url, discovery={"enabled": True})
    assert done.code == 1
    assert done.row("(dashboard)")[-1] == "forbidden"
    assert HINTS[errors.Forbidden] in done.stdout
    assert "Result: clusters cannot be discovered" in done.stdout


async def test_bad_settings_are_refused_before_anything_is_asked(tmp_path: Path) -> None:
    async with palette_of() as palette:
        done = await check(tmp_path, palette.url, targets=[{"namespace": "vms"}])
        assert not palette.requests
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("targets[0].cluster_uid: ")


def test_the_demo_can_be_tried_too() -> None:
    done = finished("--demo", "--config.check.live")
    assert (done.returncode, done.stderr) == (1, "")
    assert "ok, 7 of 7 clusters wanted" in done.stdout


def test_a_reader_that_leaves_gets_no_traceback() -> None:
    """As head does, before the table comes."""
    command = [*MODULE, "--demo", "--config.check.live"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"# The configuration is good")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


async def test_whoever_interrupts_it_gets_no_traceback(tmp_path: Path) -> None:
    async with palette_of() as palette:
        palette.faults.add(None, faults.hang())
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({"palette": {"url": palette.url}}))
        path, key = tmp_path / "config.yaml", {"SPECTROCLOUD_APIKEY": API_KEY}
        flags = ("--config.check.live", f"--config.file={path}", "--discovery.enabled")
        async with running(*flags, directory=tmp_path, environ=key) as process:
            await eventually(lambda: hanging(palette))
            assert await process.stop(signal.SIGINT) == 1
            assert process.stderr.read_text() == ""


async def hanging(palette: PaletteServer) -> bool:
    return palette.in_flight > 0


def test_every_kind_of_failure_has_a_hint() -> None:
    def kinds(above: type[PaletteError]) -> list[type[PaletteError]]:
        return [each for kind in above.__subclasses__() for each in (kind, *kinds(kind))]

    assert all(hint(kind("something")) for kind in kinds(PaletteError))
    assert {kind for kind in kinds(PaletteError) if kind not in HINTS} == {errors.Expired}


def test_a_host_name_is_resolved_within_the_machine() -> None:
    """What the test of a host that is not there relies on."""
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("palette.invalid", 443)
