"""The paths of the status page and of its JSON, over HTTP."""

import gc
import re
import shlex
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from exporter.demo.documents import requested
from exporter.demo.stages import failed, started
from exporter.verdict import PROBLEMS
from exporter.web.status.project import Facts
from tests.harness import EAST, INTERVAL, NOW, WEST, Running, exporting, put, target, tenant
from tests.palette_server import faults
from tests.palette_server.server import API_KEY
from tests.palette_server.world import World

ODD = "a/b c?d#e%2F&é"
PATHS = (
    "/",
    "/api/v1/status",
    "/api/v1/openapi.json",
    "/config",
    "/docs",
    "/docs/metrics.md",
    "/status.css",
)


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
            assert "The first round is running." in page
            assert "1 cluster has never been read" in page
            (cluster,) = (await document(running, "/api/v1/status"))["clusters"]
            assert (cluster["uid"], cluster["state"]) == (EAST, "waiting")
            await running.idle()
            await running.pass_time(INTERVAL / 2)
            _, page, _ = await get(running, "/")
        assert "first round is running" not in page
        assert "db-01" in page


@pytest.mark.parametrize("path", PATHS)
async def test_no_path_is_cached_and_none_runs_a_script(path: str) -> None:
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


async def test_the_json_has_the_facts_in_stable_words() -> None:
    async with exporting(world(), targets=[target(EAST), target(WEST)]) as running:
        await running.refresh()
        found = await document(running, "/api/v1/status")
        assert found["time"] == "2027-01-15T08:00:00Z"
        assert found["fleet"]["clusters_read"] == found["fleet"]["clusters"] == 2
        assert found["fleet"]["vms"] == 3
        assert found["fleet"]["snapshots_failed"] == 1
        assert {each["vm"] for each in found["vms"]} == {"bare", ODD, "db-01", "web-01"}
        odd = next(each for each in found["vms"] if each["vm"] == ODD)
        assert odd["orphaned"]
        narrowed = await document(running, f"/api/v1/status?cluster={WEST}&state=fine")
        assert [each["vm"] for each in narrowed["vms"]] == ["web-01"]
        broken = await document(running, odd["path"])
        (snapshot,) = broken["snapshot_list"]
        assert snapshot["error"] == {"message": "out of space", "time": "2027-01-15T07:55:00Z"}
        assert snapshot["state"] == "failed"
        assert snapshot["included_volumes"] is None


async def test_the_page_shows_the_values_of_the_json() -> None:
    async with exporting(
        world(),
        targets=[target(EAST), target(WEST)],
        objectives=[{"max_age": "30m", "min_snapshots": 2, "max_snapshot_age": "9d"}],
        refresh={"interval": "1m"},
    ) as running:
        await running.refresh()
        running.palette.faults.add(lambda call: call.cluster_uid == WEST, faults.status(403))
        running.clock.advance(90)
        await running.refresh()
        found = await document(running, "/api/v1/status")
        _, page, _ = await get(running, "/")
        text = unescape(re.sub(r"<[^>]*>", "", page))
        shown = " ".join(text.split())
        assert found["headline"] in shown
        for name, number in found["fleet"]["problems"].items():
            assert re.search(rf"{number} {PROBLEMS[name].title}", shown), name
        for cluster in found["clusters"]:
            assert cluster["name"] in shown
            if cluster["last_error"]:
                assert cluster["last_error"]["meaning"] in shown
        for vm in found["vms"]:
            assert vm["vm"] in text
            detail = unescape((await get(running, vm["path"].removeprefix("/api/v1")))[1])
            for problem in vm["problems"]:
                assert problem["title"] in shown
                assert problem["text"] in shown
                assert problem["text"] in detail


async def test_a_vm_has_a_page_whatever_its_name_is() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        await running.refresh()
        path = f"/vms/{EAST}/vms/{quote(ODD, safe='')}"
        async with running.session.get(URL(running.url + path, encoded=True)) as response:
            assert response.status == 200
            assert "out of space" in await response.text()
        status, page, _ = await get(running, f"/vms/{EAST}/vms/nobody")
        assert (status, "No such virtual machine" in page) == (404, True)
        assert (await get(running, f"/api/v1/vms/{EAST}/vms/nobody"))[0] == 404


@pytest.mark.parametrize("query", ["state=x", "page=0", "page=99", "foo=1", "since=2h", "page=x"])
async def test_an_invalid_value_is_named_on_the_page_and_is_400_as_json(query: str) -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        await running.refresh()
        status, page, _ = await get(running, f"/?{query}")
        assert status == 200
        assert 'class="notice"' in page
        status, body, _ = await get(running, f"/api/v1/status?{query}")
        assert (status, '"error"' in body) == (400, True)


