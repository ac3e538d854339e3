"""Requests that a page of another site makes a browser send."""

import asyncio
from pathlib import Path

import pytest

from exporter.runtime.web_config import web_config
from exporter.settings import Settings
from tests.web.guard.guarded import WebFile, ask, basic, guarded, hashed

PAGES = ("/", "/config", "/docs", "/api/v1/status", "/vms/a/b/c", "/none")
OPEN = ("/metrics", "/-/healthy", "/-/ready", "/probe")
FOREIGN = ("evil.example", "evil.example:10180", "127.0.0.1.evil.example", "localhost.evil", "")


async def statuses(url: str, host: str, paths: tuple[str, ...]) -> set[int]:
    return {(await ask(url, path, headers={"Host": host})).status for path in paths}


async def test_without_users_pages_answer_only_under_known_names() -> None:
    async with guarded(allowed_hosts=["Palette.Example"]) as exporter:
        for host in FOREIGN:
            assert await statuses(exporter.url, host, PAGES) == {403}, host
            assert 403 not in await statuses(exporter.url, host, OPEN), host
            reload = await ask(exporter.url, "/-/reload", "POST", headers={"Host": host})
            assert reload.status == 403
        for host in ("127.0.0.1", "10.0.0.1:80", "[::1]:10180", "LOCALHOST:1", "palette.example."):
            assert 403 not in await statuses(exporter.url, host, PAGES), host
        refused = await ask(exporter.url, headers={"Host": "evil.example"}, path="/")
        assert "web.allowed_hosts" in refused.text


def test_the_host_of_the_listen_address_is_known() -> None:
    settings = Settings.model_validate({"web": {"listen_address": "Exporter.Example:10180"}})
    assert "exporter.example" in web_config(settings).allowed_hosts


async def test_with_users_every_name_is_answered(tmp_path: Path) -> None:
    web_file = WebFile(tmp_path)
    web_file.write(basic_auth_users={"a": hashed("pw")})
    async with guarded(web_file) as exporter:
        headers = {**basic("a", "pw"), "Host": "evil.example"}
        assert (await ask(exporter.url, "/", headers=headers)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "Cross-Site", "Origin": "http://127.0.0.1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
async def test_a_page_of_another_site_cannot_reload(headers: dict[str, str]) -> None:
    async with guarded() as exporter:
        refused = await ask(exporter.url, "/-/reload", "POST", headers=headers)
        assert refused.status == 403
        assert not [line for line in exporter.log if line["event"] == "configuration reloaded"]


async def test_tools_and_the_page_itself_can_reload() -> None:
    async with guarded() as exporter:
        for headers in ({}, {"Origin": exporter.url}, {"Sec-Fetch-Site": "same-origin"}):
            for method in ("POST", "PUT"):
                assert (await ask(exporter.url, "/-/reload", method, headers=headers)).status == 200


async def test_reloads_can_be_disabled() -> None:
    async with guarded(enable_lifecycle=False) as exporter:
        refused = await ask(exporter.url, "/-/reload", "POST")
        assert refused.status == 403
        assert "web.enable_lifecycle" in refused.text


async def test_a_flood_of_reloads_shares_a_run_each_second() -> None:
    async with guarded() as exporter:
        began = asyncio.get_running_loop().time()
        answers = await asyncio.gather(
            *(ask(exporter.url, "/-/reload", "POST") for _ in range(100))
        )
        took = asyncio.get_running_loop().time() - began
        assert {each.status for each in answers} == {200}
        runs = [line for line in exporter.log if line["event"] == "configuration reloaded"]
        assert len(runs) <= took + 2
