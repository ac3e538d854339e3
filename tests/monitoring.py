"""Prometheus and Alertmanager as processes on loopback, and their APIs."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import yaml

from tests.process import binary, eventually, free_port, get

Configuration = Mapping[str, Any]


@asynccontextmanager
async def prometheus(
    directory: Path, config: Configuration, *flags: str, port: int = 0
) -> AsyncIterator[str]:
    """Run a Prometheus, and yield its URL once it answers; port: 0 is any free port."""
    path = binary("prometheus")
    ours = (f"--storage.tsdb.path={directory / 'prometheus'}", "--web.enable-lifecycle")
    async with _serving(
        path, _written(directory, "prometheus", config), *ours, *flags, port=port
    ) as url:
        yield url


async def prometheus_with_rules(
    stack: AsyncExitStack, directory: Path, config: Configuration, *flags: str
) -> str:
    """Run a Prometheus until the end of the stack; its rules begin when all targets are up.

    Its first scrape takes seconds, for any times in its configuration.
    """
    url = await stack.enter_async_context(
        prometheus(directory, {**config, "rule_files": []}, *flags)
    )
    await eventually(lambda: query(url, "min(up) == 1"), within=60)
    _written(directory, "prometheus", config)
    async with aiohttp.ClientSession() as session, session.post(f"{url}/-/reload") as answer:
        assert answer.status == 200, await answer.text()
    return url


@asynccontextmanager
async def alertmanager(directory: Path, config: Configuration, port: int = 0) -> AsyncIterator[str]:
    """Run a single Alertmanager, and yield its URL once it answers."""
    path = binary("alertmanager", "prometheus-alertmanager")
    flags = (f"--storage.path={directory / 'alertmanager'}", "--cluster.listen-address=")
    async with _serving(
        path, _written(directory, "alertmanager", config), *flags, port=port
    ) as url:
        yield url


def _written(directory: Path, name: str, config: Configuration) -> Path:
    file = directory / f"{name}.yml"
    file.write_text(yaml.safe_dump(dict(config)))
    return file


@asynccontextmanager
async def _serving(path: str, file: Path, *flags: str, port: int) -> AsyncIterator[str]:
    address = f"127.0.0.1:{port or free_port()}"
    log = file.with_suffix(".log")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            path,
            f"--config.file={file}",
            f"--web.listen-address={address}",
            *flags,
            cwd=file.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )

    async def ready() -> bool:
        assert process.returncode is None, log.read_text()
        try:
            return (await get(f"http://{address}/-/ready"))[0] == 200
        except aiohttp.ClientError:
            return False

    try:
        await eventually(ready, within=60)
        yield f"http://{address}"
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 10)
    except TimeoutError:
        process.kill()
        await process.wait()


async def query(prometheus_url: str, expression: str) -> list[dict[str, Any]]:
    """Return the current samples of an expression."""
    status, text = await get(f"{prometheus_url}/api/v1/query?{urlencode({'query': expression})}")
    assert status == 200, text
    result: list[dict[str, Any]] = json.loads(text)["data"]["result"]
    return result
