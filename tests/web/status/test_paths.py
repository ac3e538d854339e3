"""The paths of the status page and of its JSON, over HTTP."""

from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from exporter.demo.documents import requested
from exporter.demo.stages import failed, started
from exporter.demo.world import World
from tests.harness import EAST, INTERVAL, NOW, WEST, Running, exporting, put, target, tenant
from tests.palette_server import faults
from tests.palette_server.server import API_KEY

ODD = "a/b c?d#e%2F&é"
PATHS = ("/", "/api/v1/status", "/config", "/docs", "/docs/metrics.md", "/status.css")


def world() -> World:
    found = tenant()
    put(found, "db-01", "nightly", "weekly")
    put(found, "bare")
    put(found, "web-01", "nightly-web", cluster=WEST)
    document = requested(name="broken", vm=ODD, namespace="vms", at=NOW - 600)
    found.put_snapshot(EAST, failed(started(document, NOW - 590, None), NOW - 300, "out of space"))
    return found


async def get(running: Running, path: str, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    async with running.session.request(method, running.url + path) as response:
        return response.status, await response.text(), dict(response.headers)


async def document(running: Running, path: str) -> Any:
    async with running.session.get(running.url + path) as response:
        return await response.json()


async def test_before_the_first_refresh_the_page_says_so() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        async with running.loops(settled=False):
            _, page, _ = await get(running, "/")
            assert "The first refresh is still on its way" in page
            (cluster,) = (await document(running, "/api/v1/status"))["clusters"]
            assert (cluster["uid"], cluster["state"]) == (EAST, "waiting")
            await running.idle()
            await running.pass_time(INTERVAL / 2)
            _, page, _ = await get(running, "/")
        assert "still on its way" not in page
        assert "db-01" in page


@pytest.mark.parametrize("path", PATHS)
async def test_each_path_is_kept_by_nobody_and_runs_nothing(path: str) -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        await running.refresh()
        status, body, headers = await get(running, path)
        assert status == 200
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        if path != "/status.css":
            assert headers["Cache-Control"] == "no-store"
        assert API_KEY not in body
        assert "<script" not in body
        status, body, _ = await get(running, path, "HEAD")
        assert (status, body) == (200, "")
        assert (await get(running, path, "POST"))[0] == 405


async def test_json_says_what_the_page_says_in_stable_words() -> None:
    async with exporting(world(), targets=[target(EAST), target(WEST)]) as running:
        await running.refresh()
        found = await document(running, "/api/v1/status")
        assert found["time"] == "2027-01-15T08:00:00Z"
        assert found["fleet"]["clusters_read"] == found["fleet"]["clusters"] == 2
        assert found["fleet"]["vms"] == 3
        assert found["fleet"]["snapshots_failed"] == found["fleet"]["snapshots_orphaned"] == 1
        assert [each["vm"] for each in found["vms"]] == ["bare", ODD, "db-01", "web-01"]
        assert found["vms"][0]["problems"][0]["problem"] == "no_restorable"
        narrowed = await document(running, f"/api/v1/status?cluster={WEST}&state=fine")
        assert [each["vm"] for each in narrowed["vms"]] == ["web-01"]
        broken = await document(running, found["vms"][1]["path"])
        (snapshot,) = broken["snapshot_list"]
        assert snapshot["error"] == {"message": "out of space", "time": "2027-01-15T07:55:00Z"}
        assert snapshot["state"] == "failed"
        assert snapshot["included_volumes"] is None


async def test_a_machine_has_a_page_whatever_its_name_is() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        await running.refresh()
        path = f"/vms/{EAST}/vms/{quote(ODD, safe='')}"
        async with running.session.get(URL(running.url + path, encoded=True)) as response:
            assert response.status == 200
            assert "out of space" in await response.text()
        status, page, _ = await get(running, f"/vms/{EAST}/vms/nobody")
        assert (status, "No such virtual machine" in page) == (404, True)
        assert (await get(running, f"/api/v1/vms/{EAST}/vms/nobody"))[0] == 404


async def test_a_value_that_makes_no_sense_is_said_and_is_400_as_json() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        await running.refresh()
        for query in ("state=x", "page=0", "page=99", "clusters=x", "cluster=none", "foo=1"):
            status, page, _ = await get(running, f"/?{query}")
            assert status == 200
            assert 'class="notice"' in page, query
            status, body, _ = await get(running, f"/api/v1/status?{query}")
            assert (status, '"error"' in body) == (400, True), query


async def test_a_cluster_that_fails_is_stale_then_unreadable_with_its_error_in_words() -> None:
    async with exporting(
        world(), targets=[target(EAST)], objectives=[{"max_age": "2h"}]
    ) as running:
        await running.refresh()
        running.palette.faults.add(None, faults.status(403))
        running.clock.advance(120)
        await running.refresh()
        found = await document(running, "/api/v1/status")
        (cluster,) = found["clusters"]
        assert cluster["state"] == "stale"
        assert cluster["last_error"]["reason"] == "forbidden"
        assert cluster["last_error"]["meaning"] == "The credential may not read this cluster."
        assert cluster["last_success"] == "2027-01-15T08:00:00Z"
        assert cluster["last_refresh"] == "2027-01-15T08:02:00Z"
        assert {each["stale"] for each in found["vms"]} == {True}
        assert found["fleet"]["clusters_read"] == 0
        running.clock.advance(600)
        found = await document(running, "/api/v1/status")
        assert found["clusters"][0]["state"] == "unreadable"
        assert found["vms"] == []
        running.palette.faults.clear()
        await running.refresh()
        (cluster,) = (await document(running, "/api/v1/status"))["clusters"]
        assert (cluster["state"], cluster["last_error"]["reason"]) == ("read", "forbidden")


async def test_the_configuration_shows_no_secret() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        _, page, _ = await get(running, "/config")
        assert "api_key: &lt;secret&gt;" in page
        assert EAST in page
