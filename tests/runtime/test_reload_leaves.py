"""A reload applies every setting, or refuses it with a reason."""

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
import trustme
import yaml

from exporter.settings import Settings, leaves
from tests.harness import (
    EAST,
    EAST_PROJECT,
    INTERVAL,
    LOOK_EVERY,
    WEST,
    exporting,
    put,
    tenant,
    until,
)
from tests.palette_server import faults
from tests.palette_server.server import API_KEY, PaletteServer
from tests.runtime.proofs import (
    BOTH,
    CASES,
    CLUSTER_UP,
    EAST_ONLY,
    PROBE,
    Case,
    Place,
    See,
    assert_recovers,
    case,
    changes,
    clusters,
    labels,
    namespaces,
    owner,
    pem,
    reloaded,
    requested,
    requests_in,
    rows,
    server_context,
    status,
    too_many_series,
    value,
)

OBJECTIVE = "palette_vm_snapshot_objective_seconds"
EVERYTHING = {"enabled": True}
VMS = {"enabled": True, "namespaces": ["vms"]}

changes("targets", EAST_ONLY, BOTH, clusters(), {EAST}, {EAST, WEST})
changes("refresh.interval", "1m", "10s", requests_in(60.0, "list_vms"), 1, 6)
changes("discovery.enabled", False, True, clusters(), {EAST}, {EAST, WEST})
changes(
    "objectives", [], [{"max_age": "1d"}], rows(OBJECTIVE, "vm", namespace="vms"), set(), {"db-01"}
)
changes("labels.owner", None, "team", owner, {""}, {"", "storage"})
changes("labels.vm", [], ["team"], labels, set(), {"label_team"})
changes(
    "metrics.deny",
    [],
    ["palette_cluster_.*"],
    rows("palette_cluster_info", "cluster_uid"),
    {EAST},
    set(),
)
changes("metrics.max_series", 0, 1, too_many_series, 0, 1)
changes("shard.total", 1, 2, value("palette_exporter_total_shards"), 1, 2)
changes("probe.enabled", True, False, status(PROBE), 200, 404)
changes("probe.allow_unconfigured", False, True, status(PROBE.replace(EAST, WEST)), 403, 200)


@case("discovery.interval")
async def discovery_interval(place: Place) -> None:
    see = requests_in(LOOK_EVERY, "list_clusters")
    async with exporting(place.world, discovery=EVERYTHING) as exporter, exporter.loops():
        assert await see(exporter) == 1
        await reloaded(exporter, discovery={**EVERYTHING, "interval": "60s"})
        assert await see(exporter) == 5


def discovers(key: str, after: list[str], see: See, was: object, is_: object) -> None:
    """Register that a list of names changes what discovery selects."""

    @case(f"discovery.{key}")
    async def proof(place: Place) -> None:
        async with exporting(place.world, discovery=EVERYTHING) as exporter, exporter.loops():
            assert await see(exporter) == was
            await reloaded(exporter, discovery={**EVERYTHING, key: after})
            assert await see(exporter) == is_


discovers("clusters", ["prod-east"], clusters(), {EAST, WEST}, {EAST})
discovers("exclude_clusters", ["prod-east"], clusters(), {EAST, WEST}, {WEST})
discovers("namespaces", ["vms"], namespaces(), {"vms", "test"}, {"vms"})
discovers("exclude_namespaces", ["vms"], namespaces(), {"vms", "test"}, {"test"})


@case("refresh.stale_after")
async def stale_after(place: Place) -> None:
    async with exporting(place.world, targets=EAST_ONLY) as exporter, exporter.loops():
        exporter.palette.faults.add(None, faults.status(500))
        await exporter.pass_time(2 * INTERVAL)
        assert (await exporter.scrape()).everything()
        assert not (await exporter.reload(refresh={"stale_after": INTERVAL})).everything()


@case("shard.ordinal")
async def ordinal(place: Place) -> None:
    first, second = {"ordinal": 0, "total": 2}, {"ordinal": 1, "total": 2}
    async with exporting(place.world, targets=BOTH, shard=first) as exporter, exporter.loops():
        before = set((await exporter.scrape()).rows(CLUSTER_UP, "cluster_uid"))
        await reloaded(exporter, shard=second)
        after = set((await exporter.scrape()).rows(CLUSTER_UP, "cluster_uid"))
        assert before ^ after == {EAST, WEST}


