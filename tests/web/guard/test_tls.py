"""TLS: which clients are accepted, and changes of certificates while the exporter runs."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
import trustme

from tests.process import Running, eventually, running
from tests.web.guard.guarded import Answer, WebFile, ask, guarded, hashed
from tests.web.running import Exporter

HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "X-XSS-Protection": "1",
}
REFUSED = (aiohttp.ClientError, ssl.SSLError, ConnectionError)


@pytest.fixture
def web_file(tmp_path: Path) -> WebFile:
    return WebFile(tmp_path)


def secure(url: str) -> str:
    return url.replace("http:", "https:")


async def test_every_answer_has_the_headers_and_names_https_over_tls_only(
    web_file: WebFile,
) -> None:
    tree = {
        "http_server_config": {"http2": True, "headers": HEADERS},
        "basic_auth_users": {"a": hashed("pw")},
    }
    web_file.write(tls_server_config=web_file.issue(), **tree)
    async with guarded(web_file) as exporter:
        for path in ("/metrics", "/none"):
            answer = await ask(secure(exporter.url), path, ssl=web_file.client())
            assert answer.status == 401
            assert answer.headers.items() >= HEADERS.items()
    web_file.write(**tree)
    async with guarded(web_file) as exporter:
        plain = await ask(exporter.url)
        assert HEADERS.keys() - plain.headers.keys() == {"Strict-Transport-Security"}
        assert [line for line in exporter.log if "Strict-Transport-Security" in line["event"]]


async def test_only_configured_versions_of_tls_are_accepted(web_file: WebFile) -> None:
    web_file.write(tls_server_config={**web_file.issue(), "min_version": "TLS13"})
    async with guarded(web_file) as exporter:
        client = web_file.client()
        assert (await ask(secure(exporter.url), ssl=client)).status == 200
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(REFUSED):
            await ask(secure(exporter.url), ssl=client)


async def test_client_certificates_are_required_and_verified(web_file: WebFile) -> None:
    keys = {
        **web_file.issue(),
        "client_ca_file": "ca.pem",
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_allowed_sans": ["prometheus.example", "2001:db8::1", "spiffe://x/prometheus"],
    }
    web_file.write(tls_server_config=keys)
    known = [
        web_file.client(web_file.authority.issue_cert(name))
        for name in ("prometheus.example", "2001:db8::1")
    ]
    other = web_file.client(web_file.authority.issue_cert("other.example"))
    stranger = web_file.client(trustme.CA().issue_cert("prometheus.example"))
    async with guarded(web_file) as exporter:
        url = secure(exporter.url)
        for client in known:
            assert (await ask(url, ssl=client)).status == 200
        assert (await ask(url, ssl=other)).status == 403
        for client in (web_file.client(), stranger):
            with pytest.raises(REFUSED):
                await ask(url, ssl=client)

        for without in ({**keys, "client_auth_type": "NoClientCert"}, web_file.issue()):
            refused = logged(exporter, "web configuration refused")
            web_file.write(tls_server_config=without)
            await eventually(refused)
            with pytest.raises(REFUSED):
                await ask(url, ssl=web_file.client())
        del keys["client_allowed_sans"]
        reloaded = logged(exporter, "web configuration reloaded")
        web_file.write(tls_server_config={**keys, "client_auth_type": "VerifyClientCertIfGiven"})
        await eventually(reloaded)
        for client in (web_file.client(), other):
            assert (await ask(url, ssl=client)).status == 200
        with pytest.raises(REFUSED):
            await ask(url, ssl=stranger)


async def test_another_authority_of_clients_becomes_active_without_a_restart(
    web_file: WebFile,
) -> None:
    other = trustme.CA()
    old, new = (
        web_file.client(authority.issue_cert("prometheus.example"))
        for authority in (web_file.authority, other)
    )
    keys = {
        **web_file.issue(),
        "client_ca_file": "clients.pem",
        "client_auth_type": "RequireAndVerifyClientCert",
    }
    authorities = web_file.directory / "clients.pem"
    authorities.write_bytes(web_file.authority.cert_pem.bytes())
    web_file.write(tls_server_config=keys)
    async with guarded(web_file) as exporter:
        url = secure(exporter.url)
        assert (await ask(url, ssl=old)).status == 200
        with pytest.raises(REFUSED):
            await ask(url, ssl=new)
        reloaded = logged(exporter, "web configuration reloaded")
        authorities.write_bytes(other.cert_pem.bytes())
        await eventually(reloaded)
        assert (await ask(url, ssl=new)).status == 200
        with pytest.raises(REFUSED):
            await ask(url, ssl=old)


def logged(exporter: Exporter, event: str) -> Callable[[], Awaitable[bool]]:
    """Return a function that returns whether one more line with this event was logged since."""

    def count() -> int:
        return sum(line["event"] == event for line in exporter.log)

    before = count()

    async def more() -> bool:
        return count() > before

    return more


async def serial(url: str, client: ssl.SSLContext) -> object:
    """Return the serial number of the certificate that a new connection is shown."""
    host, port = url.removeprefix("https://").split(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=client)
    found = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    return found


async def started(process: Running) -> str:
    return secure(await process.url())


async def test_a_new_certificate_becomes_active_and_a_broken_one_does_not(
    web_file: WebFile,
) -> None:
    web_file.write(tls_server_config=web_file.issue())
    client = web_file.client()
    flags = ("--demo", "--web.listen-address=127.0.0.1:0", f"--web.config.file={web_file.path}")
    async with (
        running(*flags, directory=web_file.directory) as process,
        aiohttp.ClientSession() as session,
    ):
        url = await started(process)

        async def kept() -> Answer:
            async with session.get(f"{url}/metrics", ssl=client) as answer:
                return Answer(status=answer.status, headers={}, text=await answer.text())

        assert (await kept()).text.endswith("\n")
        first = await serial(url, client)
        web_file.issue()

        async def another() -> object:
            shown = await serial(url, client)
            return shown if shown not in seen else None

        seen = {first}
        second = await eventually(another)
        assert (await kept()).status == 200  # on the connection from before
        (web_file.directory / "server.key").write_text("not a key")
        await process.line("web configuration refused")
        for _ in range(3):
            assert await serial(url, client) == second
        web_file.issue()
        seen = {first, second}
        await eventually(another)
        assert len(process.logged("web configuration refused")) == 1
        assert len(process.logged("web configuration reloaded")) == 2
        assert await process.stop() == 0


async def test_certificates_that_kubernetes_swaps_by_a_link_are_seen(web_file: WebFile) -> None:
    directory = web_file.directory
    for name in ("one", "two"):
        (directory / name).mkdir()
        WebFile(directory / name, web_file.authority).issue()
    (directory / "..data").symlink_to("one")
    keys = {"cert_file": "..data/server.pem", "key_file": "..data/server.key"}
    web_file.write(tls_server_config=keys)
    async with guarded(web_file) as exporter:
        url, client = secure(exporter.url), web_file.client()
        before = await serial(url, client)
        (directory / "..new").symlink_to("two")
        (directory / "..new").rename(directory / "..data")

        async def swapped() -> bool:
            return await serial(url, client) != before

        await eventually(swapped)


async def test_tls_is_not_switched_while_it_runs(web_file: WebFile) -> None:
    keys = web_file.issue()
    web_file.write(tls_server_config=keys)
    async with guarded(web_file) as exporter:
        refused = logged(exporter, "web configuration refused")
        web_file.write(basic_auth_users={"a": hashed("pw")})
        await eventually(refused)
        assert (await ask(secure(exporter.url), ssl=web_file.client())).status == 200
        (line,) = [line for line in exporter.log if line["log_level"] == "error"]
        assert "tls_server_config: cannot be added or removed" in line["reason"]


async def test_failed_handshakes_are_logged_once_for_each_reason(web_file: WebFile) -> None:
    web_file.write(tls_server_config=web_file.issue())
    flags = ("--demo", "--web.listen-address=127.0.0.1:0", f"--web.config.file={web_file.path}")
    async with running(*flags, directory=web_file.directory) as process:
        url = await started(process)
        host, port = url.removeprefix("https://").split(":")
        for _ in range(5):
            with pytest.raises(REFUSED):
                await ask(url, ssl=ssl.create_default_context())
            for content in (b"GET /metrics?key=S3CR3T HTTP/1.1\r\n\r\n", b"\x00S3CR3T" * 9, b""):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(content)
                writer.write_eof()
                assert b"200" not in await reader.read()
                writer.close()
        assert (await ask(url, ssl=web_file.client())).status == 200

        async def logged_reasons() -> list[str]:
            return [line["reason"] for line in process.logged("TLS handshake failed")]

        await eventually(logged_reasons)
        reasons = await logged_reasons()
        assert len(reasons) == len(set(reasons)) <= 4
        assert await process.stop() == 0
    assert "S3CR3T" not in process.stderr.read_text()
    assert "Traceback" not in process.stderr.read_text()
