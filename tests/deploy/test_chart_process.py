"""The command of the chart, as a process with files mounted like in Kubernetes."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helm_python import Chart

from tests.deploy.test_helm import CHART
from tests.palette_server.server import API_KEY, PaletteServer
from tests.palette_server.world import World
from tests.process import MODULE, eventually, finished, get, ready, running
from tests.yaml_text import loaded

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume in the kubelet's layout: links through ..data, which an update swaps."""

    path: Path

    def write(self, files: dict[str, str]) -> None:
        version = self.path / f"..{time.monotonic_ns()}"
        version.mkdir(parents=True)
        for name, text in files.items():
            (version / name).write_text(text)
            (version / name).chmod(0o440)
            link = self.path / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        old = self.path / "..data"
        before = old.resolve() if old.is_symlink() else None
        fresh = self.path / "..data_tmp"
        fresh.symlink_to(version.name)
        fresh.replace(old)
        if before:
            shutil.rmtree(before)


def rendered(values: dict[str, Any], root: Path) -> tuple[str, list[str]]:
    """Return the configuration and the arguments, with mounts below a directory."""
    with Chart.load(CHART) as chart:
        texts = chart.render(values, name="rel", namespace="ns")

    def moved(text: str) -> str:
        return text.replace("/etc/palette-snapshot-exporter", f"{root}/etc").replace(
            "/run/secrets", f"{root}/run"
        )

    by_name = {path.rpartition("/")[2]: text for path, text in texts.items()}
    config = loaded(by_name["configmap.yaml"])["data"]["config.yaml"]
    (container,) = loaded(by_name["workload.yaml"])["spec"]["template"]["spec"]["containers"]
    return moved(config), [moved(argument) for argument in container["args"]]


async def test_it_serves_reloads_a_swapped_mount_and_answers_the_health_check(
    tmp_path: Path,
) -> None:
    world = World.fleet(clusters=1, vms=2, snapshots=4, now=time.time())
    async with PaletteServer(world, limits=None) as palette:
        values: dict[str, Any] = {
            "config": {
                "palette": {"url": palette.url},
                "discovery": {"enabled": True},
                "refresh": {"interval": "1s"},
                "web": {"listen_address": "127.0.0.1:0"},
            }
        }
        config, arguments = rendered(values, tmp_path)
        mount = Mount(tmp_path / "etc" / "config")
        mount.write({"config.yaml": config})
        Mount(tmp_path / "run" / "palette").write({"api-key": f"{API_KEY}\n"})
        async with running(*arguments, "--log.format=logfmt", directory=tmp_path) as exporter:
            url = await exporter.url()
            await eventually(lambda: ready(url))
            assert "palette_vm_snapshot_ready{" in (await get(f"{url}/metrics"))[1]
            health = finished(
                *arguments,
                f"--web.listen-address={url.removeprefix('http://')}",
                "--health",
                command=MODULE,
            )
            assert (health.returncode, health.stderr) == (0, "")
            mount.write({"config.yaml": config.replace("interval: 1s", "interval: 2s")})

            async def reloaded() -> bool:
                text = (await get(f"{url}/metrics"))[1]
                return "palette_exporter_refresh_interval_seconds 2" in text

            await eventually(reloaded, within=30)
            assert await exporter.stop() == 0
