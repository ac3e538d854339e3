"""`--config.check.live` as a process, with a simulated Palette that accepts or refuses it."""

import asyncio
import re
import signal
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from exporter.check.live import HINTS, hint
from exporter.palette import errors
from exporter.palette.errors import PaletteError
from exporter.snapshot import Unread
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
    """The output and the exit code of the command."""

    code: int
    stdout: str
    stderr: str

    def row(self, uid: str) -> list[str]:
        """Return the cells after a cluster's uid in the table of clusters."""
        _, _, live = self.stdout.partition("\nNext: ")
        (found,) = re.findall(rf"^{re.escape(uid)}  +(.*)$", live, re.MULTILINE)
        return re.split(r"  +", found)


async def check(directory: Path, url: str, **sections: Any) -> Check:
    """Run the check of a configuration; no failure may show a traceback or the key."""
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
        assert done.stdout.splitlines()[-1].startswith("Result: ")
    return Check(done.returncode, done.stdout, done.stderr)


@asynccontextmanager
async def palette_of(**options: Any) -> AsyncIterator[PaletteServer]:
    """Three clusters: 60 machines with snapshots, one without, and an empty cluster."""
    world = tenant()
    for number in range(60):
        put(world, f"vm-{number:02d}", f"nightly-{number:02d}")
    put(world, "db-01", cluster=WEST)
    world.add_cluster(NORTH, "edge-north", NORTH_PROJECT)
    async with PaletteServer(world, **{"limits": None, **options}) as palette:
        yield palette


async def test_everything_is_read_once_and_counted_by_cluster(tmp_path: Path) -> None:
    targets = [target(EAST), target(WEST, cluster_name="west")]
    async with palette_of() as palette:
        done = await check(tmp_path, palette.url, targets=targets)
        counted = Counter(request.endpoint for request in palette.requests)
    assert (done.code, done.stderr) == (0, "")
    assert done.row(EAST) == ["prod-east", "65f0c1", "60", "60", "ok"]
    assert done.row(WEST)[0] == "west"
    assert done.row(WEST)[2:] == ["1", "0", "ok"]
    assert counted == {
        "list_clusters": counted["list_clusters"],
        "list_snapshots": 3,
        "list_vms": 3,
    }
    assert f"Result: everything could be read ({counted.total()} requests)." in done.stdout


async def test_named_snapshots_are_read_and_a_missing_one_is_a_failure(tmp_path: Path) -> None:
    targets = [target(f"{EAST}/vms/vm-0{n}/nightly-0{n}", cluster_name="e") for n in range(3)]
    async with palette_of() as palette:
        good = await check(tmp_path, palette.url, targets=targets)
        targets += [target(f"{WEST}/vms/db-01/nightly", cluster_name="w")]
        done = await check(tmp_path, palette.url, targets=targets)
    assert (good.code, good.row(EAST)[2:]) == (0, ["-", "3", "ok"])
    assert done.code == 1
    assert "failed: targets[3]: w/vms/db-01/nightly does not exist." in done.stdout


NOT_THERE: dict[str, tuple[dict[str, Any], str]] = {
    "a namespace": (
        {"targets": [target(EAST), target(f"{EAST}/nosuch", cluster_name="e")]},
        "failed: targets[1]: e/nosuch has no virtual machine and no snapshot.",
    ),
    "a virtual machine": (
        {"targets": [target(f"{WEST}/vms/db-O1", cluster_name="w")]},
        "failed: targets[0]: w/vms/db-O1 does not exist. Did you mean db-01?",
    ),
    "a virtual machine in no namespace": (
        {"targets": [target(f"{EAST}/nosuch/vm-01", cluster_name="e")]},
        "failed: targets[0]: e/nosuch/vm-01 does not exist. Namespace nosuch has no",
    ),
    "a virtual machine of a named snapshot": (
        {"targets": [target(f"{EAST}/vms/nosuch/nightly", cluster_name="e")]},
        "failed: server_error: e",
    ),
    "everything in a cluster": (
        {"targets": [target(NORTH, cluster_name="n")]},
        "failed: targets[0]: n has no virtual machine and no snapshot.",
    ),
    "clusters of such names": (
        {"discovery": {"enabled": True, "clusters": ["x"]}},
        "failed: discovery: selects none of 3 clusters.",
    ),
    "namespaces of such names": (
        {"discovery": {"enabled": True, "namespaces": ["nosuch"]}},
        "failed: No virtual machine was found.",
    ),
}