@pytest.mark.parametrize(
    ("query", "found", "note"),
    [
        ("cluster=EAST", {"bare", "db-01", ODD}, ""),
        ("cluster=prod", {"bare", "db-01", ODD, "web-01"}, ""),
        ("namespace=VM&q=db", {"db-01"}, ""),
        ("q=weekly", {"db-01"}, ""),
        ("cluster=nowhere", set(), "No cluster has this name"),
        ("namespace=nowhere", set(), "No namespace"),
        ("q=db&cluster=west", set(), "No VM matches all filters."),
    ],
)
async def test_names_match_by_substring_and_the_page_names_filters_without_a_match(
    query: str, found: set[str], note: str
) -> None:
    async with exporting(world(), targets=[target(EAST), target(WEST)]) as running:
        await running.refresh()
        status = await document(running, f"/api/v1/status?{query}")
        assert {each["vm"] for each in status["vms"]} == found
        assert note in " ".join(status["notes"])
        assert bool(status["notes"]) == bool(note)
        _, page, _ = await get(running, f"/?{query}")
        assert note in page
        assert status["fleet"]["vms"] == 3, "the numbers are of the whole fleet"


async def test_each_tile_has_the_number_of_its_link() -> None:
    async with exporting(
        world(), targets=[target(EAST), target(WEST)], objectives=[{"max_age": "30m"}]
    ) as running:
        await running.refresh()
        _, page, _ = await get(running, "/")
        tiles = re.findall(r'href="\?state=(\w+)#vms"><strong>([\d,]+)</strong>', page)
        assert len(tiles) > 4
        for state, number in tiles:
            listed = await document(running, f"/api/v1/status?state={state}")
            assert listed["page"]["items"] == int(number.replace(",", "")), state


async def test_empty_fields_of_a_form_are_not_in_the_address() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        async with running.session.get(f"{running.url}/?q=db&namespace=&state=") as response:
            assert response.url.query_string == "q=db"
        async with running.session.get(f"{running.url}/?q=&state=") as response:
            assert response.url.query_string == ""


async def test_the_address_without_empty_fields_keeps_no_fleet_in_memory() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        await running.refresh()
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                url = f"{running.url}/?q="
                async with running.session.get(url, allow_redirects=False) as answer:
                    assert (answer.status, answer.headers["Location"]) == (303, "./")
            # The last request, and the loop that assesses ahead, can have one each.
            assert sum(isinstance(each, Facts) for each in gc.get_objects()) <= 2
        finally:
            gc.enable()


async def test_the_last_known_state_stays_until_the_cluster_leaves_the_configuration() -> None:
    async with exporting(
        world(), targets=[target(EAST)], objectives=[{"max_age": "2h"}]
    ) as running:
        await running.refresh()
        before = await document(running, "/api/v1/status")
        running.palette.faults.add(None, faults.status(403))
        running.clock.advance(120)
        await running.refresh()
        found = await document(running, "/api/v1/status")
        (cluster,) = found["clusters"]
        assert (cluster["state"], cluster["expired"]) == ("stale", False)
        assert cluster["last_error"]["reason"] == "forbidden"
        assert cluster["last_success"] == "2027-01-15T08:00:00Z"
        assert cluster["last_refresh"] == "2027-01-15T08:02:00Z"
        assert {each["stale"] for each in found["vms"]} == {True}
        assert found["fleet"]["vms_unknown"] == 0
        for _ in range(3):
            running.clock.advance(3600)
            await running.refresh()
            found = await document(running, "/api/v1/status")
            (cluster,) = found["clusters"]
            assert (cluster["state"], cluster["expired"]) == ("stale", True)
            assert {each["vm"] for each in found["vms"]} == {each["vm"] for each in before["vms"]}
            assert found["fleet"]["vms"] == found["fleet"]["vms_unknown"] == 2
            assert found["fleet"]["vms_protected"] == 0
            assert found["changes"][0]["vms_with_new_problem"] is None
            assert found["changes"][0]["clusters_unknown"] == 1
            assert "None of 2 VMs is known to be protected" in found["headline"]
            assert "since 2027-01-15 08:00:00 UTC" in found["headline"]
        running.palette.faults.clear()
        await running.refresh()
        found = await document(running, "/api/v1/status")
        assert found["clusters"][0]["state"] == "read"
        assert found["clusters"][0]["last_error"]["reason"] == "forbidden"
        assert found["fleet"]["vms_unknown"] == 0
        async with running.loops(settled=False):
            await running.reload(targets=[target(WEST)])
            found = await document(running, "/api/v1/status")
        assert [each["uid"] for each in found["clusters"]] == [WEST]


