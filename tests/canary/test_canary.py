"""A real process gets credentials, and all of its output is searched for them."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import bcrypt
import pytest
import trustme
import yaml

from tests.canary.echo import BEHAVIOURS, DOCUMENTS, echoing
from tests.canary.forms import KEY, OWN_PASSWORD, PASSWORD, PROXY_PASSWORD, TOKEN, leaks
from tests.canary.launcher import arrange
from tests.process import DEV, ROOT, Running, eventually, finished, free_port, get, running

LAUNCHER = ROOT / "tests" / "canary" / "launcher.py"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
OPENMETRICS = "application/openmetrics-text"
BASIC = base64.b64encode(f"someone:{OWN_PASSWORD}".encode()).decode()

KNOCKS = {"": None, "wrong": base64.b64encode(f"x:{OWN_PASSWORD}".encode()).decode()}
"""Requests without the right password."""

Tree = dict[str, object]


def by_key_file(directory: Path) -> Tree:
    (directory / "key").write_text(f"{KEY}\n")
    return {"api_key_file": str(directory / "key")}


def by_key(directory: Path) -> Tree:
    del directory
    return {"api_key": KEY}


def by_login(directory: Path) -> Tree:
    (directory / "password").write_text(f"{PASSWORD}\n")
    return {"username": "someone", "password_file": str(directory / "password"), "org": "acme"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A running exporter, and all of its output so far, by source."""

    process: Running
    url: str
    routes: list[str]
    texts: dict[str, str]

    def check(self) -> None:
        """Fail if a text contains a piece of a secret, and name only the text."""
        self.texts["stdout"] = self.process.stdout.read_text()
        self.texts["stderr"] = self.process.stderr.read_text()
        found = {where: leaks(text) for where, text in self.texts.items()}
        assert {where: pieces for where, pieces in found.items() if pieces} == {}


@asynccontextmanager
async def exporting(
    directory: Path,
    palette: Mapping[str, object],
    *flags: str,
    fault: str = "none",
    environ: Mapping[str, str] | None = None,
    python: tuple[str, ...] = (),
) -> AsyncIterator[Subject]:
    """Run an exporter at debug level that reads every discovered cluster once a second."""
    tree = {
        "palette": {"timeout": "1s", "requests_per_second": 5000, "burst": 5000, **palette},
        "refresh": {"interval": "1s", "stale_after": "2s"},
        "discovery": {"enabled": True, "interval": "1s"},
        "targets": [{"cluster_uid": "status-403", "namespace": "n", "vm": "v", "snapshot": "s"}],
    }
    config, routes = directory / "config.yaml", directory / "routes.txt"
    config.write_text(yaml.safe_dump(tree))
    own = ("--web.listen-address=127.0.0.1:0", "--log.level=debug", f"--config.file={config}")
    how: dict[str, Any] = {"arrange": partial(arrange, fault, routes)}
    if python:
        environ = {"PYTHONPATH": str(ROOT), **(environ or {})}
        how = {"command": (*python, str(LAUNCHER), fault, str(routes))}
    async with running(*own, *flags, directory=directory, environ=environ, **how) as process:
        url = await address(process)
        yield Subject(process=process, url=url, routes=lines_of(routes), texts=texts_of(process))


def lines_of(path: Path) -> list[str]:
    return path.read_text().split("\n")


def texts_of(process: Running) -> dict[str, str]:
    return {"cmdline": Path(f"/proc/{process.process.pid}/cmdline").read_text()}


async def address(process: Running) -> str:
    """Return the URL that it listens on, from either format of the log."""

    async def said() -> str:
        lines = process.stderr.read_text().splitlines()
        assert process.process.returncode is None, lines
        line = next((line for line in lines if "listen" in line and "starting" in line), "")
        if line.startswith("{"):
            return str(json.loads(line)["listen"])
        return line.partition(" listen=")[2].partition(" ")[0]

    return f"http://{await eventually(said)}"


