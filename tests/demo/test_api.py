from __future__ import annotations

import gzip
import json
import ssl
from typing import TYPE_CHECKING
from urllib.parse import quote

import aiohttp
import pytest
import trustme

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.palette_server.limits import Limits
from tests.palette_server.server import PaletteServer
from tests.palette_server.world import World

from .conftest import EAST, EAST_PROJECT, KEY, WEST, WEST_PROJECT, Client, Clock

if TYPE_CHECKING:
    from typing import Any

SNAPSHOTS = f"/v1/spectroclusters/{EAST}/vms/snapshot?"
VMS = f"/v1/spectroclusters/{EAST}/vms?"
DASHBOARD = "/v1/dashboard/spectroclusters/vms"
ONE = f"/v1/spectroclusters/{WEST}/vms/db-01/snapshot/db-01-nightly?namespace=vms"


def names(pages: list[Any]) -> list[str]:
    return [item["metadata"]["name"] for page in pages for item in page["items"]]


async def test_a_snapshot_is_answered_as_it_is(client: Client, world: World) -> None:
    assert await client.get(ONE) == (200, world.snapshots(WEST)[0])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (ONE.replace("db-01-nightly", "nope"), 404, "ResourceNotFound"),
        (ONE.replace("/db-01/", "/nope/"), 500, "InternalServerError"),
        (ONE.replace("=vms", "=other"), 500, "InternalServerError"),
        (ONE.replace("namespace=vms", ""), 400, "InvalidRequest"),
        (ONE.replace(WEST, "nope"), 404, "ResourceNotFound"),
        (SNAPSHOTS + "limit=many", 400, "InvalidRequest"),
        (SNAPSHOTS + "continue=nonsense", 400, "InvalidRequest"),
        (SNAPSHOTS + "continue=%F0%9F%92%A5", 400, "InvalidRequest"),
        ("/v1/other", 404, "ResourceNotFound"),
        ("/v1/auth/authenticate", 405, "MethodNotAllowed"),
    ],
)
async def test_errors_come_in_palettes_own_form(
    client: Client, path: str, status: int, code: str
) -> None:
    got, body = await client.get(path)
    assert (got, body["code"]) == (status, code)
    assert sorted(body) == ["code", "details", "message", "ref"]


async def test_a_snapshot_belongs_to_the_vm_that_it_names(client: Client, world: World) -> None:
    world.put_vm(WEST, vm_document(name="db-02"))
    status, body = await client.get(ONE.replace("/db-01/", "/db-02/"))
    assert status == 404
    assert body["message"] == "VirtualMachineSnapshot 'db-01-nightly' not found"


@pytest.mark.parametrize(
    "name", ["a/b", "snapshot", 'qu"ote', "line\nbreak", "ünï-☃", "100%", "a b+c", "../x", "?#&;"]
)
async def test_any_name_can_be_requested(client: Client, world: World, name: str) -> None:
    world.put_vm(WEST, vm_document(name=name, namespace=name))
    world.put_snapshot(WEST, snapshot_document(name=name, vm=name, namespace=name))
    part = quote(name, safe="")
    path = f"/v1/spectroclusters/{WEST}/vms/{part}/snapshot/{part}?namespace={part}"
    status, body = await client.get(path)
    assert (status, body["metadata"]["name"]) == (200, name)
    status, page = await client.get(
        f"/v1/spectroclusters/{WEST}/vms/snapshot?vmName={part}&namespace={part}"
    )
    assert names([page]) == [name]