async def test_exempt_vms_do_not_hide_that_all_others_are_unknown() -> None:
    fleet = world()
    put(fleet, "agent")
    objectives = [{"vm": "agent", "exempt": True}, {"max_age": "2h"}]
    async with exporting(fleet, targets=[target(EAST)], objectives=objectives) as running:
        await running.refresh()
        running.palette.faults.add(None, faults.status(403))
        running.clock.advance(3600)
        await running.refresh()
        found = await document(running, "/api/v1/status")
        assert found["fleet"]["vms_exempt"] == 1
        assert found["headline"].startswith("None of 2 VMs is known to be protected since")
        assert found["verdict"] == "unknown"


async def test_a_cluster_that_was_never_read_has_no_numbers() -> None:
    async with exporting(world(), targets=[target(EAST), target(WEST)]) as running:
        running.palette.faults.add(lambda call: call.cluster_uid == WEST, faults.status(401))
        await running.refresh()
        found = await document(running, "/api/v1/status")
        west = next(each for each in found["clusters"] if each["uid"] == WEST)
        assert west["state"] == "unreadable"
        assert west["vms"] is west["snapshots"] is west["vms_protected"] is None
        assert "1 cluster has never been read" in found["headline"]
        assert found["verdict"] != "protected"
        page = (await get(running, "/"))[1]
        assert '<span class="badge unknown">VMs unknown</span>' in page


async def discovered(running: Running) -> tuple[Any, str]:
    async with running.loops(settled=False):
        await running.idle()
        await running.pass_time(INTERVAL)
        found = await document(running, "/api/v1/status")
        return found, (await get(running, "/"))[1]


async def test_a_refused_key_is_shown_as_such() -> None:
    async with exporting(world(), discovery={"enabled": True}) as running:
        running.palette.faults.add(None, faults.status(401))
        found, page = await discovered(running)
        assert found["headline"].startswith("Nothing is known; discovery has failed since")
        assert found["verdict"] == "unknown"
        assert found["discovery"]["up"] is False
        assert found["discovery"]["last_error"]["reason"] == "unauthorized"
        assert found["discovery"]["clusters"] is None
        assert {found["fleet"][key] for key in ("vms", "snapshots", "objectives_missed")} == {None}
        assert {each["vms_with_new_problem"] for each in found["changes"]} == {None}
        assert found["notes"] == []
        main = page[page.index("<h1") :]
        assert main.index("Discovery is failing.") < main.index("What changed")
        assert "Palette does not accept the credential." in main
        assert re.search(r'protected: <strong><span class="quiet">unknown</span></strong>', main)
        assert "No cluster of that name" not in page


async def test_an_empty_dashboard_is_not_all_clear() -> None:
    async with exporting(World.empty(now=NOW), discovery={"enabled": True}) as running:
        found, page = await discovered(running)
        assert "Palette lists no cluster with virtual machines" in found["headline"]
        assert found["verdict"] == "unknown"
        assert found["fleet"]["vms"] is None
        assert "protected</a>" not in page or "<strong>0</strong> protected" not in page


async def test_filters_that_select_no_cluster_are_not_all_clear() -> None:
    async with exporting(
        world(), discovery={"enabled": True, "clusters": ["nothing-.*"]}
    ) as running:
        found, _ = await discovered(running)
        assert "discovery selects none of 2 clusters" in found["headline"]
        assert found["verdict"] == "unknown"


async def test_clusters_without_vms_are_not_all_clear() -> None:
    async with exporting(tenant(), targets=[target(EAST), target(WEST)]) as running:
        await running.refresh()
        found = await document(running, "/api/v1/status")
        assert "No VM is watched" in found["headline"]
        assert found["verdict"] == "unknown"


async def test_a_refused_reload_is_on_the_page() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        await running.refresh()
        running.given.put(web={"listen_address": "127.0.0.1:1"})
        async with (
            running.loops(settled=False),
            running.session.post(f"{running.url}/-/reload") as response,
        ):
            assert response.status == 500
        found = await document(running, "/api/v1/status")
        assert "web.listen_address" in found["exporter"]["reload_error"]
        assert "The last reload was refused." in (await get(running, "/"))[1]


async def test_a_429_is_on_the_page() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        await running.refresh()
        assert (await document(running, "/api/v1/status"))["exporter"]["rate_in_use"] == 1
        running.palette.faults.add(None, faults.status(429), times=1)
        await running.refresh()
        assert (await document(running, "/api/v1/status"))["exporter"]["rate_in_use"] < 1
        assert "Palette answered 429." in (await get(running, "/"))[1]


