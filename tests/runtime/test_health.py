"""The health check of the image: healthy while the exporter answers, whatever is configured."""

import asyncio
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.process import MODULE, ROOT, binary, environment, finished, free_port, running
from tests.web.guard.guarded import WebFile, hashed

CLIENTS = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.pem"}

WEB_FILES: dict[str, Any] = {
    "nothing": None,
    "users": {"basic_auth_users": {"scraper": hashed("secret")}},
    "TLS": {"tls_server_config": {}},
    "TLS 1.2": {"tls_server_config": {"max_version": "TLS12"}},
    "client certificates": {"tls_server_config": CLIENTS},
    "client certificates and TLS 1.2": {"tls_server_config": {**CLIENTS, "max_version": "TLS12"}},
    "TLS and users": {
        "tls_server_config": {},
        "basic_auth_users": {"scraper": hashed("secret")},
    },
}


def health(*flags: str, **environ: str) -> int:
    return finished("--health", *flags, environ=environ).returncode


def web_flags(directory: Path, web: dict[str, Any] | None) -> list[str]:
    if web is None:
        return []
    file = WebFile(directory)
    if "tls_server_config" in web:
        web = {**web, "tls_server_config": {**file.issue(), **web["tls_server_config"]}}
    file.write(**web)
    return [f"--web.config.file={file.path}"]


@pytest.mark.parametrize("case", WEB_FILES)
async def test_an_exporter_is_healthy_whatever_its_web_file_requires(
    case: str, tmp_path: Path
) -> None:
    flags = [
        "--demo",
        f"--web.listen-address=127.0.0.1:{free_port()}",
        *web_flags(tmp_path, WEB_FILES[case]),
    ]
    async with running(*flags, directory=tmp_path) as exporter:
        await exporter.url()
        assert await asyncio.to_thread(health, *flags) == 0
        errors = [line for line in exporter.log if line["level"] == "error"]
        assert errors == []
        assert await exporter.stop() == 0
        assert await asyncio.to_thread(health, *flags) == 1


@pytest.mark.parametrize("host", ["", "0.0.0.0", "[::]", "[::1]", "localhost"])
async def test_an_exporter_is_healthy_wherever_it_listens(host: str, tmp_path: Path) -> None:
    flags = ["--demo", f"--web.listen-address={host}:{free_port()}"]
    proxy = f"http://127.0.0.1:{free_port()}"
    proxies = {"http_proxy": proxy, "HTTPS_PROXY": proxy, "ALL_PROXY": proxy}
    async with running(*flags, directory=tmp_path) as exporter:
        await exporter.url()
        assert await asyncio.to_thread(health, *flags, **proxies) == 0


async def test_an_exporter_that_hangs_is_not_healthy(tmp_path: Path) -> None:
    flags = ["--demo", f"--web.listen-address=127.0.0.1:{free_port()}"]
    async with running(*flags, directory=tmp_path) as exporter:
        await exporter.url()
        exporter.process.send_signal(signal.SIGSTOP)
        try:
            assert await asyncio.to_thread(health, *flags) == 1
        finally:
            exporter.process.send_signal(signal.SIGCONT)


async def test_settings_that_became_invalid_make_no_exporter_unhealthy(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_port()}"
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"refresh": {"interval": "1m"}}))
    environ = {"PALETTE_EXPORTER_WEB__LISTEN_ADDRESS": listen}
    flags = ["--demo", f"--config.file={config}"]
    async with running(*flags, directory=tmp_path, environ=environ) as exporter:
        await exporter.url()
        config.write_text("refresh: [")
        assert await asyncio.to_thread(health, *flags, **environ) == 0


def test_an_unknown_port_is_reported() -> None:
    done = finished("--health", "--demo", "--web.listen-address=127.0.0.1:0")
    assert done.returncode == 1
    assert done.stderr == "web.listen_address: port 0 is unknown from outside. Set a port.\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs namespaces, so root")
def test_in_a_container_the_check_knows_the_arguments_of_the_first_process() -> None:
    check = f"until {' '.join(MODULE)} --health; do sleep 0.5; done 2>/dev/null; echo healthy"
    serve = f"exec {' '.join(MODULE)} --demo --web.listen-address=127.0.0.1:9910"
    assert binary("ip")  # which the shell starts
    container = [binary("unshare"), "--pid", "--fork", "--mount-proc", "--net", "--kill-child"]
    with subprocess.Popen(
        [*container, "sh", "-c", f"ip link set lo up; ({check}) & {serve} >/dev/null 2>&1"],
        cwd=ROOT,
        env=environment({}),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        killer = threading.Timer(60, process.kill)
        killer.start()
        try:
            assert process.stdout
            assert process.stdout.readline() == "healthy\n"
        finally:
            killer.cancel()
            process.kill()