async def test_paging_gives_everything_once_and_in_order(client: Client, world: World) -> None:
    pages = await client.pages(SNAPSHOTS)
    assert [len(page["items"]) for page in pages] == [50, 50, 20]
    assert [page["metadata"].get("remainingItemCount") for page in pages] == [70, 20, None]
    assert [item for page in pages for item in page["items"]] == world.snapshots(EAST)
    assert pages[0]["kind"] == "VirtualMachineSnapshotList"
    (vms,) = await client.pages(VMS)
    assert vms["items"] == world.vms(EAST)
    assert vms["kind"] == "VirtualMachineList"


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [("40", [40, 40, 40]), ("60", [50, 50, 20]), ("0", [50, 50, 20]), ("-3", [50, 50, 20])],
)
async def test_a_page_has_at_most_fifty_items(client: Client, limit: str, sizes: list[int]) -> None:
    pages = await client.pages(f"{SNAPSHOTS}limit={limit}")
    assert [len(page["items"]) for page in pages] == sizes


async def test_filters_choose_and_leave_the_rest_uncounted(client: Client, world: World) -> None:
    every = world.snapshots(EAST)
    pages = await client.pages(SNAPSHOTS + "namespace=ns-0,ns-2&limit=30")
    assert names(pages) == [
        each["metadata"]["name"] for each in every if each["metadata"]["namespace"] != "ns-1"
    ]
    assert not any("remainingItemCount" in page["metadata"] for page in pages)
    pages = await client.pages(SNAPSHOTS + "vmName=vm-1,vm-5,nope&namespace=&limit=7")
    assert names(pages) == [
        each["metadata"]["name"]
        for each in every
        if each["spec"]["source"]["name"] in {"vm-1", "vm-5"}
    ]
    assert names(await client.pages(SNAPSHOTS + "vmName=vm-1&namespace=ns-0")) == []
    assert names(await client.pages(VMS + "namespace=ns-1")) == ["vm-1", "vm-10", "vm-4", "vm-7"]


async def test_a_token_leads_on_in_live_data(client: Client, world: World) -> None:
    _, first = await client.get(SNAPSHOTS)
    last = first["items"][-1]["metadata"]
    world.delete_snapshot(EAST, last["namespace"], last["name"])
    world.put_snapshot(EAST, snapshot_document(name="aaa", namespace="aaa"))
    world.put_snapshot(EAST, snapshot_document(name="zzz", namespace="zzz"))
    _, second = await client.get(f"{SNAPSHOTS}continue={first['metadata']['continue']}")
    assert len(second["items"]) == 50
    assert second["metadata"]["remainingItemCount"] == 21
    assert not set(names([first])) & set(names([second]))


async def test_a_token_is_good_for_its_own_query_only(client: Client) -> None:
    _, page = await client.get(SNAPSHOTS)
    token = page["metadata"]["continue"]
    status, body = await client.get(f"{SNAPSHOTS}namespace=ns-1&continue={token}")
    assert (status, body["code"]) == (400, "InvalidRequest")
    status, _ = await client.get(f"{VMS}continue={token}")
    assert status == 400


async def test_continue_tokens_expire(client: Client, palette: PaletteServer, clock: Clock) -> None:
    _, page = await client.get(SNAPSHOTS)
    path = f"{SNAPSHOTS}continue={page['metadata']['continue']}"
    clock.advance(299)
    assert (await client.get(path))[0] == 200
    clock.advance(1)
    status, body = await client.get(path)
    assert (status, body["code"]) == (410, "ResourceExpired")
    _, page = await client.get(SNAPSHOTS)
    path = f"{SNAPSHOTS}continue={page['metadata']['continue']}"
    palette.expire_continue_tokens()
    assert (await client.get(path))[0] == 410
    assert len(await client.pages(SNAPSHOTS)) == 3


async def test_a_wrong_key_is_refused_and_echoed(client: Client) -> None:
    status, body = await client.get(DASHBOARD, {"ApiKey": "wrong-key"})
    assert status == 401
    assert "wrong-key" in body["message"]
    assert (await client.get(DASHBOARD, {}))[0] == 401
    status, body = await client.get(DASHBOARD, {"Authorization": f"Bearer {KEY}"})
    assert status == 401
    assert KEY in body["message"]