async def test_the_page_reloads_itself_on_request_only() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        await running.refresh()
        assert "http-equiv" not in (await get(running, "/"))[1]
        _, page, _ = await get(running, "/?q=db&refresh=60")
        assert '<meta http-equiv="refresh" content="60">' in page
        assert 'class="notice"' in (await get(running, "/?refresh=0.1"))[1]


async def test_changes_count_problems_that_began_in_the_window() -> None:
    async with exporting(
        world(), targets=[target(EAST)], objectives=[{"max_age": "2h"}]
    ) as running:
        await running.refresh()
        for passed, within_an_hour in ((0, 0), (3700, 1), (2 * 3600, 0)):
            running.clock.advance(passed)
            await running.refresh()
            found = await document(running, "/api/v1/status")
            hour, half_a_day = found["changes"]
            assert (hour["within_seconds"], half_a_day["within_seconds"]) == (3600, 43_200)
            assert hour["vms_with_new_problem"] == within_an_hour
            listed = await document(running, "/api/v1/status?since=1h")
            assert listed["page"]["items"] == within_an_hour


async def test_a_runbook_has_the_labels_of_the_vm_in_its_commands() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        await running.refresh()
        found = await document(running, "/api/v1/status?q=bare")
        runbook = found["vms"][0]["problems"][0]["runbook"]
        _, page, _ = await get(running, f"/{runbook.partition('#')[0]}")
        assert "NAMESPACE=vms VM=bare" in page
        assert "kubectl -n vms" in page
        assert "$NAMESPACE" not in page
        assert f"cluster_uid=&quot;{EAST}&quot;" in page
        assert f'id="{runbook.partition("#")[2]}"' in page


@pytest.mark.parametrize("name", ["$(reboot)", "x; reboot", "x' y", 'x" or "', "<script>", "\\1"])
async def test_a_link_with_foreign_labels_makes_no_command_run_anything(name: str) -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        _, page, _ = await get(
            running, f"/docs/runbooks.md?vm={quote(name)}&snapshot={quote(name)}"
        )
        assert "<script" not in page
        text = unescape(page)
        assert f"VM={shlex.quote(name)}" in text
        assert text.count(shlex.quote(name)) == 2, "only where the variables are set"
        assert "$SNAPSHOT" in text


async def test_the_documents_have_anchors_and_lead_to_each_other() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        _, index, _ = await get(running, "/docs")
        names = re.findall(r'href="docs/([^"]+)"', index)
        wanted = {"metrics.md", "runbooks.md", "status.md", "operations.md", "configuration.md"}
        assert wanted <= {*names}
        pages = {name: (await get(running, f"/docs/{name}"))[1] for name in names}
        for name, page in pages.items():
            content = page[page.index("<article") :]
            assert re.search(r'<h[12] id="[\w-]+">', content), name
            for link in re.findall(r'href="([^":]+)"', content[: content.index("<footer")]):
                file, _, anchor = link.partition("#")
                assert not file or file in pages, f"{name}: {link}"
                assert not anchor or f'id="{anchor}"' in pages[file or name], f"{name}: {link}"


async def test_a_key_that_palette_repeats_in_an_error_is_not_shown() -> None:
    key, found = "k3y/\"with<odd>'&signs", world()
    document_ = requested(name="echo", vm="db-01", namespace="vms", at=NOW - 600)
    found.put_snapshot(EAST, failed(started(document_, NOW - 590, None), NOW - 300, f"key {key}"))
    demo = {"api_keys": {key}}
    async with exporting(
        found, targets=[target(EAST)], palette={"api_key": key}, demo=demo
    ) as running:
        await running.refresh()
        for path in ("/", f"/vms/{EAST}/vms/db-01"):
            for text in (await get(running, path), await get(running, f"/api/v1{path}")):
                assert "with<odd>" not in unescape(text[1])
        assert "key (secret)" in (await get(running, f"/vms/{EAST}/vms/db-01"))[1]
        assert "key (secret)" in (await get(running, f"/api/v1/vms/{EAST}/vms/db-01"))[1]


async def test_the_configuration_shows_no_secret() -> None:
    async with exporting(world(), targets=[target(EAST)]) as running:
        _, page, _ = await get(running, "/config")
        assert "api_key: &lt;secret&gt;" in page
        assert EAST in page


async def test_a_short_credential_changes_no_word() -> None:
    name = f"{API_KEY}-east"
    assert len(API_KEY) < 8
    async with exporting(world(), targets=[target(EAST, cluster_name=name)]) as running:
        await running.refresh()
        assert name in (await get(running, "/"))[1]
        found = await document(running, "/api/v1/status")
        assert [each["name"] for each in found["clusters"]] == [name]