@case("palette.url", "palette.api_key", "palette.requests_per_second")
async def another_palette(place: Place) -> None:
    slow = {"requests_per_second": 1}
    async with (
        PaletteServer(place.world, api_keys=["other"], limits=None) as other,
        exporting(place.world, targets=EAST_ONLY, palette=slow) as exporter,
        exporter.loops(),
    ):
        before = await value("palette_exporter_round_seconds")(exporter)
        exporter.given.url = other.url
        await exporter.reload(palette={"api_key": "other"})
        await exporter.pass_time(INTERVAL)
        assert {each.status for each in other.requests} == {200}
        after = await value("palette_exporter_round_seconds")(exporter)
        assert (before, after) == (2.0, 2 / 10_000)


@case("palette.burst")
async def burst(place: Place) -> None:
    async with exporting(place.world, targets=BOTH) as exporter, exporter.loops():
        await exporter.reload(palette={"requests_per_second": 0.01, "burst": 2})
        exporter.palette.forget_requests()
        exporter.clock.advance(INTERVAL)
        await until(lambda: len(exporter.asked()) == 2)
        await exporter.scrape()
        assert len(exporter.asked()) == 2


@case("palette.api_key_file")
async def key_file(place: Place) -> None:
    files = [place.file("wrong", "wrong"), place.file("right", API_KEY)]
    wrong, right = ({"api_key": None, "api_key_file": file} for file in files)
    await assert_recovers(place, wrong, right)


@case("palette.username", "palette.password_file", "palette.org")
async def login(place: Place) -> None:
    """The simulated Palette takes any organization; the request has to name it."""
    name = "ops@example.com"
    wrong = {"api_key": None, "username": "x", "password_file": place.file("wrong", "wrong")}
    right = {"api_key": None, "username": name, "password_file": place.file("right", "right")}
    await assert_recovers(place, wrong, {**right, "org": "Example"}, users={name: "right"})


@case("palette.timeout")
async def timeout(place: Place) -> None:
    async with exporting(place.world, targets=EAST_ONLY) as exporter, exporter.loops():
        exporter.given.request_timeout = 0.05
        await exporter.reload()
        exporter.palette.faults.add(None, faults.hang())
        await exporter.pass_time(INTERVAL)
        assert await value(CLUSTER_UP)(exporter) == 0


@case("palette.project_uid")
async def project(place: Place) -> None:
    async with exporting(place.world, targets=EAST_ONLY) as exporter, exporter.loops():
        exporter.palette.forget_requests()
        await reloaded(exporter, palette={"project_uid": EAST_PROJECT})
        assert {each.project_uid for each in exporter.asked("list_vms")} == {EAST_PROJECT}


@case("palette.tls.ca_file")
async def authority(place: Place) -> None:
    ca, other = trustme.CA(), trustme.CA()
    wrong = {"tls": {"ca_file": place.file("wrong.pem", pem(other.cert_pem))}}
    right = {"tls": {"ca_file": place.file("right.pem", pem(ca.cert_pem))}}
    await assert_recovers(place, wrong, right, tls=server_context(ca))


@case("palette.tls.insecure_skip_verify")
async def unverified(place: Place) -> None:
    after = {"tls": {"insecure_skip_verify": True}}
    await assert_recovers(place, {}, after, tls=server_context(trustme.CA()))


@case("palette.tls.cert_file", "palette.tls.key_file")
async def client_certificate(place: Place) -> None:
    ca = trustme.CA()
    client = ca.issue_cert("exporter.example")
    trusting = {"ca_file": place.file("ca.pem", pem(ca.cert_pem))}
    identity = {
        "cert_file": place.file("client.pem", pem(*client.cert_chain_pems)),
        "key_file": place.file("client.key", pem(client.private_key_pem)),
    }
    tls = server_context(ca, clients=True)
    await assert_recovers(place, {"tls": trusting}, {"tls": {**trusting, **identity}}, tls=tls)


