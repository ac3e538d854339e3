"""Four exporters that share forty clusters, as processes, with the settings of the overlay.

Palette's own rate limits are active, and Prometheus watches with the shipped rules.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from tests.deploy import hurried
from tests.deploy.rules import ROOT
from tests.monitoring import prometheus_with_rules, query
from tests.palette_server.server import PaletteServer
from tests.palette_server.world import World
from tests.process import Running, Series, binary, eventually, ready, running, scrape, series
from tests.yaml_text import loaded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.demo.calls import Call

CLUSTERS, SHARDS, KILLED = 40, 4, 2
PALETTES_RATE = 50.0
"""Requests a second that Palette allows to one address."""

PATIENCE = 60.0
"""Timeout in seconds of any step of four processes, on a busy machine."""

OVERLAY = ROOT / "deploy/kubernetes/overlays/sharded/configmap.yaml"
HURRY = ("--refresh.interval=1s", "--web.listen-address=127.0.0.1:0", "--log.format=logfmt")
ALONE = ("--palette.requests-per-second=40", "--palette.burst=50")
VOLATILE = ("_age_seconds", "_last_success_timestamp_seconds", "_refresh_duration_seconds")
OPERATION = (
    'ALERTS{alertname=~"Palette(Cluster|Exporter).+", alertstate="firing", severity!="info"}'
)
GONE = 'ALERTS{alertname="PaletteClusterGone", alertstate="firing"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of several exporters; asked: the clusters that it requested from Palette."""

    url: str
    asked: set[str]
    process: Running

    async def reported(self) -> Series:
        return of_clusters(series(await scrape(self.url)))


def of_clusters(found: Series) -> Series:
    """Return the samples of clusters, VMs and snapshots; values that change with time are 0."""
    return {
        key: 0.0 if key[0].endswith(VOLATILE) else value
        for key, value in found.items()
        if "cluster_uid" in dict(key[1]) and not key[0].startswith("palette_exporter_")
    }


class Asked:
    """Records the clusters that each key requested."""

    def __init__(self) -> None:
        self.by_key: dict[str, set[str]] = defaultdict(set)

    def note(self, call: Call) -> bool:
        """Record a call, and let it succeed."""
        if call.cluster_uid:
            self.by_key[call.headers["ApiKey"]].add(call.cluster_uid)
        return False


async def exporter(
    stack: AsyncExitStack,
    palette: PaletteServer,
    asked: Asked,
    directory: Path,
    *more: str,
    **shard: int,
) -> Shard:
    """Run an exporter with the settings of the overlay, and wait for its first round."""
    key = "-".join(["key", *map(str, shard.values())])
    palette.api_keys.add(key)
    directory = directory / key
    directory.mkdir()
    config = directory / "config.yaml"
    config.write_text(yaml.safe_dump(settings(palette, directory, key)))
    flags = [f"--shard.{name}={value}" for name, value in shard.items()]
    process = await stack.enter_async_context(
        running(f"--config.file={config}", *HURRY, *more, *flags, directory=directory)
    )
    url = f"http://{(await process.line('starting', within=PATIENCE))['listen']}"
    await eventually(lambda: ready(url), within=PATIENCE)
    return Shard(url=url, asked=asked.by_key[key], process=process)


def settings(palette: PaletteServer, directory: Path, key: str) -> Mapping[str, Any]:
    shipped: dict[str, Any] = loaded(loaded(OVERLAY.read_text())["data"]["config.yaml"])
    (directory / "api-key").write_text(key)
    shipped["palette"] |= {"url": palette.url, "api_key_file": "api-key"}
    return shipped