@pytest.mark.parametrize("case", NOT_THERE)
async def test_a_target_that_matches_nothing_is_a_failure_with_a_hint(
    case: str, tmp_path: Path
) -> None:
    sections, sentence = NOT_THERE[case]
    async with palette_of() as palette:
        done = await check(tmp_path, palette.url, **sections)
    assert done.code == 1
    assert sentence in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Result: failed: ")


async def test_discovery_is_tried_and_its_selected_clusters_are_read(tmp_path: Path) -> None:
    wanted = {"enabled": True, "clusters": ["prod-.*"]}
    async with palette_of() as palette:
        done = await check(tmp_path, palette.url, discovery=wanted)
    assert done.code == 0
    assert "Discovery: 2 of 3 clusters selected." in done.stdout
    assert done.row(EAST)[-1] == done.row(WEST)[-1] == "ok"
    assert NORTH not in done.stdout


async def test_each_shard_tries_its_own_clusters(tmp_path: Path) -> None:
    seen: list[str] = []
    async with palette_of() as palette:
        for ordinal in range(2):
            shard = {"ordinal": ordinal, "total": 2}
            done = await check(tmp_path, palette.url, discovery={"enabled": True}, shard=shard)
            seen += [uid for uid in (EAST, WEST, NORTH) if f"\n{uid}  " in done.stdout]
    assert sorted(seen) == [EAST, WEST, NORTH]


async def test_a_failure_of_several_clusters_is_printed_once_with_their_names(
    tmp_path: Path,
) -> None:
    async with palette_of() as palette:
        palette.faults.add("list_vms", faults.status(403))
        done = await check(tmp_path, palette.url, targets=[target(EAST), target(WEST)])
    assert done.code == 1
    assert done.row(EAST)[2:] == ["-", "-", "forbidden"]
    assert done.stdout.count(HINTS["forbidden"]) == 1
    assert "failed: forbidden: prod-east, prod-west" in done.stdout
    assert "Result: failed: 2 of 2 clusters not read" in done.stdout


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
    assert done.row(EAST)[2:] == ["-", "-", kind.reason]
    assert f"  hint: {HINTS.get(kind.__name__) or HINTS[kind.reason]}" in done.stdout


def self_signed() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_an_untrusted_certificate_has_its_hint(tmp_path: Path) -> None:
    async with palette_of(ssl_context=self_signed()) as palette:
        done = await check(tmp_path, palette.url, targets=[target(EAST, cluster_name="east")])
    failed(done, errors.Untrusted)


async def test_https_to_a_port_for_http_has_its_hint(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer in plain HTTP; a close with unread bytes could reset the connection first."""
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        targets = [target(EAST, cluster_name="east")]
        done = await check(
            tmp_path, f"https://127.0.0.1:{port}", palette={"timeout": "20s"}, targets=targets
        )
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
    assert "Discovery: failed, forbidden." in done.stdout
    assert HINTS["forbidden"] in done.stdout
    assert "Result: failed: discovery failed" in done.stdout
    assert "No virtual machine was found" not in done.stdout


async def test_bad_settings_are_refused_before_any_request(tmp_path: Path) -> None:
    async with palette_of() as palette:
        done = await check(tmp_path, palette.url, targets=[{"namespace": "vms"}])
        assert not palette.requests
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("targets[0].cluster_uid (from ")


def test_the_demo_can_be_tried_too() -> None:
    done = finished("--demo", "--config.check.live")
    assert (done.returncode, done.stderr) == (1, "")
    assert "Discovery: 7 of 7 clusters selected." in done.stdout


def test_a_reader_that_leaves_gets_no_traceback() -> None:
    """Like head: the reader closes the pipe before the table."""
    command = [*MODULE, "--demo", "--config.check.live"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"The configuration is valid")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


async def test_an_interrupt_shows_no_traceback(tmp_path: Path) -> None:
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

    assert all(hint(Unread(kind.reason, "", kind.__name__)) for kind in kinds(PaletteError))
    assert HINTS.keys() <= {
        name for kind in kinds(PaletteError) for name in (kind.reason, kind.__name__)
    }


def test_a_host_name_is_resolved_within_the_machine() -> None:
    """The test of an unknown host depends on this."""
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("palette.invalid", 443)