async def visit(subject: Subject, clusters: Iterable[str]) -> None:
    """Request every path, and some that do not exist, with every method; keep the answers."""
    sent = {"Authorization": f"Basic {BASIC}", "Cookie": f"a={BASIC}"}
    paths = [*subject.routes, "/no/such/path", "/-/nothing", "/metrics/", "/probe?vm=x"]
    queries = [f"cluster_uid={uid}&namespace=n&vm=v" for uid in clusters]
    paths += [f"/probe?{query}{tail}" for query in queries for tail in ("", "&snapshot=s")]
    connector = aiohttp.TCPConnector(limit=30)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=sent) as session:

        async def ask(method: str, path: str, accept: str = "*/*") -> None:
            headers = {"X-Prometheus-Scrape-Timeout-Seconds": "1.5", "Accept": accept}
            url = subject.url + path
            async with session.request(method, url, headers=headers, allow_redirects=False) as got:
                text = f"{got.status} {got.reason}\n{got.headers}\n{await got.text()}"
            subject.texts[f"{method} {path} {accept}"] = text

        async with asyncio.TaskGroup() as group:
            for path in paths:
                for method in METHODS if "cluster_uid" not in path else ("GET",):
                    if (method, path) != ("POST", "/-/quit"):
                        group.create_task(ask(method, path))
            for accept in (OPENMETRICS, "text/html", "application/json"):
                for path in subject.routes:
                    group.create_task(ask("GET", path, accept))
    assert {"GET / */*", "GET /metrics */*", "GET /probe */*"} <= subject.texts.keys()


async def settled(url: str) -> bool:
    """Return whether every first refresh has ended; sends the password."""
    return (await get(f"{url}/-/ready", Authorization=f"Basic {BASIC}"))[0] == 200


async def whole_life(subject: Subject, clusters: Iterable[str] = ("status-403", "hang")) -> None:
    """Let it read everything, request every path, end it, and search all output.

    clusters: the uids of those that are probed.
    """
    await eventually(lambda: settled(subject.url), within=30)
    await visit(subject, clusters)
    await visit_badly(subject.url)
    assert await subject.process.stop() == 0
    subject.check()