async def test_a_key_can_be_rotated(client: Client, palette: PaletteServer) -> None:
    palette.api_keys.clear()
    palette.api_keys.add("new")
    assert (await client.get(DASHBOARD))[0] == 401
    assert (await client.get(DASHBOARD, {"ApiKey": "new"}))[0] == 200


async def test_a_token_expires_after_a_quarter_of_an_hour(
    client: Client, palette: PaletteServer, clock: Clock
) -> None:
    status, body, headers = await client.log_in()
    assert (status, body["isMfa"], "Set-Cookie" in headers) == (200, False, False)
    token = {"Authorization": body["Authorization"]}
    clock.advance(899)
    assert (await client.get(DASHBOARD, token))[0] == 200
    clock.advance(1)
    assert (await client.get(DASHBOARD, token))[0] == 401
    _, body, headers = await client.log_in(query="")
    assert "Set-Cookie" in headers
    assert body["Authorization"] != token["Authorization"]
    palette.expire_tokens()
    assert (await client.get(DASHBOARD, {"Authorization": body["Authorization"]}))[0] == 401


async def test_a_wrong_password_is_refused_and_echoed(client: Client) -> None:
    status, body, _ = await client.log_in("wrong-password")
    assert status == 401
    assert "wrong-password" in body["message"]
    async with client.session.post(f"{client.base}/v1/auth/authenticate", data=b"[]") as response:
        assert response.status == 400


async def test_scope_hides_clusters_of_other_projects(
    client: Client, palette: PaletteServer
) -> None:
    def scoped(uid: str) -> dict[str, str]:
        return {"ApiKey": KEY, "ProjectUid": uid}

    _, body = await client.get(DASHBOARD)
    assert [each["metadata"] for each in body["items"]] == [
        {"name": "prod-east", "projectUid": EAST_PROJECT, "uid": EAST},
        {"name": "prod-west", "projectUid": WEST_PROJECT, "uid": WEST},
    ]
    _, body = await client.get(DASHBOARD, scoped(WEST_PROJECT))
    assert names([body]) == ["prod-west"]
    assert (await client.get(ONE, scoped(WEST_PROJECT)))[0] == 200
    status, body = await client.get(ONE, scoped(EAST_PROJECT))
    assert (status, body["code"]) == (404, "ResourceNotFound")
    assert (await client.get(ONE, scoped("unknown")))[0] == 403
    palette.forbidden_projects.add(WEST_PROJECT)
    assert (await client.get(ONE, scoped(WEST_PROJECT)))[0] == 403
    assert (await client.get(ONE))[0] == 200


async def test_the_project_of_a_removed_cluster_remains(client: Client, world: World) -> None:
    world.remove_cluster(WEST)
    status, _ = await client.get(ONE, {"ApiKey": KEY, "ProjectUid": WEST_PROJECT})
    assert status == 404


@pytest.mark.parametrize(("path", "burst", "rate"), [(SNAPSHOTS, 250, 50), (DASHBOARD, 50, 10)])
async def test_past_the_burst_comes_429_until_time_refills_it(
    client: Client, clock: Clock, path: str, burst: int, rate: int
) -> None:
    statuses = [(await client.get(path))[0] for _ in range(burst + 3)]
    assert statuses == [200] * burst + [429] * 3
    clock.advance(1)
    statuses = [(await client.get(path))[0] for _ in range(rate + 3)]
    assert statuses == [200] * rate + [429] * 3


async def test_budgets_are_apart_and_shared_with_other_clients(
    client: Client, palette: PaletteServer, clock: Clock
) -> None:
    assert palette.take("/v1/spectroclusters", 249) == 249
    assert (await client.get("/v1/spectroclusters/nope/vms"))[0] == 404
    async with client.open(SNAPSHOTS) as response:
        assert response.status == 429
        assert "Retry-After" not in response.headers
        assert (await response.json())["code"] == "TooManyRequests"
    assert palette.take("/v1/spectroclusters", 5) == 0
    assert (await client.get(DASHBOARD))[0] == 200
    clock.advance(0.1)
    assert palette.remaining("/v1/spectroclusters") == pytest.approx(5)
    clock.advance(1000)
    assert palette.remaining("/v1/spectroclusters") == 250