@case("palette.proxy_url")
async def proxy(place: Place) -> None:
    """A proxy gets the whole URL, and the server here accepts it as a path."""
    nobody = {"proxy_url": "http://127.0.0.1:9"}
    async with (
        exporting(place.world, targets=EAST_ONLY, palette=nobody) as exporter,
        exporter.loops(),
    ):
        assert await value(CLUSTER_UP)(exporter) == 0
        assert not exporter.asked()
        await exporter.reload(palette={"proxy_url": None})
        await exporter.pass_time(INTERVAL)
        assert await value(CLUSTER_UP)(exporter) == 1


@case("web.config_file", "web.open_health_paths")
async def users(place: Place) -> None:
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    web = {
        "listen_address": "127.0.0.1:0",
        "config_file": place.file(
            "web.yaml", yaml.safe_dump({"basic_auth_users": {"scraper": hashed}})
        ),
    }
    async with exporting(place.world, targets=EAST_ONLY) as exporter, exporter.loops():
        assert await exporter.status("/-/healthy") == 200
        assert (await requested(exporter, web=web))[0] == 200
        assert await exporter.status("/-/healthy") == 401
        assert (await requested(exporter, web={**web, "open_health_paths": True}))[0] == 200
        assert await exporter.status("/-/healthy") == 200
        assert await exporter.status("/metrics") == 401


@case("web.enable_lifecycle")
async def lifecycle(place: Place) -> None:
    web = {"listen_address": "127.0.0.1:0", "enable_lifecycle": False}
    async with exporting(place.world, targets=EAST_ONLY) as exporter, exporter.loops():
        assert (await requested(exporter, web=web))[0] == 200
        assert (await requested(exporter))[0] != 200


@case("web.allowed_hosts")
async def hosts(place: Place) -> None:
    web = {"listen_address": "127.0.0.1:0", "allowed_hosts": ["exporter.example"]}
    see = status("/", Host="exporter.example")
    async with exporting(place.world, targets=EAST_ONLY) as exporter, exporter.loops():
        assert await see(exporter) == 403
        await exporter.reload(web=web)
        assert await see(exporter) == 200


@case("web.max_requests")
async def max_requests(place: Place) -> None:
    async with exporting(place.world, targets=EAST_ONLY) as exporter, exporter.loops():
        await exporter.reload(web={"listen_address": "127.0.0.1:0", "max_requests": 1})
        exporter.palette.faults.add(None, faults.hang())
        probe = asyncio.create_task(exporter.status(PROBE))
        await until(lambda: exporter.palette.in_flight > 0)
        assert await exporter.status("/metrics") == 503
        probe.cancel()


@case("web.listen_address", "web.telemetry_path")
async def fixed(place: Place) -> None:
    async with exporting(place.world, targets=EAST_ONLY) as exporter, exporter.loops():
        listen = {"listen_address": "127.0.0.1:0"}
        for web, key in (
            ({"listen_address": "127.0.0.1:1"}, "web.listen_address"),
            ({**listen, "telemetry_path": "/other"}, "web.telemetry_path"),
        ):
            code, reason = await requested(exporter, web=web)
            assert code == 500
            assert reason.startswith(f"{key}: cannot change while the exporter runs")
        assert await exporter.status("/metrics") == 200


@case("log.level", "log.format")
async def logs(place: Place) -> None:
    async with exporting(place.world, targets=EAST_ONLY) as exporter, exporter.loops():
        await exporter.reload(log={"level": "debug", "format": "json"})
        root = logging.getLogger()
        assert root.level == logging.DEBUG
        line = root.handlers[0].format(logging.makeLogRecord({"msg": "hello", "levelname": "INFO"}))
        assert json.loads(line)["msg"] == "hello"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def place(tmp_path: Path) -> Place:
    world = tenant()
    for cluster in (EAST, WEST):
        put(world, "db-01", "a", cluster=cluster, labels={"team": "storage"})
        put(world, "db-02", "b", cluster=cluster, namespace="test")
    return Place(world=world, directory=tmp_path)


def test_each_setting_has_its_proof() -> None:
    assert set(CASES) == {leaf.place for leaf in leaves(Settings)}


PROOFS = {proof: ".".join(path) for path, proof in CASES.items()}


@pytest.mark.parametrize("proof", PROOFS, ids=PROOFS.values())
async def test_a_reload_honours_or_refuses(proof: Case, place: Place) -> None:
    await proof(place)