async def visit_badly(url: str) -> None:
    """Send requests that are not HTTP, with a credential in them."""
    host, _, port = url.removeprefix("http://").partition(":")
    for line in ("Bad Header", f"Content-Length: {OWN_PASSWORD}", f"\0{OWN_PASSWORD}: x"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /{OWN_PASSWORD} HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n".encode())
        await asyncio.wait_for(reader.read(), 10)
        writer.close()


WAYS_IN = {
    "key": (by_key, "logfmt", DEV[:3]),
    "login": (by_login, "json", ()),
}


@pytest.mark.parametrize("way", WAYS_IN)
async def test_no_misbehaviour_of_palette_brings_out_the_credential(
    tmp_path: Path, way: str
) -> None:
    credential, log_format, python = WAYS_IN[way]
    async with echoing() as echo:
        palette = {**credential(tmp_path), "url": echo.url}
        flags = (f"--log.format={log_format}",)
        async with exporting(tmp_path, palette, *flags, python=python) as subject:
            # Development mode logs more and is slower.
            await whole_life(subject, tuple(BEHAVIOURS)[:: 6 if python else 1])
        assert echo.requests > 2 * len(BEHAVIOURS)


async def test_a_guarded_exporter_shows_neither_the_password_nor_its_hash(tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(OWN_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    guard = tmp_path / "web.yaml"
    guard.write_text(yaml.safe_dump({"basic_auth_users": {"someone": hashed}}))
    async with echoing() as echo:
        palette = {**by_key_file(tmp_path), "url": echo.url}
        flags = (f"--web.config.file={guard}", "--log.format=json")
        async with exporting(tmp_path, palette, *flags) as subject:
            for knock, credential in KNOCKS.items():
                headers = {"Authorization": f"Basic {credential}"} if credential else {}
                status, text = await get(f"{subject.url}/metrics", **headers)
                assert status == 401
                subject.texts[f"{knock} knock"] = text
            await whole_life(subject)
            assert not [where for where, text in subject.texts.items() if hashed[-20:] in text]


async def test_a_refused_log_in_does_not_bring_out_the_password(tmp_path: Path) -> None:
    async with echoing(log_in=False) as echo:
        palette = {**by_login(tmp_path), "url": echo.url}
        async with exporting(tmp_path, palette) as subject:
            await whole_life(subject)
            assert "unauthorized" in subject.texts["stderr"]


async def test_a_proxy_brings_out_neither_its_password_nor_the_key(tmp_path: Path) -> None:
    async with echoing() as echo:
        password = quote(PROXY_PASSWORD, safe="")
        proxy = echo.url.replace("//", f"//someone:{password}@")
        palette = {"url": "http://palette.example", "proxy_url": proxy}
        environ = {"SPECTROCLOUD_APIKEY": KEY}
        async with exporting(tmp_path, palette, "--log.format=json", environ=environ) as subject:
            await whole_life(subject, BEHAVIOURS)
        assert echo.requests > 2 * len(BEHAVIOURS)


@pytest.mark.parametrize("trouble", ["certificate", "refused", "name", "tunnel"])
async def test_no_trouble_on_the_way_brings_out_a_secret(tmp_path: Path, trouble: str) -> None:
    tls = trustme.CA().issue_cert("127.0.0.1")
    context = ssl_context(tls)
    async with echoing(tls=context) as echo, echoing() as proxy:
        password = quote(PROXY_PASSWORD, safe="")
        through = proxy.url.replace("//", f"//someone:{password}@")
        where: dict[str, Tree] = {
            "certificate": {"url": echo.url},
            "refused": {"url": f"https://127.0.0.1:{free_port()}"},
            "name": {"url": "https://palette.invalid"},
            "tunnel": {"url": "https://palette.example", "proxy_url": through},
        }
        palette = {**by_key_file(tmp_path), **where[trouble]}
        async with exporting(tmp_path, palette) as subject:
            await whole_life(subject)
            assert "connection" in subject.texts["stderr"]


def ssl_context(certificate: trustme.LeafCert) -> "ssl.SSLContext":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def test_an_answer_that_fails_shows_no_secret_in_page_and_traceback(tmp_path: Path) -> None:
    # The objects that hold documents may show their values.
    async with echoing(without=DOCUMENTS) as echo:
        palette = {**by_login(tmp_path), "url": echo.url}
        async with exporting(tmp_path, palette, fault="answers") as subject:
            await whole_life(subject)
            assert subject.texts["GET /metrics */*"].startswith("500 ")
            assert "Traceback" in subject.texts["stderr"]
            # The exceptions contained the objects with the secrets.
            assert "Transport object" in subject.texts["stderr"]
            assert "Settings(" in subject.texts["stderr"]


async def test_an_exporter_that_ends_with_a_bug_shows_no_secret(tmp_path: Path) -> None:
    async with echoing() as echo:
        palette = {**by_key_file(tmp_path), "url": echo.url}
        async with exporting(tmp_path, palette, fault="refreshes") as subject:
            assert await asyncio.wait_for(subject.process.process.wait(), 20) == 1
            subject.check()
            assert "Traceback" in subject.texts["stderr"]


@pytest.mark.parametrize("cluster", ["code-403-2", "status-401", "redirect-path", "bad-header"])
async def test_a_look_at_palette_shows_no_secret(tmp_path: Path, cluster: str) -> None:
    async with echoing() as echo:
        tree = {
            "palette": {**by_key_file(tmp_path), "url": echo.url, "timeout": "1s"},
            "targets": [{"cluster_uid": cluster}],
            "log": {"level": "debug"},
        }
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump(tree))
        flags = (f"--config.file={config}", "--config.check.live")
        done = await asyncio.to_thread(finished, *flags)
    assert done.returncode == 1, done.stderr
    assert cluster in done.stdout
    assert not leaks(done.stdout + done.stderr)


@pytest.mark.parametrize("way", [by_key_file, by_key, by_login])
def test_a_check_of_the_configuration_shows_no_secret(tmp_path: Path, way: object) -> None:
    assert callable(way)
    proxy = f"http://someone:{quote(PROXY_PASSWORD, safe='')}@proxy.example:3128"
    tree = {"palette": {**way(tmp_path), "proxy_url": proxy}, "discovery": {"enabled": True}}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(tree))
    for flag in ("--config.check", "--config.print"):
        done = finished(f"--config.file={config}", flag)
        assert done.returncode == 0, done.stderr
        assert ("proxy_url: <secret>" in done.stdout) is (flag == "--config.print")
        assert not leaks(done.stdout + done.stderr)


def test_the_search_finds_planted_credentials() -> None:
    for secret in (KEY, PASSWORD, TOKEN, PROXY_PASSWORD, OWN_PASSWORD):
        encoded = base64.b64encode(f"some one:{secret}".encode()).decode()
        for shown in (secret, secret[:8], repr(secret), json.dumps(secret), encoded, secret[::-1]):
            assert leaks(f"something {shown} else"), shown
        assert leaks(quote(secret))
    assert not leaks("GET /v1/dashboard/spectroclusters/vms was answered with 401")