async def test_limits_can_have_a_retry_time_or_be_removed(world: World, clock: Clock) -> None:
    limited = PaletteServer(world, clock=clock, now=clock, limits=Limits(retry_after=7))
    free = PaletteServer(world, clock=clock, now=clock, limits=None)
    async with limited, free, aiohttp.ClientSession(headers={"ApiKey": "demo"}) as session:
        limited.take("/v1/dashboard", 50)
        async with session.get(limited.url + DASHBOARD) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "7")
        for _ in range(60):
            async with session.get(free.url + DASHBOARD) as response:
                assert response.status == 200


async def test_gzip_is_sent_to_clients_that_accept_it(
    client: Client, palette: PaletteServer
) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        for accepted, on in (("gzip", True), ("br", True), ("gzip", False)):
            palette.gzip = on
            headers = {"ApiKey": KEY, "Accept-Encoding": accepted}
            packed = on and accepted == "gzip"
            async with session.get(client.base + SNAPSHOTS, headers=headers) as response:
                body = await response.read()
            assert (response.headers.get("Content-Encoding") == "gzip") is packed
            assert len(json.loads(gzip.decompress(body) if packed else body)["items"]) == 50


async def test_requests_are_remembered_without_their_secrets(
    client: Client, palette: PaletteServer, clock: Clock
) -> None:
    _, page = await client.get(SNAPSHOTS + "limit=50")
    clock.advance(5)
    token = page["metadata"]["continue"]
    await client.get(f"{SNAPSHOTS}limit=50&continue={token}", {"ProjectUid": EAST_PROJECT})
    first, second = palette.requests
    assert (first.method, first.raw_path) == ("GET", SNAPSHOTS[:-1])
    assert first.endpoint == "list_snapshots"
    assert (first.query, first.page, first.status) == ({"limit": "50"}, 1, 200)
    assert (first.has_api_key, first.has_authorization, first.project_uid) == (True, False, None)
    assert (second.page, second.status, second.at - first.at) == (2, 401, 5)
    assert (second.has_api_key, second.project_uid) == (False, EAST_PROJECT)
    assert KEY not in repr(palette.requests)
    palette.forget_requests()
    assert palette.requests == []


async def test_only_so_many_requests_are_remembered(world: World) -> None:
    async with PaletteServer(world, remembered=3) as palette, aiohttp.ClientSession() as session:
        for number in range(5):
            async with session.get(f"{palette.url}/{number}") as response:
                assert response.status == 404
        assert [request.raw_path for request in palette.requests] == ["/2", "/3", "/4"]


async def test_the_fleet_follows_the_given_clock(clock: Clock) -> None:
    world = World(now=clock())
    async with (
        PaletteServer(world, now=clock) as palette,
        aiohttp.ClientSession(palette.url, headers={"ApiKey": "demo"}) as session,
    ):
        path = f"/v1/spectroclusters/{world.clusters()[0].uid}/vms/snapshot"
        seen = set()
        for _ in range(5):
            async with session.get(path) as response:
                seen.add(await response.text())
            clock.advance(60)
    assert len(seen) == 5


async def test_it_can_be_stopped_and_started_again_in_its_place(
    client: Client, palette: PaletteServer
) -> None:
    assert (await client.get(DASHBOARD))[0] == 200
    await palette.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get(DASHBOARD)
    assert await palette.start(port=palette.port) == client.base
    assert (await client.get(DASHBOARD))[0] == 200


async def test_it_speaks_tls(world: World) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with (
        PaletteServer(world, ssl_context=server) as palette,
        aiohttp.ClientSession(headers={"ApiKey": "demo"}) as session,
    ):
        assert palette.url.startswith("https://127.0.0.1:")
        async with session.get(palette.url + DASHBOARD, ssl=trusting) as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(palette.url + DASHBOARD)
