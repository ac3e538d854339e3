"""The active web configuration: changes of its files, and changes that are refused."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.runtime.web_config import web_config
from exporter.settings import Settings, web_files
from tests.process import eventually
from tests.web.guard.guarded import Answer, WebFile, ask, basic, guarded, hashed
from tests.web.running import Exporter

USERS = {"first": hashed("pw")}
FIRST = basic("first", "pw")
SECOND = basic("second", "pw")


@pytest.fixture
def web_file(tmp_path: Path) -> WebFile:
    web_file = WebFile(tmp_path)
    web_file.write(basic_auth_users=USERS)
    return web_file


def refusals(exporter: Exporter) -> list[str]:
    return [line["reason"] for line in exporter.log if line["event"] == "web configuration refused"]


async def refused(exporter: Exporter, count: int = 1) -> str:
    """Wait for a number of refused changes; return the reason of the last one."""

    async def enough() -> bool:
        return len(refusals(exporter)) >= count

    await eventually(enough)
    return refusals(exporter)[-1]


async def is_answered(exporter: Exporter, headers: dict[str, str]) -> bool:
    return (await ask(exporter.url, headers=headers)).status == 200


async def test_a_change_becomes_active_without_a_restart(web_file: WebFile) -> None:
    async with guarded(web_file) as exporter:
        assert await is_answered(exporter, FIRST)
        web_file.write(basic_auth_users={"second": hashed("pw")})
        await eventually(lambda: is_answered(exporter, SECOND))
        assert not await is_answered(exporter, FIRST)


@asynccontextmanager
async def writing(web_file: WebFile, seconds: float) -> AsyncIterator[None]:
    """Write the same file repeatedly in this block, in place and slowly, as ``cp`` can."""
    text = web_file.path.read_bytes()

    async def write() -> None:
        async with asyncio.timeout(seconds):
            while True:
                for end in (0, len(text) // 2, len(text)):
                    web_file.path.write_bytes(text[:end])
                    await asyncio.sleep(0.05)

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        with pytest.raises(TimeoutError):
            await task
        web_file.path.write_bytes(text)


async def test_passwords_are_required_while_the_file_is_written(web_file: WebFile) -> None:
    async with guarded(web_file) as exporter, writing(web_file, 6.0):
        answers: set[int] = set()
        async with asyncio.TaskGroup() as tasks:

            async def reload() -> Answer:
                return await ask(exporter.url, "/-/reload", "POST", headers=FIRST)

            tasks.create_task(reload())
            for _ in range(100):
                answers.add((await ask(exporter.url)).status)
                await asyncio.sleep(0.05)
        assert answers == {401}
        assert await is_answered(exporter, FIRST)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "http_server_config: {}\n"])
async def test_users_cannot_be_removed_while_it_runs(web_file: WebFile, text: str) -> None:
    async with guarded(web_file) as exporter:
        web_file.path.write_text(text)
        assert "basic_auth_users: cannot be removed" in await refused(exporter)
        answer = await ask(exporter.url, "/-/reload", "POST", headers=FIRST)
        assert answer.status == 500
        assert "web.config_file: basic_auth_users: cannot be removed" in answer.text
        assert (await ask(exporter.url)).status == 401
        # A later invalid change also keeps the users.
        web_file.path.write_text("basic_auth_users: {other: S3CR3T}")
        assert "entry 1" in await refused(exporter, 2)
        web_file.path.unlink()
        assert "No such file" in await refused(exporter, 3)
        assert (await ask(exporter.url)).status == 401
        assert "S3CR3T" not in str(exporter.log)
        web_file.write(basic_auth_users={"second": hashed("pw")})
        await eventually(lambda: is_answered(exporter, SECOND))


async def test_a_file_that_is_created_after_its_name_is_read(
    web_file: WebFile,
) -> None:
    web_file.write(tls_server_config=web_file.issue())
    async with guarded(web_file) as exporter:
        keys = {"cert_file": "later.pem", "key_file": "later.key"}
        web_file.write(tls_server_config=keys)
        await refused(exporter)
        web_file.issue("later")

        async def reloaded() -> bool:
            return any(line["event"] == "web configuration reloaded" for line in exporter.log)

        await eventually(reloaded)


def test_the_files_are_known_even_where_they_are_invalid(web_file: WebFile) -> None:
    directory = web_file.directory
    web_file.write(tls_server_config={"cert_file": "a.pem", "key_file": "/b.key", "nonsense": 1})
    assert web_files(web_file.path) == (web_file.path, directory / "a.pem", Path("/b.key"))
    for text in ("tls_server_config: [", "tls_server_config: 1", "a\0"):
        web_file.path.write_text(text)
        assert web_files(web_file.path) == (web_file.path,)
    shutil.rmtree(directory)
    assert web_files(web_file.path) == (web_file.path,)


async def test_no_hash_is_printed(web_file: WebFile) -> None:
    settings = Settings.model_validate({"web": {"config_file": str(web_file.path)}})
    assert USERS["first"] not in repr(web_config(settings))