async def test_four_shards_are_one_exporter_and_one_of_them_is_missed(tmp_path: Path) -> None:
    """One start for all assertions."""
    binary("prometheus")
    world = World.fleet(clusters=CLUSTERS, vms=120, snapshots=240, now=time.time())
    asked = Asked()
    async with AsyncExitStack() as stack:
        palette = await stack.enter_async_context(PaletteServer(world))
        palette.faults.add(asked.note, palette_never_fails)
        async with AsyncExitStack() as alone:
            whole = await (await exporter(alone, palette, asked, tmp_path, *ALONE)).reported()
        palette.forget_requests()
        began = time.monotonic()
        shards = await asyncio.gather(
            *(
                exporter(stack, palette, asked, tmp_path, ordinal=ordinal, total=SHARDS)
                for ordinal in range(SHARDS)
            )
        )
        reported = [await shard.reported() for shard in shards]
        together_they_report_what_one_reports(reported, whole)
        none_asks_for_anothers_clusters(shards, reported)
        targets = [shard.url.removeprefix("http://") for shard in shards]
        config = hurried.scraping(tmp_path, targets)
        server = await prometheus_with_rules(stack, tmp_path, config)
        await prometheus_has_all_of_it_once(server, len(whole))
        shards[KILLED].process.process.kill()
        await only_its_share_is_lost(server, shards, reported)
        they_stayed_within_the_limit(palette, time.monotonic() - began)


async def palette_never_fails(_: object) -> None:
    raise AssertionError("a call that is only noted was to be spoiled")


def together_they_report_what_one_reports(reported: list[Series], whole: Series) -> None:
    union = {key: value for each in reported for key, value in each.items()}
    assert union == whole
    assert sum(map(len, reported)) == len(whole)
    assert all(reported)


def none_asks_for_anothers_clusters(shards: list[Shard], reported: list[Series]) -> None:
    assert sum(len(shard.asked) for shard in shards) == CLUSTERS
    for shard, found in zip(shards, reported, strict=True):
        assert shard.asked == clusters(found)


def clusters(found: Series) -> set[str]:
    return {dict(labels)["cluster_uid"] for _, labels in found}


async def prometheus_has_all_of_it_once(server: str, wanted: int) -> None:
    ours = '{__name__=~"palette_(vm|cluster)_.+"}'
    # Counted series lose their name, which has to distinguish them.
    named = f'label_replace({ours}, "name", "$1", "__name__", "(.+)")'

    async def complete() -> bool:
        found = await query(server, f"count({ours})")
        return bool(found) and found[0]["value"][1] == str(wanted)

    async def stretched() -> bool:
        return bool(await query(server, "palette_exporter_round_seconds > 1"))

    await eventually(complete, within=PATIENCE)
    # At least one shard has more requests than its rate allows in a second.
    await eventually(stretched, within=PATIENCE)
    assert not await query(server, f"count without (instance) ({named}) > 1")
    assert not await query(server, OPERATION)


async def only_its_share_is_lost(server: str, shards: list[Shard], reported: list[Series]) -> None:
    async def noticed() -> bool:
        return bool(await query(server, "up == 0"))

    lost = clusters(reported[KILLED])

    async def fires() -> bool:
        return len(await query(server, OPERATION)) == 2 + len(lost)

    left = [each for each in range(SHARDS) if each != KILLED]
    await eventually(noticed, within=PATIENCE)
    up = {each["metric"]["cluster_uid"] for each in await query(server, "palette_cluster_up == 1")}
    assert up == set().union(*(clusters(reported[each]) for each in left))
    for each in left:
        assert await shards[each].reported() == reported[each]
    await eventually(fires, within=PATIENCE)
    found = {each["metric"]["alertname"]: each["metric"] for each in await query(server, OPERATION)}
    assert found["PaletteExporterShardMissing"]["severity"] == "critical"
    assert {each["metric"]["cluster_uid"] for each in await query(server, GONE)} == lost
    assert found["PaletteExporterDown"]["severity"] == "warning"
    assert found["PaletteExporterDown"]["instance"] in shards[KILLED].url


def they_stayed_within_the_limit(palette: PaletteServer, seconds: float) -> None:
    assert {request.status for request in palette.requests} == {200}
    counted = [each for each in palette.requests if "/v1/spectroclusters" in each.raw_path]
    assert len(counted) / seconds < PALETTES_RATE
