"""The exporter runs on a host in FIPS mode, which refuses BLAKE2 and MD5."""

from pathlib import Path

import aiohttp

from tests.process import MODULE, eventually, get, running
from tests.web.guard.guarded import WebFile, basic, hashed

REFUSING = """
import hashlib

def refuse(*arguments, **options):
    raise ValueError("[digital envelope routines] unsupported")

for name in ("blake2b", "blake2s", "md5"):
    setattr(hashlib, name, refuse)
"""


async def test_the_exporter_runs_where_only_approved_hashes_do(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(REFUSING)
    web = WebFile(tmp_path)
    web.write(basic_auth_users={"scraper": hashed("secret")})
    config = tmp_path / "config.yaml"
    config.write_text("shard: {ordinal: 0, total: 2}")
    flags = (
        "--demo",
        "--web.listen-address=127.0.0.1:0",
        f"--config.file={config}",
        f"--web.config.file={web.path}",
        "--config.auto-reload",
    )
    environ = {"PYTHONPATH": str(tmp_path)}
    async with running(*flags, directory=tmp_path, environ=environ, command=MODULE) as exporter:
        url = await exporter.url()
        user = basic("scraper", "secret")

        async def ready() -> bool:
            return (await get(f"{url}/-/ready", **user))[0] == 200

        await eventually(ready)
        assert (await get(f"{url}/metrics"))[0] == 401
        async with (
            aiohttp.ClientSession(headers=user) as session,
            session.post(f"{url}/-/reload") as answer,
        ):
            assert answer.status == 200
        assert await exporter.stop() == 0
        assert "Traceback" not in exporter.stderr.read_text()
